"""What is asked for of a surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import UsageError
from ..spec import ProgramSpec
from .grid import Range
from .names import chosen, first_two

#: how a plane is chosen
DIRECTIONS = ("path", "random", "parameters")
#: of a net of no more numbers two are the axes, where not told otherwise
TINY = 3


@dataclass(frozen=True)
class Wish:
    """What is asked for; None is chosen.

    Attributes:
        over: names of two numbers.
        directions: one of DIRECTIONS.
        through: `end` or `start` of the reference's path: the point that lies on the plane.
        side: points along an axis.
        rows: training rows at each point.
        every: steps from one point of a path to the next.
        x, y: what is shown of the axes.
    """

    over: tuple[str, ...] = ()
    directions: str | None = None
    through: str = "end"
    side: int | None = None
    rows: int | None = None
    every: int | None = None
    x: Range | None = None
    y: Range | None = None

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: saying what.
        """
        if self.directions not in (None, *DIRECTIONS):
            raise UsageError(f'there are no directions "{self.directions}"', f"choose {', '.join(DIRECTIONS)}")
        if self.through not in ("end", "start"):
            raise UsageError(f'a plane goes through the "start" or the "end", not through "{self.through}"')
        if self.over and self.directions not in (None, "parameters"):
            raise UsageError("a plane is over two numbers, or along two directions", "leave out --over or --directions")
        for name, value, least in (("grid", self.side, 3), ("rows", self.rows, 1), ("every", self.every, 1)):
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}", f"{least} is the least")
        for axis, span in (("x", self.x), ("y", self.y)):
            if span is not None and not (all(map(math.isfinite, span)) and span[0] < span[1]):
                raise UsageError(f"the range of {axis} is {span[0]:g} to {span[1]:g}", "the first end is the lower one")


def named(spec: ProgramSpec, wish: Wish) -> list[str]:
    """The two numbers that the plane is over; none where it is along directions.

    Raises:
        UsageError: the names are not those of two numbers.
    """
    numbers = sum(math.prod(item.shape) for item in spec.parameters)
    tiny = wish.directions is None and numbers <= TINY
    if not (wish.over or tiny or wish.directions == "parameters"):
        return []
    return chosen(spec, wish.over or first_two(spec))[0]
