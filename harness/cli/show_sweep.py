"""A sweep in every form: a table of steps, who is the fastest where, and what was not timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..report.comment import comment
from ..report.crossovers import programs, said, troubles, value
from ..report.formats import Format, fixed, words
from ..report.parts import Section, Table, Text, table
from ..tables.sweep import Sweep
from .answer import Answer


def answer(found: Sweep) -> Answer:
    """Everything about one sweep."""
    document = {"schema": "harness.sweep/1", "manifest": found.manifest, "exit_code": found.exit_code, "cells": found.rows}
    return Answer(lambda: list(sections(found)), lambda: document, lambda: {"cells": found.rows}, lambda: as_comment(found))


def sections(found: Sweep) -> Iterator[Section]:
    """For people."""
    lines = [*said(found), *troubles(found)]
    yield Section("verdict", "", [Text(head(found)), Text(lines) if lines else None])
    yield Section("cells", title(found), [steps(found)])


def head(found: Sweep) -> list[str]:
    """What was run."""
    facts = found.manifest
    return [
        f"{facts['experiment']}: {facts['description']}" if facts["description"] else facts["experiment"],
        f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}",
    ]


def title(found: Sweep) -> str:
    """What the table is."""
    return f"Training step, microseconds{' (indicative)' if found.manifest['timing']['preset'] == 'smoke' else ''}"


def steps(found: Sweep) -> Table | None:
    """A line for each program, a column for each arm."""
    columns: dict[str, Format] = {
        **dict.fromkeys(found.keys, value), "parameters": count, **dict.fromkeys(found.manifest["arms"], micro), "fastest": words,
    }  # fmt: skip
    return table(programs(found), columns, {name: name for name in (*found.keys, *found.manifest["arms"])})


def count(found: Any) -> str:
    """A whole number."""
    return f"{found:,}"


def micro(found: Any) -> str:
    """Microseconds, or why there are none."""
    return fixed(1)(found) if isinstance(found, float) else words(found)


def as_comment(found: Sweep) -> str:
    """A comment for a pull request."""
    lines, wrong = list(said(found)), list(troubles(found))
    verdict = lines[0] if lines else "No arm overtakes another."
    shown = [Text([*lines[1:], *wrong])] if lines[1:] or wrong else []
    name = f"{found.manifest['experiment']}, {', '.join(found.keys)}"
    return comment(name, verdict, shown, [Section("cells", title(found), [steps(found)])])
