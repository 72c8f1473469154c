"""Every committed number against the same number made anew: bitwise equal, within rounding, changed, or cannot run here.

Tolerances are measured in the new run. A norm of the forced pass may move by what rounding moves its tensor: the committed and the
new value both lie within LIMIT ceilings of the truth, so twice that between them; an error may be anything up to LIMIT
ceilings. A number of the free pass may move by as many
times what rounding alone has moved it so far: the widest gap between any agreeing arm of the new run and its reference.
Times are reported, never judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy
import pandas

from ..interface import LIMIT
from ..tables import Run
from .cells import KEYS

EQUAL, ROUNDING, CHANGED, ABSENT, REPORTED = "bitwise equal", "within rounding", "changed", "cannot run here", "reported only"
STATES = (EQUAL, ROUNDING, CHANGED, ABSENT, REPORTED)
APART = 2 * LIMIT


class Cell(NamedTuple):
    """One committed number and its verdict. `arm` is what it was made anew with; `allowed` is how far rounding may move it."""

    table: str
    where: str
    arm: str
    committed: float
    found: float
    allowed: float
    state: str


def judge(
    old: dict[str, pandas.DataFrame], new: dict[str, pandas.DataFrame], run: Run, heirs: Mapping[str, Sequence[str]]
) -> list[Cell]:
    """All cells of a reference.

    Args:
        old: the committed tables.
        new: the tables of the new run.
        run: the new run.
        heirs: committed arm -> the new run's arms that are held against it; itself where it is not named.
    """
    allowed = {"losses": free_gaps(run), "metrics": metric_gaps(run), "tensors": forced_gaps(run), "errors": error_gaps(run)}
    return [
        cell(name, key, arm, value, lookup(new[name], KEYS[name], key, arm), allowed.get(name, {}).get((*key, arm), 0.0))
        for name, table in old.items()
        for key, committed, value in cells(table, KEYS[name])
        for arm in heirs.get(committed, (committed,))
    ]


def cells(table: pandas.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], str, float]]:
    """Every number of a table: its key, its arm, its value; empty cells are none."""
    for row in table.to_dict("records"):
        for arm in table.columns:
            if arm not in keys and not (isinstance(row[arm], float) and math.isnan(row[arm])):
                yield tuple(row[key] for key in keys), str(arm), row[arm]


def lookup(table: pandas.DataFrame, keys: list[str], key: tuple[Any, ...], arm: str) -> float | None:
    """The same number in another table; None where it is not there."""
    if arm not in table.columns or table.empty:
        return None
    fitting = table
    for name, value in zip(keys, key, strict=True):
        fitting = fitting[fitting[name] == value]
    return float(fitting[arm].iloc[0]) if len(fitting) else None


def cell(table: str, key: tuple[Any, ...], arm: str, committed: Any, found: float | None, allowed: float) -> Cell:
    """The verdict on one number."""
    where = " ".join(str(part) for part in key)
    try:
        old = float(committed)
    except (TypeError, ValueError):
        return Cell(table, where, arm, math.nan, math.nan if found is None else found, allowed, CHANGED)
    if found is None or math.isnan(found):
        return Cell(table, where, arm, old, math.nan, allowed, ABSENT)
    if table == "timings":
        return Cell(table, where, arm, old, found, math.nan, REPORTED)
    state = EQUAL if old == found else ROUNDING if abs(old - found) <= allowed else CHANGED
    return Cell(table, where, arm, old, found, allowed, state)


def forced_gaps(run: Run) -> dict[tuple[Any, ...], float]:
    """How far each norm may move: (step, kind, tensor, arm) -> distance."""
    table = run.agreement
    return {
        (row.step, row.kind, row.tensor, row.arm): APART * row.ceiling * max(row.reference, row.norm)
        for row in table.itertuples(index=False)
    }


def error_gaps(run: Run) -> dict[tuple[Any, ...], float]:
    """How far each gradient's error, and the floor, may move: (step, tensor, arm) -> distance."""
    found = {(row.step, row.tensor, row.arm): LIMIT * row.ceiling for row in run.gradients.itertuples(index=False)}
    first = run.arms[0].arm
    return {**found, **{(step, tensor, "floor"): reach for (step, tensor, arm), reach in found.items() if arm == first}}


def free_gaps(run: Run) -> dict[tuple[Any, ...], float]:
    """How far each loss may move: (step, arm) -> distance; the widest gap so far of any agreeing arm."""
    table = run.losses
    honest = [record.arm for record in run.arms if record.facts.get("verdict") == "agrees"]
    distance = (table["loss"] - table["reference"]).abs()[table["arm"].isin(honest)]
    own = rounding(run) * table["reference"].abs().groupby(table["step"]).max()
    widest = distance.groupby(table["step"]).max().reindex(own.index).fillna(0.0)
    reach = APART * numpy.maximum(widest.cummax(), own)
    return {(row.step, row.arm): float(reach[row.step]) for row in table.itertuples(index=False)}


def metric_gaps(run: Run) -> dict[tuple[Any, ...], float]:
    """How far each metric may move: (step, split, metric, arm) -> distance; the widest spread so far between arms and reference."""
    table = run.metrics
    keys = ["step", "split", "metric"]
    spread = table.groupby(keys)["value"].agg(lambda values: values.max() - values.min())
    widest = spread.groupby(level=["split", "metric"]).cummax()
    own = rounding(run)
    return {
        (row.step, row.split, row.metric, row.arm): APART
        * max(float(widest[row.step, row.split, row.metric]), own * abs(row.value))
        for row in table.itertuples(index=False)
    }


def rounding(run: Run) -> float:
    """Unit roundoff of the arms' numbers."""
    return float(numpy.finfo(run.manifest["dtype"]).eps) / 2
