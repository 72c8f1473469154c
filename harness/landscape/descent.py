"""Paths of descent: every arm trains on its own and leaves its parameters now and then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..spec import ProgramSpec

#: points of a path, where not told otherwise
POINTS = 80
#: bytes that the points of one path may take
BYTES = 256 << 20
#: a path is drawn as long as its loss is at most so many times the largest of its first points: one that diverges would hide all others
TALLEST = 10.0
#: the share of a path's points that are its first
FIRST = 0.1


@dataclass
class Descent:
    """The path of one arm, or of the reference in some forms.

    Attributes:
        arm: whose; `reference` and its forms for the reference.
        status, reason: as in a record.
        forms: the formulas that it trains in.
        steps: after how many steps each point was taken.
        points: all parameters there, float64 `(points, numbers)`.
        losses: of the surface's rows there, by the reference, `(points,)`.
        shown: how many points, from the first on, are drawn.
    """

    arm: str
    status: str = "ok"
    reason: str = ""
    forms: dict[str, str] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    points: Any = None
    losses: Any = None
    shown: int = 0

    @property
    def there(self) -> bool:
        """Whether there is a path."""
        return self.shown > 0

    @property
    def drawn(self) -> Any:
        """The points that are drawn."""
        return self.points[: self.shown]

    def take(self, marks: Sequence[int], points: Any, stopped: int | None) -> None:
        """Take over what a worker found: the points before the first that is no number."""
        finite = numpy.isfinite(points).all(axis=1)
        count = len(finite) if finite.all() else int(finite.argmin())
        self.steps, self.points, self.shown = list(marks[:count]), points[:count], count
        if stopped is not None:
            self.status, self.reason = "diverged", f"the loss is not finite from step {stopped} on"

    def measured(self, losses: Sequence[float | None]) -> None:
        """Take over the losses, and cut the path where it leaves the picture."""
        self.losses = numpy.array([math.nan if loss is None else loss for loss in losses])
        tallest = TALLEST * numpy.nanmax(self.losses[: max(2, int(FIRST * len(losses)))], initial=0.0)
        inside = self.losses <= tallest if tallest > 0 else numpy.isfinite(self.losses)
        self.shown = len(inside) if inside.all() else max(1, int(inside.argmin()))


def marks(spec: ProgramSpec, steps: int, every: int | None) -> list[int]:
    """After how many steps a path has its points: every so many; where that is not told, after each step of a short training, half of them
    close together at the start and half evenly spread in a long one. The start and the end are always among them."""
    numbers = sum(math.prod(item.shape) for item in spec.parameters)
    room = max(2, BYTES // (8 * numbers))
    count = min(POINTS, room)
    if every is not None:
        every = max(every, -(-steps // (room - 1)))
        return sorted({*range(0, steps + 1, every), steps})
    if steps < count:
        return list(range(steps + 1))
    near = numpy.geomspace(1, steps, count // 2).round().astype(int)
    evenly = numpy.linspace(0, steps, count - count // 2).round().astype(int)
    return sorted({0, steps, *near.tolist(), *evenly.tolist()})


def apart(path: Descent, reference: Descent) -> float | None:
    """How far a path is from the reference's: the largest distance of points after as many steps, in parts of the reference's largest
    distance from its own start; None where nothing can be said."""
    count = min(len(path.steps), len(reference.steps))
    if not count:
        return None
    moved = float(numpy.linalg.norm(reference.points - reference.points[0], axis=1).max())
    found = float(numpy.linalg.norm(path.points[:count] - reference.points[:count], axis=1).max())
    return found / moved if moved else math.inf if found else 0.0
