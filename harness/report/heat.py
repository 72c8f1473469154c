"""Errors of gradients by layer and step."""

from __future__ import annotations

from typing import Any

import numpy
import pandas

from ..interface import LIMIT
from ..tables import Run
from .drawing import chosen

#: from white to blue where rounding explains an error, orange and red beyond; in ceilings
LEVELS = (-2.0, -1.0, 0.0, 1.0, 3.0)
TINTS = ("#eaf2f8", "#9cc3e0", "#3b82b5", "#f0a04b", "#b5330f")


def cells(run: Run) -> pandas.DataFrame:
    """A row for each gradient in each forced step of each arm: arm, step, tensor, error, `excess`, the error over what rounding can do
    (LIMIT ceilings): beyond 1 it is a fault; infinite where numbers are missing or not finite."""
    table = run.gradients
    table = table[~table["arm"].str.startswith("reference")] if len(table) else table
    error = table["error"].astype(float).fillna(numpy.inf)
    found = table.assign(error=error, excess=error / (LIMIT * table["ceiling"].astype(float)))
    return found[["arm", "step", "tensor", "error", "excess", "verdict"]]


def gradients(run: Run) -> Any:
    """A map for each arm: parameters down, forced steps to the right, coloured by error over what rounding can do; None where there is
    none."""
    import altair

    table = cells(run)
    if table.empty:
        return None
    table = table.assign(level=numpy.log10(table["excess"].clip(1e-3, 1e6)), step=table["step"].astype(str))
    steps, tensors, arms = (list(dict.fromkeys(table[name])) for name in ("step", "tensor", "arm"))
    colour = altair.Color(
        "level:Q", scale=altair.Scale(domain=LEVELS, range=TINTS, clamp=True), title="error / what rounding can do, power of ten"
    )
    size = {"width": min(360, 34 * len(steps)), "height": 18 * len(tensors)}
    tips = ["arm:N", "step:N", "tensor:N", altair.Tooltip("error:Q", format=".2g"), "verdict:N"]
    boxes = chosen(altair.Chart(table, **size)).mark_rect().encode(
        altair.X("step:N", sort=steps, title="step", axis=altair.Axis(labelAngle=0)), altair.Y("tensor:N", sort=tensors, title=None),
        colour, tooltip=tips,
    )  # fmt: skip
    return boxes.facet(altair.Facet("arm:N", sort=arms, title=None), columns=2)
