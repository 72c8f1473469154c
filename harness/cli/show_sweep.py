"""A sweep on the screen: a table of steps, who is the fastest where, and what was not timed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..execution.sweep import Sweep
from ..tables.growth import Crossing, crossings, exponent, known
from . import console
from .console import fixed, number, result, words


def show_sweep(found: Sweep, as_json: bool) -> None:
    """Everything about one sweep."""
    rows: list[dict[str, Any]] = found.cells.astype(object).to_dict("records")
    if as_json:
        console.document({"schema": "harness.sweep/1", "manifest": found.manifest, "exit_code": found.exit_code, "cells": rows})
        return
    facts = found.manifest
    result(f"{facts['experiment']}: {facts['description']}" if facts["description"] else facts["experiment"])
    result(f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}")
    result()
    steps(found, rows)
    for line in [*said(found, rows), *troubles(found, rows)]:
        result(line)


def steps(found: Sweep, rows: list[dict[str, Any]]) -> None:
    """A line for each program, a column for each arm."""
    programs: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        cell = programs.setdefault(tuple(row[key] for key in found.keys), {**{key: row[key] for key in found.keys}})
        cell["parameters"], cell[row["arm"]] = row["parameters"], row["step_us"] if known(row["step_us"]) else row["status"]
    for cell in programs.values():
        times = {arm: cell[arm] for arm in found.manifest["arms"] if isinstance(cell.get(arm), float)}
        cell["fastest"] = min(times, key=lambda arm: times[arm]) if len(times) > 1 else ""
    columns: dict[str, console.Format] = {
        **dict.fromkeys(found.keys, value), "parameters": count, **dict.fromkeys(found.manifest["arms"], micro), "fastest": words,
    }  # fmt: skip
    ranks = found.manifest["timing"]["preset"] != "smoke"
    heads = {name: name for name in (*found.keys, *found.manifest["arms"])}
    console.table(f"Training step, microseconds{'' if ranks else ' (indicative)'}", list(programs.values()), columns, heads)


def value(found: Any) -> str:
    """A swept value."""
    return f"{found:g}" if isinstance(found, float) else str(found)


def count(found: Any) -> str:
    """A whole number."""
    return f"{found:,}"


def micro(found: Any) -> str:
    """Microseconds, or why there are none."""
    return fixed(1)(found) if isinstance(found, float) else words(found)


def said(found: Sweep, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Where the fastest changes, and how each arm grows, along every key that has numbers."""
    for key in found.keys:
        for line, label in lines(found, rows, key):
            for each in crossings(line, key):
                yield crossed(each, key, label)
            growths = {arm: exponent([row for row in line if row["arm"] == arm], key) for arm in found.manifest["arms"]}
            shown = ", ".join(f"{arm} {number(2)(growth)}" for arm, growth in growths.items() if growth is not None)
            if shown:
                yield f"{label}Steps grow at the upper end with a power of {key}: {shown}."


def lines(found: Sweep, rows: list[dict[str, Any]], key: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """The grid's lines along a key: the rows in which all other keys are the same."""
    if not all(isinstance(row[key], (int, float)) for row in rows):
        return
    others = [other for other in found.keys if other != key]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[other] for other in others), []).append(row)
    for values, line in groups.items():
        yield line, "".join(f"{other}={value(one)}: " for other, one in zip(others, values, strict=True))


def crossed(each: Crossing, key: str, label: str) -> str:
    """A crossover in words."""
    sure = "" if each.proved else " (indicative)"
    between = f"between {each.between[0]:g} and {each.between[1]:g}"
    return f"{label}{each.before} is fastest below {key} = {each.at:.3g}, {each.behind} above ({between}){sure}."


def troubles(found: Sweep, rows: list[dict[str, Any]]) -> Iterator[str]:
    """What was not timed, and why, each reason once."""
    reasons: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row["status"] != "ok":
            place = row["arm"], row["status"], row["reason"]
            reasons[place] = reasons.get(place, 0) + 1
    for (arm, status, reason), times in reasons.items():
        yield f"{arm}: {status} in {times} of {len(rows) // len(found.manifest['arms'])} programs: {reason}"
