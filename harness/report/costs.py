"""What training steps cost, every block a mark; and memory."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

from ..tables import Run
from ..tables.timing import of_work, void
from .curves import WIDTH
from .drawing import chosen, hue

ROW = 34


def times(run: Run) -> Any:
    """A mark for the median step of every timed block, each arm in a row, from fast to slow; the median over launches as a dot with the
    range of the launches; None where nothing was timed."""
    import altair

    if run.timings.empty:
        return None
    variant = run.costs.variants[0]
    rows = [row for row in of_work(run.costs.blocks, "step", variant) if not void(row)]
    table = pandas.DataFrame(
        {"arm": row["arm"], "epoch": row.get("epoch", 0), "us": float(numpy.median(row["ns"])) / 1e3} for row in rows
    )
    launches = table.groupby(["arm", "epoch"], as_index=False)["us"].median().groupby("arm")["us"]
    middle = pandas.DataFrame({"median": launches.median(), "low": launches.min(), "high": launches.max()}).reset_index()
    order = list(middle.sort_values("median")["arm"])
    scale = altair.Scale(type="log", nice=False, padding=12)
    at = altair.X("us:Q", title="training step, microseconds", scale=scale, axis=altair.Axis(tickCount=6, format="~s"))
    row = altair.Y("arm:N", sort=order, title=None, axis=altair.Axis(labelFontSize=12, labelLimit=200, ticks=False, domain=False))
    colour, _ = hue(order, legend=False)
    marks = chosen(altair.Chart(table)).mark_tick(thickness=1.5, opacity=0.35, size=18).encode(at, row, colour)
    found = [altair.Tooltip(f"{name}:Q", format=".4g") for name in ("median", "low", "high")]
    ranges = chosen(altair.Chart(middle)).mark_rule(strokeWidth=2).encode(altair.X("low:Q", scale=scale), altair.X2("high"), row)
    dots = chosen(altair.Chart(middle)).mark_point(filled=True, size=70, opacity=1).encode(
        altair.X("median:Q", scale=scale), row, altair.Color("arm:N"), tooltip=["arm:N", *found]
    )  # fmt: skip
    return (marks + ranges + dots).properties(width=WIDTH, height=ROW * len(order))


def memory(run: Run) -> Any:
    """The largest resident size of each arm: what the import of its framework takes dark, what is beyond it light; None where it was not
    measured."""
    import altair

    table = run.memory.dropna(subset=["peak_mib"]) if len(run.memory) else run.memory
    if table.empty:
        return None
    order = list(table.sort_values("peak_mib")["arm"])
    row = altair.Y("arm:N", sort=order, title=None, axis=altair.Axis(labelFontSize=12, labelLimit=200, ticks=False, domain=False))
    colour, _ = hue(order, legend=False)
    found = [altair.Tooltip(f"{name}:Q", format=".0f") for name in ("after_import_mib", "peak_mib")]
    base = chosen(altair.Chart(table)).encode(row, colour, tooltip=["arm:N", *found])
    peak = base.mark_bar(opacity=0.45, height=16).encode(altair.X("peak_mib:Q", title="MiB: of which the import is dark"))
    imported = base.mark_bar(height=16).encode(altair.X("after_import_mib:Q"))
    return (peak + imported).properties(width=WIDTH, height=ROW * len(order))
