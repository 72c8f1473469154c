"""Where an arm goes wrong, and why: asked of the reference, which replays each node alone from the arm's own numbers
(harness.worker.diagnosis), at two steps where there are two, so that a cause that fits by chance at one of them falls away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Located = dict[str, Any]


def wrong_steps(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The first and the last step at which a tensor is no rounding."""
    steps = sorted({row["step"] for row in rows if row["verdict"] in ("differs", "invalid")})
    return [steps[0], *steps[-1:]] if len(steps) > 1 else steps


def joined(found: Mapping[int, Sequence[Located]]) -> list[Located]:
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
