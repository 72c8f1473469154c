"""How the step of each arm grows over a swept key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas

from ..registry import parse
from .colours import colours

#: dashes tell the modes of one backend apart
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))


def growth(cells: pandas.DataFrame, key: str, others: Sequence[str], title: str) -> Any:
    """A chart: microseconds of a step over the key, both in logarithms, a line an arm; side by side for every value of the other keys.

    Args:
        cells: of a sweep.
        key: the swept key along the axis, of numbers greater than 0.
        others: the other swept keys.
        title: above it.
    """
    import altair

    arms = list(dict.fromkeys(cells["arm"]))
    parsed = [parse(arm) for arm in arms]
    modes = [sum(other.backend == arm.backend for other in parsed[:place]) for place, arm in enumerate(parsed)]
    table = cells[["arm", key, "step_us"]].rename(columns={key: "value"})
    table["where"] = ["; ".join(f"{other} = {row[other]}" for other in others) for _, row in cells.iterrows()]
    scale = altair.Scale(type="log", nice=False, padding=12)
    lines = (
        altair.Chart(table.dropna(subset=["step_us"]), width=360, height=260)
        .mark_line(point=True)
        .encode(
            altair.X("value:Q", title=key, scale=scale, axis=altair.Axis(grid=False)),
            altair.Y("step_us:Q", title="training step, microseconds", scale=scale),
            altair.Color("arm:N", scale=altair.Scale(domain=arms, range=colours([arm.backend for arm in parsed])), sort=arms, title=None),
            altair.StrokeDash("arm:N", scale=altair.Scale(domain=arms, range=[DASHES[mode % len(DASHES)] for mode in modes]), title=None),
        )
    )
    drawn = lines.facet(altair.Facet("where:N", title=None), columns=2) if others else lines
    return drawn.properties(title=title).configure(font="sans-serif", background="white")


def draw(chart: Any, path: Path) -> None:
    """Save a chart, as its name's end says: svg, png, html, json."""
    beside = path.with_name(f"part-{path.name}")
    chart.save(str(beside))
    beside.replace(path)
