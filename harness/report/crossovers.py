"""What a sweep found, in sentences, and its table. The terminal and the report say the same words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..tables.growth import Crossing, crossings, exponent, known
from ..tables.sweep import Sweep
from .formats import number


def programs(found: Sweep) -> list[dict[str, Any]]:
    """A row for each program: the swept keys, `parameters`, of each arm the microseconds of its step or why there are none, `fastest`."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in found.rows:
        cell = rows.setdefault(tuple(row[key] for key in found.keys), {**{key: row[key] for key in found.keys}})
        cell["parameters"], cell[row["arm"]] = row["parameters"], row["step_us"] if known(row["step_us"]) else row["status"]
    for cell in rows.values():
        times = {arm: cell[arm] for arm in found.manifest["arms"] if isinstance(cell.get(arm), float)}
        cell["fastest"] = min(times, key=lambda arm: times[arm]) if len(times) > 1 else ""
    return list(rows.values())


def said(found: Sweep) -> Iterator[str]:
    """Where the fastest changes, and how each arm grows, along every key that has numbers."""
    for key in found.keys:
        for line, label in lines(found, key):
            for each in crossings(line, key):
                yield crossed(each, key, label)
            growths = {arm: exponent([row for row in line if row["arm"] == arm], key) for arm in found.manifest["arms"]}
            shown = ", ".join(f"{arm} {number(2)(growth)}" for arm, growth in growths.items() if growth is not None)
            if shown:
                yield f"{label}Steps grow at the upper end with a power of {key}: {shown}."


def lines(found: Sweep, key: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """The grid's lines along a key: the rows in which all other keys are the same."""
    if not all(isinstance(row[key], (int, float)) for row in found.rows):
        return
    others = [other for other in found.keys if other != key]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in found.rows:
        groups.setdefault(tuple(row[other] for other in others), []).append(row)
    for values, line in groups.items():
        yield line, "".join(f"{other}={value(one)}: " for other, one in zip(others, values, strict=True))


def crossed(each: Crossing, key: str, label: str) -> str:
    """A crossover in words."""
    sure = "" if each.proved else " (indicative)"
    between = f"between {each.between[0]:g} and {each.between[1]:g}"
    return f"{label}{each.before} is fastest below {key} = {each.at:.3g}, {each.behind} above ({between}){sure}."


def troubles(found: Sweep) -> Iterator[str]:
    """What was not timed, and why, each reason once."""
    reasons: dict[tuple[str, str, str], int] = {}
    for row in found.rows:
        if row["status"] != "ok":
            place = row["arm"], row["status"], row["reason"]
            reasons[place] = reasons.get(place, 0) + 1
    for (arm, status, reason), times in reasons.items():
        yield f"{arm}: {status} in {times} of {len(found.rows) // len(found.manifest['arms'])} programs: {reason}"


def value(found: Any) -> str:
    """A swept value."""
    return f"{found:g}" if isinstance(found, float) else str(found)
