"""`harness compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import complete, options
from .answer import write


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=complete.runs)
@click.option("--by", type=click.Choice(["run", "version"]), default="run", show_default=True, help="What stands side by side.")
@options.results
@options.forms_and_comment
def command(runs: tuple[str, ...], by: str, results: Path, form: str | None, table: str | None) -> None:
    """Show a saved run, or lay several side by side; the latest when none is named.

    A RUN is its id, its unique start or end, `latest`, `latest~1`, or a folder. Of several, the first is what the others are held
    against. With --by version, every framework of which there are two versions is held against its first: what moved between them,
    numbers and times.

    \b
    Examples:
      python -m harness compare
      python -m harness compare latest~1 latest
      python -m harness compare --by version
      python -m harness compare latest --format csv --table losses > losses.csv
      python -m harness compare latest~1 latest --format github > comment.md
    """
    from ..tables import load
    from . import show, show_runs, show_versions

    found = [load(name, results) for name in runs or ("latest",)]
    if by == "version":
        write(show_versions.answer(found), form, table)
    else:
        write(show.answer(found[0]) if len(found) == 1 else show_runs.answer(found), form, table)
    sys.exit(max((run.exit_code for run in found), default=0))
