"""Errors of gradients by layer and step: as maps on a page, each of whose cells can be linked to, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import pandas

from ..interface import LIMIT
from ..tables import Run
from .drawing import chosen
from .formats import number, words
from .parts import Cell, Key, Part, Row, Table, Text, slug, table

#: error over the most that replicas came to (their ceiling): up to where each colour goes; from LIMIT on it is no rounding
LEVELS = (0.1, 0.5, 1.0, LIMIT, 100 * LIMIT)
#: the colours on white, as page.css mixes them: blue below the ceiling, orange above
TINTS = ("#7eabd2", "#b0cce4", "#dae7f2", "#fbece0", "#f0bf93", "#e48a3a")
MEANINGS = ("a tenth of the {0} or less", "up to half", "up to the {0}", f"up to {LIMIT:g} {{0}}s", "beyond", "far beyond")
#: maps of more parameters are folded away where all is rounding
TALL = 16
FAULT, MAGNIFIED = "!", "~"
INTRODUCTION = "Relative error of each gradient in steps that start from the reference's state. {0} Every cell is a link to itself."
UNITS = {
    "ceiling": f"The ceiling is the most that rounding alone did to replicas of the reference; up to {LIMIT:g} of it is still rounding.",
    "floor": "The floor is what rounding alone did to replicas of the reference, their root mean square.",
}


def cells(run: Run) -> pandas.DataFrame:
    """A row for each gradient in each forced step of each arm: arm, step, tensor, error, floor, ceiling, `times`, error over
    ceiling (infinite where numbers are missing or not finite), and verdict."""
    found = run.gradients
    found = found[~found["arm"].str.startswith("reference")] if len(found) else found
    error = found["error"].astype(float).fillna(numpy.inf)
    return found.assign(error=error, times=error / found["ceiling"].astype(float))[
        ["arm", "step", "tensor", "error", "floor", "ceiling", "times", "verdict"]
    ]


def level(times: float) -> int:
    """Which colour an error has."""
    return next((place for place, most in enumerate(LEVELS) if times <= most), len(LEVELS))


def mark(times: float, verdict: str) -> str:
    """What stands beside an error that is no plain rounding."""
    if times <= LIMIT or not verdict:
        return ""
    return MAGNIFIED if verdict.startswith("amplified") else FAULT


def maps(found: pandas.DataFrame, unit: str = "ceiling") -> list[Part | None]:
    """A map for each arm, what its colours mean, and below all numbers in one table.

    Args:
        found: as of `cells`; without verdicts ("") nothing is marked.
        unit: what `times` are of: one of UNITS.
    """
    if found.empty:
        return []
    parts: list[Part | None] = [Text([INTRODUCTION.format(UNITS[unit])]), meanings(found, unit)]
    many = found["tensor"].nunique() > TALL
    parts += [arm_map(str(arm), each, many and each["times"].max() <= LIMIT) for arm, each in found.groupby("arm", sort=False)]
    rows = [{**row, "step": str(row["step"])} for row in found.astype(object).to_dict("records")]
    numbers = dict.fromkeys(("error", "floor", "ceiling", "times"), number(3))
    columns = {"arm": words, "tensor": words, "step": words, **numbers, "verdict": words}
    names = {"tensor": "gradient of", "times": f"error / {unit}"}
    return [*parts, table(rows, columns, names, caption="All numbers of the maps", folded=True)]


def meanings(found: pandas.DataFrame, unit: str) -> Key:
    """The colours and marks that there are."""
    levels = sorted({level(times) for times in found["times"]})
    marks = {mark(times, verdict) for times, verdict in zip(found["times"], found["verdict"], strict=True)}
    beside = ((FAULT, "a fault"), (MAGNIFIED, "rounding that the step magnifies: every node is right by itself"))
    colours = [(f"heat-{place}", "", MEANINGS[place].format(unit)) for place in levels]
    return Key([*colours, *(("", sign, text) for sign, text in beside if sign in marks)])


def arm_map(arm: str, found: pandas.DataFrame, folded: bool = False) -> Table:
    """Parameters down, forced steps to the right."""
    steps = list(dict.fromkeys(found["step"]))
    rows = []
    for tensor, line in found.groupby("tensor", sort=False):
        boxes = {row["step"]: box(arm, row) for row in line.to_dict("records")}
        rows.append(Row([Cell(str(tensor)), *(boxes.get(step, Cell("")) for step in steps)], arm))
    return Table([("gradient of", False), *((f"step {step}", False) for step in steps)], rows, caption=arm, arm=arm, folded=folded)


def box(arm: str, row: Mapping[Any, Any]) -> Cell:
    """One error; a link to it shows its numbers."""
    times, verdict, anchor = float(row["times"]), str(row["verdict"]), place_of(arm, row["tensor"], row["step"])
    lines = [f"error {row['error']:.3g}", f"floor {row['floor']:.3g}"]
    lines += [f"ceiling {row['ceiling']:.3g}", f"{times:.2g} × ceiling"] if row["ceiling"] == row["ceiling"] else [f"{times:.2g} × floor"]
    lines += [verdict] if verdict else []
    said = f"{arm}, step {row['step']}, {row['tensor']}: {', '.join(lines)}"
    text = f"{row['error']:.1e} {mark(times, verdict)}".strip()
    return Cell(text, anchor, f"#{anchor}", f"heat-{level(times)}", said, "\n".join(lines))


def place_of(arm: str, tensor: object, step: object) -> str:
    """What a link to a cell is called."""
    return slug("gradient", arm, tensor, step)


def gradients(run: Run) -> Any:
    """The maps as one picture: parameters down, forced steps to the right, coloured by error over its ceiling; None where there is none."""
    return picture(cells(run))


def picture(found: pandas.DataFrame, unit: str = "ceiling") -> Any:
    """The same of a table of `cells`."""
    import altair

    if found.empty:
        return None
    drawn = found.assign(times=found["times"].clip(upper=1e9), step=found["step"].astype(str))
    drawn["mark"] = [mark(times, verdict) for times, verdict in zip(found["times"], found["verdict"], strict=True)]
    steps, tensors, arms = (list(dict.fromkeys(drawn[name])) for name in ("step", "tensor", "arm"))
    named = [meaning.format(unit) for meaning in MEANINGS]
    drawn["level"] = [named[level(times)] for times in found["times"]]
    legend = altair.Legend(title=None, symbolType="square", symbolStrokeWidth=0, columns=3, labelLimit=300)
    colour = altair.Color("level:N", scale=altair.Scale(domain=named, range=TINTS), sort=named, legend=legend)
    size = {"width": min(420, 40 * len(steps)), "height": 20 * len(tensors)}
    across = altair.X("step:N", sort=steps, title="step", axis=altair.Axis(labelAngle=0, domain=False, ticks=False))
    down = altair.Y("tensor:N", sort=tensors, title=None, axis=altair.Axis(domain=False, ticks=False, labelLimit=220))
    base = chosen(altair.Chart(drawn, **size)).encode(across, down)
    boxes = base.mark_rect(stroke="white").encode(colour, tooltip=["arm:N", "step:N", "tensor:N", altair.Tooltip("error:Q", format=".2g")])
    signs = base.mark_text(fontWeight="bold", color="#1b1f24").encode(text="mark:N")
    return (boxes + signs).facet(altair.Facet("arm:N", sort=arms, title=None), columns=2)
