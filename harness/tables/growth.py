"""How costs grow over a swept key, and where the fastest changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Crossing:
    """Between two neighbouring values another arm becomes the fastest.

    Attributes:
        before, behind: the fastest arm below and above.
        at: value of the swept key at which their times are equal, on straight lines between logarithms.
        between: the two values.
        proved: whether the ranking proves it on both sides.
    """

    before: str
    behind: str
    at: float
    between: tuple[float, float]
    proved: bool


def crossings(rows: Sequence[Row], key: str) -> list[Crossing]:
    """Where the fastest arm changes.

    Args:
        rows: of one line of the grid: `key`, `arm`, `step_us`, `tier`.
        key: the swept key, or `parameters`; numbers greater than 0.
    """
    times: dict[float, dict[str, Row]] = {}
    for row in rows:
        if known(row.get("step_us")) and isinstance(row[key], (int, float)) and row[key] > 0:
            times.setdefault(float(row[key]), {})[row["arm"]] = row
    values = sorted(times)
    found = []
    for low, high in itertools.pairwise(values):
        before, behind = fastest(times[low]), fastest(times[high])
        if before != behind and behind in times[low] and before in times[high]:
            found.append(crossing(before, behind, low, high, times))
    return found


def crossing(before: str, behind: str, low: float, high: float, times: Mapping[float, Mapping[str, Row]]) -> Crossing:
    """Where two arms cross between two values."""
    gaps = [math.log(times[value][behind]["step_us"] / times[value][before]["step_us"]) for value in (low, high)]
    share = gaps[0] / (gaps[0] - gaps[1]) if gaps[0] != gaps[1] else 0.5
    at = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    proved = ahead(times[low], before, behind) and ahead(times[high], behind, before)
    return Crossing(before, behind, at, (low, high), proved)


def ahead(cells: Mapping[str, Row], first: str, second: str) -> bool:
    """Whether one arm stands in an earlier tier than another."""
    tiers: list[Any] = [cells[name].get("tier") for name in (first, second)]
    return all(map(known, tiers)) and bool(tiers[0] < tiers[1])


def fastest(cells: Mapping[str, Row]) -> str:
    """The arm with the shortest step."""
    return min(cells, key=lambda name: float(cells[name]["step_us"]))


def known(value: Any) -> bool:
    """Whether there is a number."""
    return value is not None and value == value


def exponent(rows: Sequence[Row], key: str) -> float | None:
    """How an arm's step grows at the upper end: the slope between the two largest values, on logarithms; 1 is proportional."""
    found = sorted((float(row[key]), float(row["step_us"])) for row in rows if known(row.get("step_us")) and row[key] > 0)
    if len(found) < 2 or found[-1][0] == found[-2][0]:
        return None
    (x1, y1), (x2, y2) = found[-2:]
    return math.log(y2 / y1) / math.log(x2 / x1)
