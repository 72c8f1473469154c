"""`harness reproduce`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import HarnessError, UsageError
from . import complete, options
from .answer import write
from .console import notice, result
from .progress import Progress


@click.command("reproduce")
@click.argument("names", nargs=-1, shell_complete=complete.references)
@click.option("--all", "everything", is_flag=True, help="All committed references.")
@click.option("--update", is_flag=True, help="Run experiments/NAME.toml and commit its tables anew.")
@options.arms
@options.timings
@options.results
@options.forms_and_comment
@options.quiet
def command(
    names: tuple[str, ...],
    everything: bool,
    update: bool,
    arms: tuple[str, ...],
    timings: bool,
    results: Path,
    form: str | None,
    table: str | None,
    quiet: bool,
) -> None:
    """Run committed references (results/reference/NAME) again and judge every number: bitwise equal, within rounding, changed, or
    cannot run here. Times are reported as ratios and never judged.

    \b
    Examples:
      python -m harness reproduce xor
      python -m harness reproduce --all --no-timings
      python -m harness reproduce xor --arm jax@0.10.2
      python -m harness reproduce --all --format github > comment.md

    Exit codes: 0 all hold, 1 a number changed, 2 no such reference, 3 an arm failed or is missing, 130 interrupted.
    """
    chosen = folders(names, everything, update, results)
    if update:
        renew(chosen, results, timings, quiet)
        return
    from ..reproduction.gallery import stale

    code = judge_all(chosen, options.split_arms(arms), timings, quiet, form, table)
    for name in stale(results) if everything else ():
        notice(f"{results / name} is not what the committed tables say: python -m harness reproduce --update writes it")
        code = code or 1
    sys.exit(code)


def folders(names: tuple[str, ...], everything: bool, update: bool, results: Path) -> list[Path]:
    """Which references."""
    home = results / "reference"
    known = [path.parent for path in sorted(home.glob("*/manifest.json"))]
    if update and everything:
        return [home / path.stem for path in sorted(Path("experiments").glob("*.toml"))]
    if everything:
        if not known:
            raise UsageError(f"there are no references in {home}")
        return known
    if not names:
        raise UsageError("which reference?", f"name one, or --all; there are {', '.join(path.name for path in known)}")
    for name in names:
        if not update and home / name not in known:
            raise UsageError(f'there is no reference "{name}" in {home}', f"there are {', '.join(path.name for path in known)}")
    return [home / name for name in names]


def judge_all(chosen: list[Path], arms: list[str], timings: bool, quiet: bool, form: str | None, table: str | None) -> int:
    """Run and judge each; the worst exit code. For people each is shown when it has ended, for programs all of them in the end."""
    from ..reproduction.reference import read
    from ..reproduction.reproduce import reproduce
    from .show_reproduction import answer, verdict

    found = []
    for number, folder in enumerate(chosen, 1):
        reference = read(folder)
        title = f"{reference.name}, {number} of {len(chosen)}" if len(chosen) > 1 else reference.name
        with Progress(title, quiet) as progress:
            found.append(reproduce(reference, timings, progress, arms))
        if form in READ:
            write(answer(found[-1:], len(chosen)), form, table)
        if found[-1].exit_code == 130:
            break
    if form in READ:
        result(verdict(found, len(chosen)))
    else:
        write(answer(found, len(chosen)), form, table)
    codes = {item.exit_code for item in found}
    return next((code for code in (130, 1, 3) if code in codes), 0)


#: the forms that people read as they come
READ = (None, "md")


def renew(chosen: list[Path], results: Path, timings: bool, quiet: bool) -> None:
    """Run experiments and commit their tables."""
    import tempfile

    from ..execution.run import run
    from ..reproduction import gallery
    from ..reproduction.reference import write

    for folder in chosen:
        experiment = Path("experiments") / f"{folder.name}.toml"
        with tempfile.TemporaryDirectory(prefix="harness-") as place, Progress(folder.name, quiet) as progress:
            found = run(experiment, results=place, timing="smoke" if timings else "none", probes=False, progress=progress)
        if found.manifest.get("interrupted"):
            raise HarnessError(f"{folder.name}: interrupted; its reference is as it was")
        write(folder, found, experiment)
        result(f"{folder.name}: written")
    for name in gallery.write(results):
        result(f"{results / name}: written")
