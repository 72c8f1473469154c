"""Curves of the free training: the losses, and how far each arm is from the reference."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

from ..tables import Run
from .drawing import chosen, decades, hue

WIDTH, HEIGHT = 640, 280
#: steps that are drawn at most; every drawn number is a measured one
MOST = 800
#: less is drawn there: float64's own rounding
LEAST = 2.0**-53


def drawn_steps(count: int) -> Any:
    """The steps that are drawn: all, or so many evenly spread, the first and the last among them."""
    return numpy.unique(numpy.linspace(0, count - 1, min(count, MOST)).round().astype(int))


def curves(run: Run) -> pandas.DataFrame:
    """What is drawn: arm, step, loss, reference, and `worst`, the largest relative distance up to there, with `around`, the largest that
    rounding alone brings; finite numbers alone."""
    table = run.losses[~run.losses["arm"].str.startswith("reference")]
    parts = []
    for _, each in table.groupby("arm", sort=False):
        worst, around = each["gap"].fillna(0).cummax(), each["envelope"].cummax()
        part = each.assign(worst=worst.clip(lower=LEAST), around=around.clip(lower=LEAST))
        parts.append(part[part["step"].isin(drawn_steps(len(part)))])
    found = pandas.concat(parts, ignore_index=True) if parts else table.assign(worst=[], around=[])
    return found[numpy.isfinite(found["loss"].astype(float))]


def losses(run: Run) -> Any:
    """The loss of every arm in every step, never smoothed; the reference's as a wide grey line under them; None where there is none."""
    import altair

    table = curves(run)
    if table.empty:
        return None
    positive = (table["loss"] > 0).all() and (table["reference"].dropna() > 0).all()
    scale = altair.Scale(type="log", nice=False, padding=8) if positive else altair.Scale(zero=False, nice=False, padding=8)
    lines_at = altair.Axis(values=decades(*ends(table["loss"])), format="~g") if positive else altair.Axis()
    step, loss = axis(), altair.Y("loss:Q", title="loss", scale=scale, axis=lines_at)
    under = table.drop_duplicates("step").dropna(subset=["reference"])
    right = altair.Y("reference:Q", title="loss", scale=scale)
    wide = altair.Chart(under).mark_line(strokeWidth=7, opacity=0.25, color="#888888").encode(step, right)
    tip = tips("loss", "reference")
    lines = chosen(altair.Chart(table)).mark_line(strokeWidth=1.5).encode(step, loss, *hue(arms_of(table)), tooltip=tip)
    return sized(wide + lines)


def distance(run: Run) -> Any:
    """The largest relative distance of each arm's loss from the reference up to each step, with what rounding alone does to replicas of the
    reference as a grey area; None where there is none."""
    import altair

    table = curves(run)
    if table.empty or table["reference"].isna().all():
        return None
    table = table.dropna(subset=["reference"])
    lowest = min(float(table["worst"].min()), float(table["around"].min() if table["around"].notna().any() else 1.0))
    scale = altair.Scale(type="log", domainMin=lowest / 2, nice=False, padding=8)
    highest = float(numpy.nanmax(table[["worst", "around"]].astype(float).to_numpy()))
    powers = altair.Axis(format="~e", values=decades(lowest / 2, 2 * highest))
    far = altair.Y("worst:Q", title="relative distance from the reference", scale=scale, axis=powers)
    colour = hue(arms_of(table))
    lines = chosen(altair.Chart(table)).mark_line(strokeWidth=1.8).encode(axis(), far, *colour, tooltip=tips("worst", "gap", "around"))
    rounding = table.drop_duplicates("step").dropna(subset=["around"]).assign(bottom=lowest / 2)
    if rounding.empty:
        return sized(lines)
    top = altair.Y("around:Q", title="relative distance from the reference", scale=scale)
    area = altair.Chart(rounding).mark_area(color="#888888", opacity=0.22).encode(axis(), top, altair.Y2("bottom"))
    return sized(area + lines)


def ends(values: pandas.Series) -> tuple[float, float]:
    """The smallest and the largest of some numbers."""
    return float(values.min()), float(values.max())


def axis() -> Any:
    """Steps from left to right."""
    import altair

    return altair.X("step:Q", title="step", axis=altair.Axis(grid=False, tickMinStep=1), scale=altair.Scale(nice=False))


def sized(chart: Any) -> Any:
    """A chart of the size that all curves have."""
    return chart.properties(width=WIDTH, height=HEIGHT)


def arms_of(table: pandas.DataFrame) -> list[str]:
    """The arms of a table, in order."""
    return list(dict.fromkeys(table["arm"]))


def tips(*columns: str) -> list[Any]:
    """What is shown of a point that is pointed at."""
    import altair

    return ["arm:N", "step:Q", *(altair.Tooltip(f"{column}:Q", format=".6g") for column in columns)]
