"""`harness reduce`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from . import complete, options
from .console import notice, result
from .progress import Work

if TYPE_CHECKING:
    from ..execution.plan import Plan
    from ..reduction import Reduced


@click.command("reduce", cls=options.Grouped)
@click.argument("start", metavar="EXPERIMENT|RUN", shell_complete=complete.experiments_or_runs)
@click.option("-a", "--arm", metavar="ARM", help="Whose difference; of a RUN the first that differs when not given.")
@options.backends
@options.changes
@options.results
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the smallest is written; stdout when not given.",
)
@options.quiet
def command(
    start: str,
    arm: str | None,
    files: tuple[str, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    results: Path,
    output: Path | None,
    quiet: bool,
) -> None:
    """Cut an experiment on which an arm differs down to the smallest that still shows it: what one attaches to a report.

    EXPERIMENT is a TOML file, RUN a saved run, as `compare` takes it. Layers, options, steps, rows and sizes go as long as the arm still
    differs from the reference at a layer of the same type (or the loss, or the optimizer), by the same cause; data become random numbers,
    the loss and the optimizer the plainest. Rounding is never taken for it, and the end is confirmed in fresh processes. An interrupt
    keeps the smallest so far. What only a directed probe shows is no experiment that could be written down.

    \b
    Examples:
      python -m harness reduce my.toml --arm mine --backend ./mine.py -o s.toml
      python -m harness run s.toml --arm mine --backend ./mine.py
      python -m harness reduce latest --arm torch:compile
      python -m harness reduce my.toml --arm keras --set train.batch_size=4

    Exit codes: 0 the arm agrees, there is nothing to reduce; 1 it differs; 2 nothing was run; 3 the arm failed, or where it differs
    cannot be located; 130 interrupted.
    """
    from ..reduction import reduce

    if output is not None and not output.parent.is_dir():
        raise UsageError(f"there is no folder {output.parent}", "make it first, or choose another FILE")
    options.add_backends(files)
    found, step, source = started(
        start, arm, options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads), results
    )
    name = found.arms[0].name
    with Work("", quiet) as work:
        reduced = reduce(found, work, step) if step != AGREES else None
    if reduced is None:
        notice(f"{name} agrees with the reference at every forced step: there is nothing to reduce")
        sys.exit(0)
    write(reduced, name, source, files, output)
    if not quiet:
        notice(f"{reduced.tried} experiments tried")
    sys.exit(1 if reduced.whole else 130)


#: the step of a saved run in which an arm agrees
AGREES = -1


def started(start: str, arm: str | None, changes: list[str], results: Path) -> tuple[Plan, int | None, str]:
    """The experiment, the step at which it is known to differ, and what it is called.

    Raises:
        UsageError: no arm is named, or a saved run is to be changed.
    """
    if Path(start).is_file() or start.endswith(".toml"):
        from ..execution.plan import plan

        if arm is None:
            raise UsageError("whose difference?", "name one arm: --arm torch")
        return plan(Path(start), changes, [arm]), None, start
    if changes:
        raise UsageError("a saved run is reduced as it was run", "name its experiment to change it")
    from ..reduction.saved import saved

    found, step, folder = saved(start, results, arm)
    return found, AGREES if step is None else step, folder.name


def write(reduced: Reduced, arm: str, source: str, files: tuple[str, ...], output: Path | None) -> None:
    """The experiment with what it shows on top, in a file or on stdout."""
    from ..records.store import write_text
    from ..reduction.tree import moved, toml

    shown = str(output or "FILE")
    words = ["python", "-m", "harness", "run", shown, *(word for file in files for word in ("--backend", file)), "--arm", arm]
    lines = [
        *told(reduced, arm), "",
        f"Reduced from {source}: {reduced.before}.",
        f"Left of it: {reduced.after}.",
        *([] if reduced.whole else ["The search was interrupted: it may get smaller."]),
        "", shlex.join(words),
    ]  # fmt: skip
    here = Path() if output is None else output.parent
    text = "".join(f"# {line}".rstrip() + "\n" for line in lines) + "\n" + toml(moved(reduced.tree, here))
    if output is None:
        result(text.rstrip())
    else:
        write_text(output, text)
        notice(f"saved {output}")


def told(reduced: Reduced, arm: str) -> list[str]:
    """What differs, in the words of a run."""
    from ..report.words import distance, why

    entry = reduced.entry
    return [
        f"{arm}, step {reduced.tree['train']['steps'] - 1}, {' or '.join(entry['makers'])}: {why(entry['cause'])}",
        f"  {distance(entry['tensors'][0])}",
    ]
