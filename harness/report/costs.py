"""What training steps cost, every block a mark; and memory, phase by phase."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

from ..tables import Run
from ..tables.timing import of_work, void
from .curves import WIDTH
from .drawing import chosen, hue

ROW = 34
#: column of `Run.memory` -> the phase, in the order in which they come
PHASES = {
    "after_import_mib": "import", "build_mib": "build", "compile_mib": "compile, first step", "train_mib": "training",
    "inference_mib": "inference",
}  # fmt: skip


def blocks(run: Run) -> pandas.DataFrame:
    """The median step of every timed block that counts, microseconds: arm, `row` (the arm with its tier; the control has a row of its own),
    epoch, us."""
    variant = run.costs.variants[0]
    tiers = {row["arm"]: row["tier"] for row in run.timings.to_dict("records") if row["variant"] == variant}
    found = []
    for twin in (False, True):
        for block in of_work(run.costs.blocks, "step", variant, twin=twin):
            tier = tiers.get(block["arm"])
            name = f"{block['arm']} again" if twin else block["arm"] if tier is None or tier != tier else f"{block['arm']} (tier {tier:g})"
            if not void(block):
                found.append((block["arm"], name, block.get("epoch", 0), float(numpy.median(block["ns"])) / 1e3))
    return pandas.DataFrame(found, columns=["arm", "row", "epoch", "us"])


def times(run: Run) -> Any:
    """A mark for the median step of every timed block, each arm in a row, from fast to slow, and the control; the median over launches as a
    dot with the range of the launches; None where nothing was timed."""
    import altair

    table = blocks(run) if len(run.timings) else pandas.DataFrame()
    if table.empty:
        return None
    launches = table.groupby(["arm", "row", "epoch"], as_index=False)["us"].median().groupby(["arm", "row"])["us"]
    middle = pandas.DataFrame({"median": launches.median(), "low": launches.min(), "high": launches.max()}).reset_index()
    middle = middle.sort_values("median")
    scale = altair.Scale(type="log", nice=False, padding=12)
    at = altair.X("us:Q", title="training step, microseconds", scale=scale, axis=altair.Axis(tickCount=6, format="~s"))
    row = altair.Y("row:N", sort=list(middle["row"]), title=None, axis=names())
    colour, _ = hue(list(dict.fromkeys(table["arm"])), legend=False)
    marks = chosen(altair.Chart(table)).mark_tick(thickness=1.5, opacity=0.35, size=18).encode(at, row, colour)
    found = [altair.Tooltip(f"{name}:Q", format=".4g") for name in ("median", "low", "high")]
    ranges = chosen(altair.Chart(middle)).mark_rule(strokeWidth=2).encode(altair.X("low:Q", scale=scale), altair.X2("high"), row)
    dots = chosen(altair.Chart(middle)).mark_point(filled=True, size=55, opacity=1).encode(
        altair.X("median:Q", scale=scale), row, tooltip=["row:N", *found]
    )  # fmt: skip
    return (marks + ranges + dots).properties(width=WIDTH, height=ROW * len(middle))


def memory(run: Run) -> Any:
    """The largest resident size of each arm, and what each phase added to it, the first of them darkest; None where it was not measured."""
    import altair

    table = run.memory.dropna(subset=["peak_mib"]) if len(run.memory) else run.memory
    if table.empty:
        return None
    order = list(table.sort_values("peak_mib")["arm"])
    colour, _ = hue(order, legend=False)
    phases = list(PHASES.values())
    shades = altair.Scale(domain=phases, range=[1, 0.72, 0.52, 0.36, 0.22])
    shade = altair.Opacity("phase:N", scale=shades, title=None, sort=phases, legend=altair.Legend(columns=5))
    tip = ["arm:N", "phase:N", *(altair.Tooltip(f"{name}:Q", format=".1f") for name in ("added", "until"))]
    row = altair.Y("arm:N", sort=order, title=None, axis=names())
    bars = chosen(altair.Chart(grown(table))).mark_bar(height=16)
    bars = bars.encode(altair.X("before:Q", title="MiB"), altair.X2("until"), row, colour, shade, tooltip=tip)
    return bars.properties(width=WIDTH, height=ROW * len(order))


def grown(table: pandas.DataFrame) -> pandas.DataFrame:
    """By arm and phase, the largest resident MiB before and until its end: arm, phase, before, until, added."""
    found = []
    for row in table.to_dict("records"):
        before = 0.0
        for column, phase in PHASES.items():
            until = max(before, row[column]) if row[column] == row[column] and row[column] is not None else before
            found.append((row["arm"], phase, before, until, until - before))
            before = until
    return pandas.DataFrame(found, columns=["arm", "phase", "before", "until", "added"])


def names() -> Any:
    """Arms from top to bottom."""
    import altair

    return altair.Axis(labelFontSize=12, labelLimit=220, labelPadding=8, ticks=False, domain=False)
