"""What moved between the versions of a framework, in every form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UsageError
from ..report.comment import comment
from ..report.formats import Format, fixed, number, words
from ..report.parts import Section, Text, table
from ..tables import Run
from ..tables.versions import versions_of
from .answer import Answer
from .show_runs import honest

COLUMNS: dict[str, Format] = {
    "arm": words, "run": words, "version": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2),
    "final_loss": number(8), "parts_at": words, "loss_moved": number(2), "parameters_moved": number(2), "step_us": fixed(1),
    "time": fixed(2), "ratio": fixed(2), "moved_ratio": fixed(2), "memory": fixed(2), "changed": words, "fault": words,
}  # fmt: skip
NAMES = {
    "gradient_error": "largest gradient error", "floor_ratio": "x floor", "parts_at": "losses part at", "loss_moved": "loss moved by",
    "parameters_moved": "parameters moved by", "time": "time x", "memory": "memory x", "ratio": "/ base arm", "moved_ratio": "that x",
    "changed": "what else changed",
}  # fmt: skip
MEANING = "Moved by: relative distance from the first row; 0 is bitwise equal."


def answer(runs: Sequence[Run]) -> Answer:
    """Every framework of which there are two versions."""
    found = versions_of(list(runs))

    def sections() -> list[Section]:
        return list(told(runs, found))

    def tables() -> dict[str, list[dict[str, Any]]]:
        needed(found)
        return {"versions": [{"family": family, **row} for family, rows in found.items() for row in rows]}

    def as_comment() -> str:
        whole = sections()
        return comment("versions", verdict(found), [part for each in whole if each.title for part in each.parts], [])

    return Answer(sections, lambda: {"schema": "harness.versions/1", "families": found}, tables, as_comment)


def needed(found: dict[str, list[dict[str, Any]]]) -> None:
    """Ask for two versions.

    Raises:
        UsageError: there are none.
    """
    if not found:
        raise UsageError(
            "there is no framework of which there are two versions", "run one, e.g. --arm jax --arm jax@0.10.2, or name two runs"
        )


def told(runs: Sequence[Run], found: dict[str, list[dict[str, Any]]]) -> Iterator[Section]:
    """For people."""
    needed(found)
    yield Section("verdict", "", [Text([verdict(found), MEANING, honest(runs)])])
    for family, rows in found.items():
        title = f"{family}: what moved from {rows[0]['version'] or rows[0]['arm']}"
        yield Section(family, title, [table(rows, COLUMNS, NAMES)])


def verdict(found: dict[str, list[dict[str, Any]]]) -> str:
    """All of it in a sentence."""
    lines = []
    for family, rows in found.items():
        moved = [row for row in rows[1:] if row.get("loss_moved") or row.get("parameters_moved")]
        turned = [row for row in rows[1:] if row["verdict"] != rows[0]["verdict"]]
        others = f", {len(turned)} with another verdict" if turned else ""
        lines.append(f"{family}: {len(moved)} of {len(rows) - 1} versions moved numbers{others}.")
    return " ".join(lines)
