"""What each default of a framework would move, as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..report.formats import Format, number, words
from ..report.parts import Section, Text, table
from ..tables import Run

#: percent, and points of an accuracy
HUNDRED = 100


def native(run: Run) -> Iterator[Section]:
    """The table of a run that asked for it."""
    if "native" not in run.manifest:
        return
    points = run.metric_name.endswith("accuracy")
    columns: Mapping[str, Format] = {
        "arm": words, "default": words, "gradient": number(2), "loss": percent, "metric": in_points if points else signed, "note": words,
    }  # fmt: skip
    unit = f"{run.metric_name} by, points" if points else f"{run.metric_name} by"
    names = {"gradient": "first gradient moved by", "loss": "final loss by", "metric": unit}
    lines = ["Each alone: by the reference in float64, in the arm's forms. All together: by the arm itself, against its aligned run."]
    floor = run.manifest["native"]["rounding"]
    if floor["loss"] is not None:
        metric = "" if floor["metric"] is None else f", {run.metric_name} by {floor['metric'] * (HUNDRED if points else 1):.2g}"
        lines.append(f"Rounding alone moves the final loss of the arms that agree by up to {HUNDRED * floor['loss']:.2g} %{metric}.")
    yield Section("native", "What each default moves", [table(as_rows(run), columns, names), Text(lines)])


def as_rows(run: Run) -> list[dict[str, Any]]:
    """The rows; what was not computed is None."""
    found: list[dict[str, Any]] = run.native.astype(object).to_dict("records")
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()} for row in found
    ]


def percent(value: float | None) -> str:
    """A relative change with its sign."""
    return "" if value is None else f"{signed(HUNDRED * value)} %"


def in_points(value: float | None) -> str:
    """A difference of two shares with its sign, in hundredths."""
    return "" if value is None else signed(HUNDRED * value)


def signed(value: float | None) -> str:
    """A number with its sign."""
    return "" if value is None else f"{value:+.2g}" if value else "0"
