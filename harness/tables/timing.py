"""From raw blocks to what is printed of times: medians with their range over epochs, rankings, the control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy

from .ranking import Ranking, rank

Rows = Sequence[Mapping[str, Any]]


def of_work(rows: Rows, work: str, variant: str, twin: bool = False) -> list[Mapping[str, Any]]:
    """The blocks of one work. Runs of earlier versions know training steps alone."""
    return [
        row for row in rows
        if row.get("work", "step") == work and row["variant"] == variant and bool(row.get("twin", False)) == twin
    ]  # fmt: skip


def void(row: Mapping[str, Any]) -> bool:
    """Whether a block does not count: something was compiled in it, or read from the disk, or an arm failed in its epoch."""
    return bool(row.get("compilations") or row.get("major_faults") or row.get("spoilt"))


def logs(rows: Rows, statistic: Any = numpy.median) -> dict[str, Any]:
    """Arm -> log seconds of a step, `(epochs, rounds)`: the mean of its two visits. A round in which a block of any arm is void, or is
    missing, is NaN for all."""
    if not rows:
        return {}
    epochs, rounds = (1 + max(row.get(name, 0) for row in rows) for name in ("epoch", "round"))
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    sums, counts = {arm: numpy.zeros((epochs, rounds)) for arm in arms}, {arm: numpy.zeros((epochs, rounds)) for arm in arms}
    bad = numpy.zeros((epochs, rounds), bool)
    for row in rows:
        place = row.get("epoch", 0), row["round"]
        bad[place] |= void(row)
        sums[row["arm"]][place] += numpy.log(max(statistic(row["ns"]), 1) / 1e9)
        counts[row["arm"]][place] += 1
    with numpy.errstate(all="ignore"):
        found = {arm: sums[arm] / counts[arm] for arm in arms}
    missing = bad | ~numpy.isfinite(sum(found.values(), numpy.zeros((epochs, rounds))))
    return {arm: numpy.where(missing, numpy.nan, values) for arm, values in found.items()}


def ranking(rows: Rows, work: str, variant: str, target: float, restless: Iterable[str] = ()) -> Ranking | None:
    """Who is faster at a work; None where there are no two arms.

    Args:
        rows: blocks of all arms, each with its `arm`.
        work, variant: which.
        target: see harness.tables.ranking.rank.
        restless: arms that reached no steady state.
    """
    own, twins = of_work(rows, work, variant), of_work(rows, work, variant, twin=True)
    if len({row["arm"] for row in own}) < 2:
        return None
    renamed = [{**row, "arm": AGAIN} for row in twins]
    series, means = logs([*own, *renamed]), logs([*own, *renamed], numpy.mean)
    again = series.pop(AGAIN, None)
    twin = {str(twins[0]["arm"]): again} if twins and again is not None else None
    return rank(series, target, twin=twin, means=means, loud=loudness(own), restless=restless)


#: what the second process of the control is called among the arms
AGAIN = "again"


def loudness(rows: Rows) -> Any:
    """How long somebody waited for a CPU in each round, in shares of its time, `(epochs, rounds)`; None where the system does not tell."""
    if not rows or any(row.get("pressure") is None for row in rows):
        return None
    epochs, rounds = (1 + max(row.get(name, 0) for row in rows) for name in ("epoch", "round"))
    waited, wall = numpy.zeros((epochs, rounds)), numpy.zeros((epochs, rounds))
    for row in rows:
        waited[row.get("epoch", 0), row["round"]] += row["pressure"] * 1e3
        wall[row.get("epoch", 0), row["round"]] += row["wall"]
    with numpy.errstate(all="ignore"):
        return waited / wall


def medians(rows: Rows) -> dict[str, list[float]]:
    """Arm -> by epoch the median over its blocks of their median step, seconds."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if not void(row):
            found.setdefault(row["arm"], {}).setdefault(row.get("epoch", 0), []).append(float(numpy.median(row["ns"])) / 1e9)
    return {arm: [float(numpy.median(values)) for values in epochs.values()] for arm, epochs in found.items()}


def late(rows: Rows) -> dict[str, float]:
    """Arm -> 95th percentile of its steps: the median over epochs, seconds. Descriptive: on a shared machine it tells of the neighbours."""
    found: dict[str, dict[int, list[Any]]] = {}
    for row in rows:
        if not void(row):
            found.setdefault(row["arm"], {}).setdefault(row.get("epoch", 0), []).append(row["ns"])
    return {
        arm: float(numpy.median([numpy.percentile(numpy.concatenate(blocks), 95) for blocks in epochs.values()])) / 1e9
        for arm, epochs in found.items()
    }
