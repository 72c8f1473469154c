"""How the step of each arm grows over a swept key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from ..tables.sweep import Sweep
from .curves import arms_of
from .drawing import chosen, hue


def growth(cells: pandas.DataFrame, key: str, others: Sequence[str]) -> Any:
    """A chart: microseconds of a step over the key, both in logarithms, a line an arm; side by side for every value of the other keys.

    Args:
        cells: of a sweep.
        key: the swept key along the axis, of numbers greater than 0.
        others: the other swept keys.
    """
    import altair

    table = cells[["arm", key, "step_us"]].rename(columns={key: "value"})
    table["where"] = ["; ".join(f"{other} = {row[other]}" for other in others) for _, row in cells.iterrows()]
    scale = altair.Scale(type="log", nice=False, padding=12)
    lines = (
        chosen(altair.Chart(table.dropna(subset=["step_us"]), width=360 if others else 640, height=280))
        .mark_line(point=True)
        .encode(
            altair.X("value:Q", title=key, scale=scale, axis=altair.Axis(grid=False)),
            altair.Y("step_us:Q", title="training step, microseconds", scale=scale),
            *hue(arms_of(table)),
            tooltip=["arm:N", altair.Tooltip("value:Q", title=key), altair.Tooltip("step_us:Q", format=".4g")],
        )
    )
    return lines.facet(altair.Facet("where:N", title=None), columns=2) if others else lines


def of_sweep(found: Sweep) -> Any:
    """The chart of a sweep over the first key that has numbers; None where it has none, or nothing was timed."""
    keys = [key for key, values in found.manifest["sweep"].items() if all(isinstance(each, int | float) and each > 0 for each in values)]
    if not keys or not found.cells["step_us"].notna().any():
        return None
    return growth(found.cells, keys[0], [key for key in found.keys if key != keys[0]])
