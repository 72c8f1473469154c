"""Committed references that were run again, in every form: what holds, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..report.comment import comment
from ..report.formats import number, words
from ..report.parts import Section, Table, Text, table
from ..reproduction.judge import REPORTED, STATES
from ..reproduction.reproduce import Reproduction
from .answer import Answer

#: changed numbers that are shown to people
SHOWN = 20


def answer(found: Sequence[Reproduction], wanted: int) -> Answer:
    """All references.

    Args:
        found: those that were run.
        wanted: how many were asked for; after an interrupt there are fewer.
    """
    return Answer(
        lambda: [section for each in found for section in sections(each)],
        lambda: {"schema": "harness.reproduce/1", "verdict": verdict(found, wanted), "references": [as_document(each) for each in found]},
        lambda: tables(found),
        lambda: as_comment(found, wanted),
    )


def verdict(found: Sequence[Reproduction], wanted: int) -> str:
    """All of it in a sentence."""
    return f"{sum(each.exit_code == 0 for each in found)} of {wanted} references hold."


def as_document(found: Reproduction) -> dict[str, object]:
    """One reference as JSON."""
    return {
        "reference": found.reference.name, "verdict": found.verdict, "versions": dict(found.versions), "edited": found.reference.edited,
        "start": list(found.start), "cells": [cell._asdict() for cell in found.cells],
    }  # fmt: skip


def tables(found: Sequence[Reproduction]) -> dict[str, list[dict[str, Any]]]:
    """Every number with its verdict; a row a reference."""
    return {
        "cells": [{"reference": each.reference.name, **cell._asdict()} for each in found for cell in each.cells],
        "references": [
            {"reference": each.reference.name, "verdict": each.verdict, **dict(sum_of(each)), "exit_code": each.exit_code} for each in found
        ],
    }


def sum_of(found: Reproduction) -> Iterator[tuple[str, int]]:
    """How many numbers are in which state."""
    for state in STATES:
        yield state, sum(count[state] for count in found.counts.values())


def sections(found: Reproduction) -> Iterator[Section]:
    """One reference for people, its verdict first."""
    rows = [{"table": name, **{state: count[state] or None for state in STATES}} for name, count in found.counts.items() if count]
    counted = table(rows, {"table": words, **dict.fromkeys(STATES, number(6))})
    yield Section(found.reference.name, "", [Text(list(head(found))), counted])
    yield Section(f"{found.reference.name}-changed", "Changed", [changed(found), Text([more(found)]) if more(found) else None])
    timed = [cell._asdict() for cell in found.cells if cell.state == REPORTED]
    ratios = table(timed, {"where": words, "arm": words, "committed": number(4), "found": number(4)})
    yield Section(f"{found.reference.name}-ratios", "Ratios, reported only", [ratios])


def changed(found: Reproduction) -> Table | None:
    """The first of the numbers that changed."""
    rows = [{**cell._asdict(), "version": found.versions.get(cell.arm, "")} for cell in found.changed[:SHOWN]]
    columns = {
        "table": words, "where": words, "arm": words, "committed": number(9), "found": number(9), "allowed": number(2), "version": words,
    }  # fmt: skip
    return table(rows, columns)


def more(found: Reproduction) -> str:
    """What is not shown of what changed."""
    return f"... and {len(found.changed) - SHOWN} more; --format csv has all" if len(found.changed) > SHOWN else ""


def head(found: Reproduction) -> Iterator[str]:
    """The verdict, and what else has to be known before any number."""
    yield f"{found.reference.name}: {found.verdict}"
    for arm, changes in found.versions.items():
        states = found.states(arm)
        counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        yield f"  version changed: {arm}: {changes}: {counts}"
    for arm, text in found.run.faults:
        yield f"  known fault: {arm}: {text}"
    for name in found.reference.edited:
        yield f"  edited since it was written: {name}"
    for name in found.start:
        yield f"  other {name} than committed: everything after is noise"
    if found.elsewhere:
        yield f"  not created here: python -m harness env create {' '.join(found.elsewhere)}"
    for record in found.run.arms:
        if record.status not in ("ok", "unsupported") and record.arm not in found.elsewhere:
            yield f"  {record.arm}: {record.status}: {record.reason}"


def as_comment(found: Sequence[Reproduction], wanted: int) -> str:
    """A comment for a pull request: the references that do not hold, and those that do, folded."""
    other = [each for each in found if each.exit_code]
    shown = [part for each in other for part in (Text(list(head(each))), changed(each), Text([more(each)]) if more(each) else None)]
    folded = [Section(each.reference.name, f"{each.reference.name}: {each.verdict}", next(sections(each)).parts) for each in found]
    return comment("reproduce", verdict(found, wanted), shown, folded)
