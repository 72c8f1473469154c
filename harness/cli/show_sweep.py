"""A sweep on the screen: a table of steps, who is the fastest where, and what was not timed."""

from __future__ import annotations

from typing import Any

from ..report.crossovers import programs, said, troubles, value
from ..report.formats import Format, fixed, words
from ..tables.sweep import Sweep
from . import console
from .console import result


def show_sweep(found: Sweep, as_json: bool) -> None:
    """Everything about one sweep."""
    if as_json:
        console.document({"schema": "harness.sweep/1", "manifest": found.manifest, "exit_code": found.exit_code, "cells": found.rows})
        return
    facts = found.manifest
    result(f"{facts['experiment']}: {facts['description']}" if facts["description"] else facts["experiment"])
    result(f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}")
    result()
    steps(found)
    for line in [*said(found), *troubles(found)]:
        result(line)


def steps(found: Sweep) -> None:
    """A line for each program, a column for each arm."""
    columns: dict[str, Format] = {
        **dict.fromkeys(found.keys, value), "parameters": count, **dict.fromkeys(found.manifest["arms"], micro), "fastest": words,
    }  # fmt: skip
    ranks = found.manifest["timing"]["preset"] != "smoke"
    heads = {name: name for name in (*found.keys, *found.manifest["arms"])}
    console.table(f"Training step, microseconds{'' if ranks else ' (indicative)'}", programs(found), columns, heads)



def count(found: Any) -> str:
    """A whole number."""
    return f"{found:,}"


def micro(found: Any) -> str:
    """Microseconds, or why there are none."""
    return fixed(1)(found) if isinstance(found, float) else words(found)



