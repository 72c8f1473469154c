"""The versions of each framework side by side: what moved between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from ..records.record import Record
from ..registry import parse
from .run import Run

Row = dict[str, Any]


def versions_of(runs: Sequence[Run]) -> dict[str, list[Row]]:
    """Every arm without its environment of which there is more than one version: its rows, each held against the first.

    A row is: arm, run, version, verdict, gradient_error, floor_ratio, final_loss, parts_at (first step whose losses are not bitwise
    equal), loss_moved and parameters_moved (relative), ratio (to its run's base arm) and moved_ratio (against the first row's), of one
    machine alone step_us, time and memory (ratios); changed (what else is of another version).
    """
    families: dict[str, list[tuple[Run, Record]]] = {}
    for run in runs:
        for record in run.arms:
            families.setdefault(parse(record.arm).family, []).append((run, record))
    same_machine = len({(run.manifest.get("environment") or {}).get("cpu") for run in runs}) == 1
    return {
        family: [row(run, record, members[0], runs, same_machine) for run, record in members]
        for family, members in families.items()
        if len({(record.arm, str(record.facts.get("versions"))) for _, record in members}) > 1
    }


def row(run: Run, record: Record, first: tuple[Run, Record], runs: Sequence[Run], same_machine: bool) -> Row:
    """One version."""
    summary, base = run.summary_row(record), first[0].summary_row(first[1])
    found = {name: summary.get(name) for name in ("arm", "verdict", "gradient_error", "floor_ratio", "final_loss")}
    found["run"] = f"#{runs.index(run) + 1}" if len(runs) > 1 else ""
    found["version"], found["ratio"] = record.version, summary.get("ratio")
    found["fault"] = "; ".join(record.facts.get("faults") or ())
    if same_machine:
        found["step_us"] = summary.get("step_us")
    if record is first[1]:
        return found
    found["changed"] = ", ".join(changes(first[1], record))
    found |= {
        "parts_at": parts_at(first[1].losses, record.losses),
        "loss_moved": moved(base["final_loss"], summary["final_loss"]),
    }
    found["moved_ratio"] = ratio(summary.get("ratio"), base.get("ratio"))
    found["parameters_moved"] = parameters_moved(first[1].final, record.final)
    if same_machine:
        found |= {
            "time": ratio(summary.get("step_us"), base.get("step_us")),
            "memory": ratio(summary["peak_mib"], base["peak_mib"]),
        }
    return found


def changes(old: Record, new: Record) -> list[str]:
    """What is not of the same version, but for the framework itself: `jaxlib 0.10.1 -> 0.10.2`."""
    before, after = (record.facts.get("versions") or {} for record in (old, new))
    own = old.facts.get("backend")
    return [
        f"{name} {before[name]} -> {after[name]}"
        for name in before
        if name != own and name in after and before[name] != after[name]
    ]


def parts_at(old: Sequence[float], new: Sequence[float]) -> str:
    """The first step whose losses are not bitwise equal."""
    step = next((step for step, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    return "" if not new else "never" if step is None else f"step {step}"


def moved(old: float | None, new: float | None) -> float | None:
    """Relative distance of two numbers."""
    if old is None or new is None:
        return None
    return abs(new - old) / abs(old) if old else abs(new - old)


def parameters_moved(old: Path | None, new: Path | None) -> float | None:
    """Relative distance of two final states' parameters, all in one."""
    if old is None or new is None:
        return None
    with numpy.load(old, allow_pickle=False) as a, numpy.load(new, allow_pickle=False) as b:
        names = [name for name in a.files if name.startswith("parameters/")]
        if any(name not in b.files or a[name].shape != b[name].shape for name in names):
            return None
        left, right = (numpy.concatenate([state[name].ravel().astype(float) for name in names]) for state in (a, b))
    return float(numpy.linalg.norm(right - left) / (numpy.linalg.norm(left) or 1.0))


def ratio(new: float | None, old: float | None) -> float | None:
    """A quotient, where both are known."""
    return new / old if new and old else None
