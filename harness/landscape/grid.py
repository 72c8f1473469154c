"""Where the loss is computed: which part of the plane, at how many points, over how many rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from ..spec import ProgramSpec

#: points along an axis, where not told otherwise: as many as time allows between these
FEWEST, MOST = 21, 61
#: seconds that all points of the grid and of the paths may take, as far as the first ones tell
SECONDS = 20.0
#: bytes that the outputs of all rows and their gradients may take at one point
BYTES = 512 << 20
#: rows that are left at least when time is short
ROWS = 32
#: room around what is shown, in parts of its size, and the least size of one axis in parts of the other's
ROOM, NARROWEST = 0.15, 0.25

Range = tuple[float, float]


class Effort(NamedTuple):
    """Points along an axis, and rows at each point."""

    side: int
    rows: int


def most_rows(spec: ProgramSpec, rows: int) -> int:
    """How many of so many rows the memory allows."""
    values = sum(math.prod(node.output_shape) for node in spec.nodes) + math.prod(spec.input_shape)
    return max(1, min(rows, BYTES // (values * 8 * 3)))


def affordable(cost: float, rows: int, others: int, helpers: int) -> Effort:
    """What can be computed in SECONDS: the finest grid with all rows, else the coarsest with fewer.

    Args:
        cost: seconds of one point with all rows.
        rows: that there are.
        others: points that are computed beside the grid.
        helpers: processes that share the work.
    """
    room = SECONDS * helpers / cost - others
    side = min(MOST, math.isqrt(max(0, int(room))))
    if side >= FEWEST:
        return Effort(side, rows)
    share = SECONDS * helpers / cost / (FEWEST**2 + others)
    return Effort(FEWEST, max(min(rows, ROWS), int(rows * share)))


def box(coordinates: Sequence[Any], least: float = 0.0) -> tuple[Range, Range]:
    """The part of a plane that is shown: everything with room around it, neither axis too narrow.

    Args:
        coordinates: arrays `(points, 2)`.
        least: how far from the middle both axes reach at least.
    """
    every = numpy.concatenate(coordinates)
    low, high = every.min(0), every.max(0)
    half = (high - low) / 2 * (1 + 2 * ROOM)
    half = numpy.maximum(half, NARROWEST * half.max())
    half = numpy.where(half > 0, half, 1.0)
    middle = (low + high) / 2
    low, high = numpy.minimum(middle - half, -least if least else numpy.inf), numpy.maximum(middle + half, least or -numpy.inf)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def lines(span: Range, side: int) -> Any:
    """So many places along an axis, both ends among them."""
    return numpy.linspace(*span, side)
