"""Curves of the free training: the losses, and how far each arm is from the reference."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

from ..tables import Run
from .drawing import chosen, decades, hue

WIDTH, HEIGHT = 720, 300
#: points of an arm that are drawn at most; every drawn number is a measured one
MOST = 800
#: less is drawn there: float64's own rounding
LEAST = 2.0**-53
GREY = "#888888"


def curves(run: Run) -> pandas.DataFrame:
    """What is drawn: arm, step, loss, reference, gap, and `worst`, the largest relative distance up to there, with `around`, the largest
    that rounding alone brings; losses that are finite alone."""
    table = run.losses[~run.losses["arm"].str.startswith("reference")]
    return drawn_of(table)


def drawn_of(table: pandas.DataFrame) -> pandas.DataFrame:
    """The same of a table of arm, step, loss, reference, gap, envelope."""
    parts = []
    for _, each in table.groupby("arm", sort=False):
        gap = each["gap"].astype(float).replace(numpy.inf, numpy.nan)
        worst, around = gap.fillna(0).cummax(), each["envelope"].astype(float).cummax()
        part = each.assign(gap=gap, worst=worst.clip(lower=LEAST), around=around.clip(lower=LEAST))
        parts.append(thinned(part[numpy.isfinite(part["loss"].astype(float))]))
    return pandas.concat(parts, ignore_index=True) if parts else table.assign(worst=[], around=[])


def thinned(part: pandas.DataFrame) -> pandas.DataFrame:
    """All rows, or of long trainings the smallest and the largest loss of every stretch, and the first and the last row: it looks like a
    line through all, no peak left out."""
    if len(part) <= MOST:
        return part
    part = part.reset_index(drop=True)
    stretch = part["loss"].groupby(part.index * (MOST // 2) // len(part))
    kept = {0, len(part) - 1, *stretch.idxmin(), *stretch.idxmax()}
    return part.loc[sorted(kept)]


def losses(run: Run) -> Any:
    """The loss of every arm in every step, never smoothed; the reference's as a wide grey line under them; None where there is none."""
    return losses_of(curves(run))


def losses_of(table: pandas.DataFrame) -> Any:
    """The same of a table of `curves`."""
    import altair

    if table.empty:
        return None
    positive = (table["loss"] > 0).all() and (table["reference"].dropna() > 0).all()
    scale = altair.Scale(type="log", nice=False, padding=8) if positive else altair.Scale(zero=False, nice=False, padding=8)
    lines_at = altair.Axis(values=decades(*ends(table["loss"])), format=written(*ends(table["loss"]))) if positive else altair.Axis()
    step, loss = axis(), altair.Y("loss:Q", title="loss", scale=scale, axis=lines_at)
    under = table.drop_duplicates("step").dropna(subset=["reference"])
    right = altair.Y("reference:Q", title="loss", scale=scale)
    wide = altair.Chart(under[["step", "reference"]]).mark_line(strokeWidth=7, opacity=0.25, color=GREY).encode(step, right)
    shown = table[["arm", "step", "loss", "reference"]]
    lines = chosen(altair.Chart(shown)).mark_line(strokeWidth=1.5)
    lines = lines.encode(step, loss, *hue(arms_of(table)), tooltip=tips("loss", "reference"))
    return sized(wide + lines)


def distance(run: Run) -> Any:
    """The largest relative distance of each arm's loss from the reference up to each step, with what rounding alone does to replicas of the
    reference as a grey area; None where there is none."""
    return distance_of(curves(run))


def distance_of(table: pandas.DataFrame) -> Any:
    """The same of a table of `curves`."""
    import altair

    table = table.dropna(subset=["reference"])
    if table.empty:
        return None
    numbers = table[["worst", "around"]].astype(float).to_numpy()
    lowest, highest = float(numpy.nanmin(numbers)) / 2, 2 * float(numpy.nanmax(numbers))
    scale = altair.Scale(type="log", domainMin=lowest, nice=False, padding=8)
    powers = altair.Axis(format="~e", values=decades(lowest, highest))
    far = altair.Y("worst:Q", title="relative distance from the reference", scale=scale, axis=powers)
    shown = table[["arm", "step", "gap", "worst", "around"]]
    lines = chosen(altair.Chart(shown)).mark_line(strokeWidth=1.8).encode(
        axis(), far, *hue(arms_of(table)), tooltip=tips("worst", "gap", "around")
    )  # fmt: skip
    rounding = table.drop_duplicates("step").dropna(subset=["around"])[["step", "around"]].assign(bottom=lowest)
    if rounding.empty:
        return sized(lines)
    top = altair.Y("around:Q", title="relative distance from the reference", scale=scale)
    area = altair.Chart(rounding).mark_area(color=GREY, opacity=0.22, line={"color": GREY, "strokeWidth": 1}).encode(
        axis(), top, altair.Y2("bottom")
    )  # fmt: skip
    last = altair.Chart(rounding.tail(1)).encode(axis(), altair.Y("bottom:Q", scale=scale))
    label = last.mark_text(align="right", dx=-6, dy=-14).encode(text=altair.value("rounding alone"))
    return sized(area + label + lines)


def unfinished(table: pandas.DataFrame) -> list[str]:
    """Of a table of losses, in words: what is not drawn since it is no number."""
    lost = table[~numpy.isfinite(table["loss"].astype(float))]
    return [
        f"{arm}: {len(each):,} losses are not finite, the first at step {each['step'].iloc[0]}; they are not drawn."
        for arm, each in lost.groupby("arm", sort=False)
    ]


def ends(values: pandas.Series) -> tuple[float, float]:
    """The smallest and the largest of some numbers."""
    return float(values.min()), float(values.max())


def written(low: float, high: float) -> str:
    """How numbers beside an axis are written: as they are, or as powers where they are very small or large."""
    return "~g" if low >= 1e-5 and high < 1e6 else "~e"


def axis() -> Any:
    """Steps from left to right."""
    import altair

    return altair.X("step:Q", title="step", axis=altair.Axis(grid=False, tickMinStep=1, tickCount=10), scale=altair.Scale(nice=False))


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
