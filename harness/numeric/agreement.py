"""An arm held against the reference: one row a tensor, and what all rows say together. Errors and floors:
harness.interface.rounding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..interface import Arrays, Floor, errors, norm
from .words import RIGHT, word

KINDS = ("outputs", "loss", "output_gradients", "gradients", "statistics", "updates", "slots")


def compare(step: int, tensors: Arrays, reference: Arrays, floor: Mapping[str, Floor]) -> list[dict[str, Any]]:
    """One row a tensor: kind, tensor, norm, error, floor, ratio, ceiling, verdict."""
    found = errors(tensors, reference)
    rows = []
    for name, wanted in reference.items():
        kind, _, tensor = name.partition("/")
        low, high = floor[name]
        rows.append({
            "step": step, "kind": kind, "tensor": tensor, "norm": norm(tensors.get(name, 0.0)), "reference": norm(wanted),
            "error": found[name], "floor": low, "ceiling": high,
            "ratio": found[name] / low if low else (0.0 if found[name] == 0 else float("inf")),
            "verdict": word(found[name], low, high),
        })  # fmt: skip
    return rows


def conclusion(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all rows of an arm say together: the verdict, how many tensors have which word, the largest ratio, and the first tensor that
    differs."""
    order = {kind: index for index, kind in enumerate(KINDS)}
    bad = [row for row in rows if row["verdict"] not in RIGHT]
    first = min(bad, key=lambda row: (row["step"], order[row["kind"]]), default=None)
    return {
        "verdict": "agrees" if not bad else "undecided" if {row["verdict"] for row in bad} == {"undecided"} else "differs",
        "words": dict(Counter(row["verdict"] for row in rows)),
        "first": None if first is None else {key: first[key] for key in ("step", "kind", "tensor", "error", "floor", "ratio", "verdict")},
        "largest_ratio": max((row["ratio"] for row in rows), default=0.0),
    }
