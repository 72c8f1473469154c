"""Where an arm goes wrong, and why: asked of the reference, which replays each node alone from the arm's own numbers
(harness.worker.diagnosis), at two steps where there are two, so that a cause that fits by chance at one of them falls away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..interface import Floor
from .trajectory import INFINITE, Step
from .words import AMPLIFIED, RIGHT, told

Located = dict[str, Any]


def wrong_steps(rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The first and the last step at which a tensor is no rounding; of probes only where no step of the training is wrong."""
    steps = differing(rows)
    found: list[Step] = [step for step in steps if not isinstance(step, str)] or steps
    return [found[0], *found[-1:]] if len(found) > 1 else found


def first_wrong_step(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The first step of the training at which a tensor is no rounding; None where there is none."""
    return next((step for step in differing(rows) if not isinstance(step, str)), None)


def differing(rows: Sequence[Mapping[str, Any]]) -> list[Step]:
    """All steps at which a tensor is no rounding, in order; without the probe of an infinity, which decides nothing."""
    found = dict.fromkeys(row["step"] for row in rows if row["verdict"] not in RIGHT)
    return [step for step in found if step != INFINITE]


def beside(rows: Sequence[Mapping[str, Any]], steps: Sequence[Step]) -> list[Step]:
    """The other steps at which a tensor is no rounding."""
    return [step for step in differing(rows) if step not in steps]


def witnessed(level: Mapping[str, Floor] | None, sizes: Mapping[str, float] | None) -> dict[str, dict[str, float]]:
    """What the other number format says of each tensor: its ceiling there, and the arm's error where it was run in it; empty where nothing
    is known."""
    if level is None:
        return {}
    found: dict[str, dict[str, float]] = {name: {"ceiling": both.ceiling} for name, both in level.items()}
    for name, size in (sizes or {}).items():
        found[name]["error"] = size
    return found


def tell(
    rows: Sequence[dict[str, Any]],
    dtype: str,
    witnesses: Mapping[Step, Mapping[str, Mapping[str, float]]],
    right: Sequence[Step] = (),
) -> None:
    """Say of every tensor that differs what its difference is. Where no witness was heard at its step, the one of the same tensor at
    another step counts. At steps where every node is `right` by itself, it is rounding that the step amplifies."""
    for row in rows:
        if row["verdict"] == "differs" and row["step"] in right:
            row["verdict"] = AMPLIFIED
        name = f"{row['kind']}/{row['tensor']}"
        heard = [witnesses[step].get(name) for step in (row["step"], *witnesses) if step in witnesses]
        witness = next((one for one in heard if one and (dtype == "float64" or "error" in one)), None)
        row["verdict"] = told(row, dtype, witness)


def joined(found: Mapping[Step, Sequence[Located]]) -> list[Located]:
    """What is wrong, node by node, from what was located at several steps: the first step at which a node is wrong, and the causes that
    explain it at all of them."""
    nodes: dict[tuple[str, ...], list[Located]] = {}
    for step, entries in found.items():
        for entry in entries:
            nodes.setdefault(tuple(entry["makers"]), []).append({"step": step, **entry})
    return [{**entries[0], "cause": common([entry["cause"] for entry in entries])} for entries in nodes.values()]


def common(causes: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The causes that fit everywhere; those of the first step where none does, with a word about it."""
    first = causes[0]
    if first is None:
        return None
    others = [{cause["text"], *cause["or"]} if cause else set() for cause in causes[1:]]
    texts = [text for text in (first["text"], *first["or"]) if all(text in other for other in others)]
    if not texts:
        return {**first, "only": "at the first step"}
    explains = min(cause["explains"] for cause in causes if cause)
    return {**first, "text": texts[0], "or": texts[1:], "explains": explains}
