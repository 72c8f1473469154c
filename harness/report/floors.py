"""How far gradients are from the reference's, in units of what rounding alone does: of committed tables, which hold no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from .drawing import chosen, hue

WIDTH, HEIGHT = 640, 200
TITLE = "largest gradient error, x floor"
#: arms whose points are marked at most: of more they would hide each other
MARKED = 8
#: where the axis has its lines
LINES = (0, 1, 3, 10, 30, 100, 300, 1000)


def in_floors(errors: pandas.DataFrame, arms: Sequence[str]) -> pandas.DataFrame:
    """By step and arm the largest error of any gradient over its floor: step, arm, ratio. An error of a gradient whose floor is 0 counts as
    0 where it is 0, and is left out where it is not."""
    found = errors[["step"]].copy()
    for arm in arms:
        ratio = errors[arm] / errors["floor"].where(errors["floor"] > 0)
        found[arm] = ratio.where(errors[arm] != 0, 0.0)
    return found.groupby("step", as_index=False).max().melt("step", list(arms), "arm", "ratio").dropna()


def floors(errors: pandas.DataFrame, arms: Sequence[str]) -> Any:
    """A line an arm over the forced steps; what rounding alone does is a grey area.

    Args:
        errors: step, tensor, floor, and a column for each arm: relative errors of gradients.
        arms: which are drawn.
    """
    import altair

    table = in_floors(errors, arms)
    steps = sorted(set(table["step"]))
    highest = max(2.0, 1.1 * float(table["ratio"].max()))
    along = altair.Scale(type="symlog", constant=1, nice=False, padding=8)
    across = altair.X("step:Q", title="step", scale=along, axis=altair.Axis(grid=False, values=steps))
    scale = altair.Scale(type="symlog", constant=1, domain=[0, highest], nice=False)
    up = altair.Y("ratio:Q", title=TITLE, scale=scale, axis=altair.Axis(values=[line for line in LINES if line <= highest], format="d"))
    # the floor is the area's upper edge
    rounding = pandas.DataFrame({"step": [steps[0], steps[-1]], "top": 1.0, "bottom": 0.0})
    grey = altair.Chart(rounding).mark_area(color="#888888", opacity=0.22)
    area = grey.encode(across, altair.Y("top:Q", title=TITLE, scale=scale), altair.Y2("bottom"))
    lines = chosen(altair.Chart(table)).mark_line(point=len(arms) <= MARKED, strokeWidth=1.8).encode(across, up, *hue(arms))
    return (area + lines).properties(width=WIDTH, height=HEIGHT)
