"""An arm held against the reference: one row a tensor, and what all rows say together. Errors and floors:
harness.interface.rounding."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..interface import KINDS, LIMIT, Arrays, Floor, errors, norm
from .trajectory import INFINITE, Step
from .words import RIGHT, word


def compare(step: Step, tensors: Arrays, reference: Arrays, floor: Mapping[str, Floor]) -> list[dict[str, Any]]:
    """One row a tensor: kind, tensor, norm, error, floor, ratio, ceiling, verdict."""
    found = errors(tensors, reference)
    rows = []
    for name, wanted in reference.items():
        kind, _, tensor = name.partition("/")
        if step == INFINITE and kind != "loss":
            continue
        low, high = floor[name]
        rows.append({
            "step": step, "kind": kind, "tensor": tensor, "norm": norm(tensors.get(name, 0.0)), "reference": norm(wanted),
            "error": found[name], "floor": low, "ceiling": high,
            "ratio": found[name] / low if low else (0.0 if found[name] == 0 else float("inf")),
            "verdict": word(found[name], low, high),
        })  # fmt: skip
    return rows


def conclusion(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all rows of an arm say together: the verdict, how many tensors have which word, the largest ratio, the first tensor that
    differs, and what would have been seen."""
    order = {kind: index for index, kind in enumerate(KINDS)}
    told = ("step", "kind", "tensor", "error", "floor", "ratio", "ceiling", "verdict")
    judged = [row for row in rows if row["step"] != INFINITE]
    bad = [row for row in judged if row["verdict"] not in RIGHT]
    trained = [row for row in rows if not isinstance(row["step"], str)]
    begin = min((row["step"] for row in bad if not isinstance(row["step"], str)), default=bad[0]["step"] if bad else None)
    first = min((row for row in bad if row["step"] == begin), key=lambda row: order[row["kind"]], default=None)
    return {
        "verdict": "agrees" if not bad else "undecided" if {row["verdict"] for row in bad} == {"undecided"} else "differs",
        "words": dict(Counter(row["verdict"] for row in judged)),
        "first": None if first is None else {key: first[key] for key in told},
        "seen_from": seen_from(trained),
        "largest_ratio": max((row["ratio"] for row in trained), default=0.0),
        "probes": list(dict.fromkeys(row["step"] for row in judged if isinstance(row["step"], str))),
        "differs_at_infinity": any(row["verdict"] not in RIGHT for row in rows if row["step"] == INFINITE),
    }


def seen_from(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By parameter, the smallest relative error of its gradient that is no rounding, at the forced step where that is smallest."""
    found: dict[str, float] = {}
    for row in rows:
        if row["kind"] == "gradients":
            found[row["tensor"]] = min(LIMIT * row["ceiling"], found.get(row["tensor"], math.inf))
    return found
