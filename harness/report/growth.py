"""How the step of each arm grows over a swept key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from ..tables.growth import crossings
from ..tables.sweep import Sweep
from .curves import WIDTH, arms_of
from .drawing import chosen, hue


def growth(cells: pandas.DataFrame, key: str, others: Sequence[str]) -> Any:
    """A chart: microseconds of a step over the key, both in logarithms, a line an arm, and where the fastest changes; side by side for
    every value of the other keys.

    Args:
        cells: of a sweep.
        key: the swept key along the axis, of numbers greater than 0.
        others: the other swept keys.
    """
    import altair

    table = cells[["arm", key, "step_us"]].rename(columns={key: "value"})
    table["where"] = ["; ".join(f"{other} = {row[other]}" for other in others) for _, row in cells.iterrows()]
    table = table.dropna(subset=["step_us"])
    scale = altair.Scale(type="log", nice=False, padding=12)
    across = altair.X("value:Q", title=key, scale=scale, axis=altair.Axis(grid=False))
    base = altair.Chart().encode(across)
    tips = ["arm:N", altair.Tooltip("value:Q", title=key), altair.Tooltip("step_us:Q", format=".4g")]
    up = altair.Y("step_us:Q", title="training step, microseconds", scale=scale)
    lines = chosen(base).transform_filter("!datum.crossing").mark_line(point=True).encode(up, *hue(arms_of(table)), tooltip=tips)
    crossed = base.transform_filter("datum.crossing")
    at = altair.Tooltip("value:Q", title=key, format=".3g")
    rules = crossed.mark_rule(strokeDash=[2, 3], strokeWidth=1).encode(tooltip=["crossing:N", at])
    labels = crossed.mark_text(align="left", dx=4, y=10).encode(text="crossing:N")
    chart = (lines + rules + labels).properties(width=360 if others else WIDTH, height=280)
    places = pandas.DataFrame(crossovers(table), columns=["where", "value", "crossing"])
    data = pandas.concat([table.assign(crossing=""), places], ignore_index=True)
    return chart.facet(altair.Facet("where:N", title=None), data=data, columns=2) if others else chart.properties(data=data)


def crossovers(table: pandas.DataFrame) -> list[tuple[str, float, str]]:
    """Where the fastest changes, in every part of a chart: the part, the key's value, from whom to whom."""
    found = []
    for where, each in table.assign(tier=None).groupby("where", sort=False):
        for one in crossings(each.astype(object).to_dict("records"), "value"):
            found.append((str(where), one.at, f"{one.before} → {one.behind}"))
    return found


def of_sweep(found: Sweep) -> Any:
    """The chart of a sweep over the first key that has numbers; None where it has none, or nothing was timed."""
    keys = [key for key, values in found.manifest["sweep"].items() if all(isinstance(each, int | float) and each > 0 for each in values)]
    if not keys or not found.cells["step_us"].notna().any():
        return None
    return growth(found.cells, keys[0], [key for key in found.keys if key != keys[0]])
