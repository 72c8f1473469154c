"""`harness reproduce`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import HarnessError, UsageError
from ..report.formats import number, words
from . import console, options
from .console import Progress, notice, result

if TYPE_CHECKING:
    from ..reproduction.reproduce import Reproduction

SHOWN = 20


@click.command("reproduce")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All committed references.")
@click.option("--update", is_flag=True, help="Run experiments/NAME.toml and commit its tables anew.")
@options.arms
@options.timings
@options.results
@options.as_json
@options.quiet
def command(
    names: tuple[str, ...],
    everything: bool,
    update: bool,
    arms: tuple[str, ...],
    timings: bool,
    results: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run committed references (results/reference/NAME) again and judge every number: bitwise equal, within rounding, changed, or
    cannot run here. Times are reported as ratios and never judged.

    \b
    Examples:
      python -m harness reproduce xor
      python -m harness reproduce --all --no-timings
      python -m harness reproduce xor --arm jax@0.10.2

    \b
    Exit codes: 0 all hold, 1 a number changed, 2 no such reference, 3 an arm failed or is missing, 130 interrupted.
    """
    chosen = folders(names, everything, update, results)
    if update:
        renew(chosen, results, timings, quiet)
        return
    from ..reproduction.gallery import stale

    code = judge_all(chosen, options.split_arms(arms), timings, as_json, quiet)
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


def judge_all(chosen: list[Path], arms: list[str], timings: bool, as_json: bool, quiet: bool) -> int:
    """Run and judge each; the worst exit code."""
    from ..reproduction.reference import read
    from ..reproduction.reproduce import reproduce

    found = []
    for folder in chosen:
        reference = read(folder)
        if not quiet:
            notice(f"{reference.name} ...")
        with Progress(quiet) as progress:
            found.append(reproduce(reference, timings, progress, arms))
        if not as_json:
            show(found[-1])
        if found[-1].exit_code == 130:
            break
    if as_json:
        console.document({"schema": "harness.reproduce/1", "references": [as_document(item) for item in found]})
    else:
        result(f"{sum(item.exit_code == 0 for item in found)} of {len(chosen)} references hold.")
    codes = {item.exit_code for item in found}
    return next((code for code in (130, 1, 3) if code in codes), 0)


def show(found: Reproduction) -> None:
    """One reference, judged."""
    from ..reproduction.judge import REPORTED, STATES

    head(found)
    rows = [{"table": name, **{state: count[state] or None for state in STATES}} for name, count in found.counts.items() if count]
    console.table("", rows, {"table": words, **dict.fromkeys(STATES, number(6))})
    changed = [{**cell._asdict(), "version": found.versions.get(cell.arm, "")} for cell in found.changed[:SHOWN]]
    if changed:
        columns = {
            "table": words,
            "where": words,
            "arm": words,
            "committed": number(9),
            "found": number(9),
            "allowed": number(2),
            "version": words,
        }
        console.table("Changed", changed, columns)
        if len(found.changed) > SHOWN:
            result(f"... and {len(found.changed) - SHOWN} more; --json has all")
    timed = [cell._asdict() for cell in found.cells if cell.state == REPORTED]
    if timed:
        console.table("Ratios, reported only", timed, {"where": words, "arm": words, "committed": number(4), "found": number(4)})


def head(found: Reproduction) -> None:
    """The verdict, and what else has to be known before any number."""
    from ..reproduction.judge import STATES

    result(f"{found.reference.name}: {found.verdict}")
    for arm, changes in found.versions.items():
        states = found.states(arm)
        counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        result(f"  version changed: {arm}: {changes}: {counts}")
    for arm, text in found.run.faults:
        result(f"  known fault: {arm}: {text}")
    for name in found.reference.edited:
        result(f"  edited since it was written: {name}")
    for name in found.start:
        result(f"  other {name} than committed: everything after is noise")
    if found.elsewhere:
        result(f"  not created here: python -m harness env create {' '.join(found.elsewhere)}")
    for record in found.run.arms:
        if record.status not in ("ok", "unsupported") and record.arm not in found.elsewhere:
            result(f"  {record.arm}: {record.status}: {record.reason}")


def as_document(found: Reproduction) -> dict[str, object]:
    """One reference as JSON."""
    return {
        "reference": found.reference.name, "verdict": found.verdict, "versions": dict(found.versions), "edited": found.reference.edited,
        "start": list(found.start), "cells": [cell._asdict() for cell in found.cells],
    }  # fmt: skip


def renew(chosen: list[Path], results: Path, timings: bool, quiet: bool) -> None:
    """Run experiments and commit their tables."""
    import tempfile

    from ..execution.run import run
    from ..reproduction import gallery
    from ..reproduction.reference import write

    for folder in chosen:
        experiment = Path("experiments") / f"{folder.name}.toml"
        with tempfile.TemporaryDirectory(prefix="harness-") as place, Progress(quiet) as progress:
            found = run(experiment, results=place, timing="smoke" if timings else "none", probes=False, progress=progress)
        if found.manifest.get("interrupted"):
            raise HarnessError(f"{folder.name}: interrupted; its reference is as it was")
        write(folder, found, experiment)
        result(f"{folder.name}: written")
    for name in gallery.write(results):
        result(f"{results / name}: written")
