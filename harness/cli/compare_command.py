"""`harness compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..report.formats import Format, fixed, number, words
from . import console, options
from .console import result

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
    columns: dict[str, Format] = {
        "arm": words, "run": words, "version": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2),
        "final_loss": number(8), "parts_at": words, "loss_moved": number(2), "parameters_moved": number(2), "step_us": fixed(1),
        "time": fixed(2), "ratio": fixed(2), "moved_ratio": fixed(2), "memory": fixed(2), "changed": words, "fault": words,
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error", "floor_ratio": "x floor", "parts_at": "losses part at",
        "loss_moved": "loss moved by", "parameters_moved": "parameters moved by", "time": "time x", "memory": "memory x",
        "ratio": "/ base arm", "moved_ratio": "that x",
        "changed": "what else changed",
    }  # fmt: skip
    for family, rows in found.items():
        console.table(f"{family}: what moved from {rows[0]['version'] or rows[0]['arm']}", rows, columns, names)
    result("Moved by: relative distance from the first row; 0 is bitwise equal.")
    result(honest(runs))


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
    same = one_machine(runs)
    columns: dict[str, Format] = {
        "arm": words, "run": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2), "final_loss": number(8),
        "moved": number(2), "metric": number(4), **({"step_us": fixed(1)} if same else {}), "ratio": fixed(2),
        "interval": words, "speed": words, "peak_mib": fixed(0),
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error",
        "floor_ratio": "x floor",
        "moved": "loss moved by",
        "metric": runs[0].metric_name,
    }
    names |= {"ratio": base_of(runs), "interval": "95 % interval", "peak_mib": "MiB peak"}
    console.table("Every arm in every run", found, columns, names)
    result(honest(runs))


def one_machine(runs: list[Run]) -> bool:
    """Whether all runs are of one processor."""
    return len({(run.manifest.get("environment") or {}).get("cpu") for run in runs}) == 1


def base_of(runs: list[Run]) -> str:
    """What ratios are taken to."""
    return f"/ {', '.join(dict.fromkeys(run.base for run in runs if run.base))}"


def honest(runs: list[Run]) -> str:
    """What may be compared of times."""
    ranked = all((run.costs.session.get("preset") or "smoke") != "smoke" for run in runs)
    text = "" if ranked else " Times of a smoke run are indicative."
    if one_machine(runs):
        return f"Runs of different hours: seconds may differ by what else the machine did; ratios are of one run each.{text}"
    return f"Times of different machines are compared as ratios to the base arm of each run only.{text}"


def rows(run: Run) -> list[dict[str, Any]]:
    """A run's summary, with what is proved of its times."""
    from .show_costs import interval

    found: list[dict[str, Any]] = run.summary.astype(object).to_dict("records")
    costs = {row["arm"]: row for row in run.timings.drop_duplicates("arm").astype(object).to_dict("records")}
    for row in found:
        own = costs.get(row["arm"])
        row.update({"interval": interval(own), "speed": own["verdict"]} if own else {})
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
        {"run": f"#{index + 1}", "id": run.manifest["id"], **{name: str(run.manifest[name]) for name in differing}, **machine(run)}
        for index, run in enumerate(runs)
    ]
    if one_machine(runs):
        found = [{**row, "machine": ""} for row in found]
    columns: dict[str, Format] = {"run": words, "id": words, "day": words, "timing": words, "machine": words}
    console.table("Runs, and the settings in which they differ", found, {**columns, **dict.fromkeys(differing, words)})


def machine(run: Run) -> dict[str, str]:
    """Day, protocol and machine of a run."""
    facts = run.manifest
    cpu = (facts.get("environment") or {}).get("cpu") or ""
    return {"day": str(facts["started"])[:10], "timing": str(run.costs.session.get("preset") or ""), "machine": cpu}


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
