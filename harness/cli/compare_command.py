"""`harness compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from . import console, options
from .console import fixed, number, result, words

if TYPE_CHECKING:
    from ..tables import Run


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--by", type=click.Choice(["run", "version"]), default="run", show_default=True, help="What stands side by side.")
@options.results
@options.as_json
def command(runs: tuple[str, ...], by: str, results: Path, as_json: bool) -> None:
    """Show a saved run, or lay several side by side; the latest when none is named.

    A RUN is its id, its unique start or end, `latest`, `latest~1`, or a folder. Of several, the first is what the others are held
    against. With --by version, every framework of which there are two versions is held against its first: what moved between them,
    numbers and times.

    \b
    Examples:
      python -m harness compare
      python -m harness compare latest~1 latest
      python -m harness compare --by version
    """
    from ..tables import load
    from .show import as_document, show_run

    found = [load(name, results) for name in runs or ("latest",)]
    if by == "version":
        by_version(found, as_json)
    elif len(found) == 1:
        show_run(found[0], as_json)
    elif as_json:
        console.document({"schema": "harness.compare/1", "runs": [as_document(run) for run in found]})
    else:
        side_by_side(found)
    sys.exit(max((run.exit_code for run in found), default=0))


def by_version(runs: list[Run], as_json: bool) -> None:
    """What moved between the versions of a framework."""
    from ..tables.versions import versions_of

    found = versions_of(runs)
    if as_json:
        console.document({"schema": "harness.versions/1", "families": found})
        return
    if not found:
        raise UsageError(
            "there is no framework of which there are two versions", "run one, e.g. --arm jax --arm jax@0.10.2, or name two runs"
        )
    columns: dict[str, console.Format] = {
        "arm": words, "run": words, "version": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2),
        "final_loss": number(8), "parts_at": words, "loss_moved": number(2), "parameters_moved": number(2), "step_us": fixed(1),
        "time": fixed(2), "memory": fixed(2), "changed": words, "fault": words,
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error", "floor_ratio": "x floor", "parts_at": "losses part at",
        "loss_moved": "loss moved by", "parameters_moved": "parameters moved by", "time": "time x", "memory": "memory x",
        "changed": "what else changed",
    }  # fmt: skip
    for family, rows in found.items():
        console.table(f"{family}: what moved from {rows[0]['version'] or rows[0]['arm']}", rows, columns, names)
    result("Moved by: relative distance from the first row; 0 is bitwise equal. Times are indicative.")


def side_by_side(runs: list[Run]) -> None:
    """What the runs are, then every arm of every run in one table."""
    if any(not run.manifest for run in runs):
        raise UsageError("a run that did not end cannot be compared", "harness compare RUN shows what was saved of it")
    settings(runs)
    versions(runs)
    base = {row["arm"]: row for row in rows(runs[0])}
    found: list[dict[str, Any]] = []
    arms = dict.fromkeys(row["arm"] for run in runs for row in rows(run))
    for arm in arms:
        for index, run in enumerate(runs):
            found += [
                {"run": f"#{index + 1}", **row, **moved(row, base.get(arm), index)} for row in rows(run) if row["arm"] == arm
            ]
    same = len({run.manifest["environment"]["cpu"] for run in runs}) == 1
    columns: dict[str, console.Format] = {
        "arm": words, "run": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2), "final_loss": number(8),
        "moved": number(2), "metric": number(4), **({"step_us": fixed(1)} if same else {}), "ratio": fixed(2), "peak_mib": fixed(0),
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error",
        "floor_ratio": "x floor",
        "moved": "loss moved by",
        "metric": runs[0].metric_name,
    }
    console.table("Every arm in every run", found, columns, {**names, "ratio": f"/ {runs[0].base}", "peak_mib": "MiB peak"})
    result("Times of different machines are shown as ratios only." if not same else "Times are indicative.")


def rows(run: Run) -> list[dict[str, Any]]:
    """A run's summary."""
    found: list[dict[str, Any]] = run.summary.astype(object).to_dict("records")
    return found


def moved(row: dict[str, Any], base: dict[str, Any] | None, index: int) -> dict[str, Any]:
    """How far the final loss moved from the first run's."""
    if not index or base is None or not base["final_loss"] or not row["final_loss"]:
        return {}
    return {"moved": abs(row["final_loss"] - base["final_loss"]) / abs(base["final_loss"])}


def settings(runs: list[Run]) -> None:
    """What the runs are, and the settings in which they differ."""
    shown = ("experiment", "dtype", "device", "threads", "seed", "batch_size", "steps", "parameters", "weights")
    differing = [name for name in shown if len({str(run.manifest[name]) for run in runs}) > 1]
    found = [
        {"run": f"#{index + 1}", "id": run.manifest["id"], **{name: str(run.manifest[name]) for name in differing}}
        for index, run in enumerate(runs)
    ]
    console.table(
        "Runs, and the settings in which they differ", found, {"run": words, "id": words, **dict.fromkeys(differing, words)}
    )


def versions(runs: list[Run]) -> None:
    """Versions that are not the same in all runs."""
    known: dict[tuple[str, str], list[str]] = {}
    for index, run in enumerate(runs):
        for record in run.arms:
            for name, version in (record.facts.get("versions") or {}).items():
                known.setdefault((record.arm, name), [""] * len(runs))[index] = str(version)
    found = [
        {"arm": arm, "what": name, **{f"#{index + 1}": text for index, text in enumerate(texts)}}
        for (arm, name), texts in known.items()
        if len(set(filter(None, texts))) > 1
    ]
    if found:
        console.table("Versions that changed", found, dict.fromkeys(found[0], words))
