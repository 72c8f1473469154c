"""Planes through the space of all parameters: over two of them, over the directions in which a path moves most, over random directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..data.draw import normal
from ..errors import UsageError
from ..interface import parameter_arrays
from ..spec import ProgramSpec
from .names import chosen

#: type of a layer -> the axes of its kernel (or table) that count filters, the last one elsewhere: a filter is what lies along all others
FILTERS = {"depthwise_conv2d": (2, 3), "conv2d_transpose": (2,), "embedding": (0,), "position_embedding": (0,)}
#: a direction in which a path moves by less than this share of its largest movement is rounding
STILL = 1e-12


@dataclass(frozen=True)
class Plane:
    """A plane.

    Attributes:
        kind: parameters, path or random.
        labels: what its two axes are.
        base: a point on it, from which movement is measured, float64 `(numbers,)`.
        origin: the point at the coordinates (0, 0), `(numbers,)`.
        directions: that the coordinates count, `(2, numbers)`; not always at right angles.
    """

    kind: str
    labels: tuple[str, str]
    base: Any
    origin: Any
    directions: Any

    def coordinates(self, points: Any) -> Any:
        """The coordinates of the nearest points on the plane, `(points, 2)`: least squares."""
        gram = self.directions @ self.directions.T
        return numpy.linalg.solve(gram, self.directions @ (points - self.origin).T).T

    def off(self, points: Any) -> Any:
        """How far points are from the plane, `(points,)`."""
        return numpy.linalg.norm(points - self.origin - self.coordinates(points) @ self.directions, axis=1)

    def held(self, points: Any) -> float:
        """How much of a movement lies in the plane: the share of the points' squared distances from the base. 1 where nothing moves."""
        whole = float(numpy.square(points - self.base).sum())
        return 1 - float(numpy.square(self.off(points)).sum()) / whole if whole else 1.0


def over(spec: ProgramSpec, names: Sequence[str], base: Any) -> Plane:
    """The plane over two numbers of a net, all others as they are at a point; its coordinates are the numbers themselves.

    Raises:
        UsageError: the names are not those of two numbers.
    """
    (first, second), places = chosen(spec, names)
    directions, origin = numpy.zeros((2, len(base))), base.copy()
    directions[[0, 1], places] = 1
    origin[places] = 0
    return Plane("parameters", (first, second), base, origin, directions)


def along(spec: ProgramSpec, points: Any, seed: int, base: Any) -> Plane:
    """The plane in which a path moves most: through a point, along the two principal directions of the path's differences to it (Li et
    al. 2018, section 7). The first point lies left and up. Where the path does not turn, or not move, the rest is drawn at random."""
    _, sizes, found = numpy.linalg.svd(points - base, full_matrices=False)
    moving = [found[place] for place in range(min(2, len(sizes))) if sizes[place] > STILL * sizes[0] and sizes[0] > 0]
    labels = ["first principal direction", "second principal direction"][: len(moving)]
    directions = list(moving)
    for drawn in random_directions(spec, seed, base)[: 2 - len(moving)]:
        across = drawn - sum((drawn @ other) * other for other in directions)
        directions.append(across / (numpy.linalg.norm(across) or 1.0))
        labels.append("random direction")
    start = numpy.stack(directions) @ (points[0] - base)
    turned = numpy.where(start * [1, -1] > 0, -1.0, 1.0)
    return Plane("path", (labels[0], labels[1]), base, base, apart(numpy.stack(directions) * turned[:, None]))


def at_random(spec: ProgramSpec, seed: int, base: Any) -> Plane:
    """The plane through a point along two random directions, filter by filter as long as the net's own filters (Li et al. 2018, section 4):
    at a distance of 1 every filter has been moved by as much as it is long.

    Raises:
        UsageError: the net has no filters that are not zero.
    """
    directions = apart(random_directions(spec, seed, base))
    return Plane("random", ("first random direction", "second random direction"), base, base, directions)


def apart(directions: Any) -> Any:
    """Two directions, as they are.

    Raises:
        UsageError: they are one.
    """
    if not numpy.isfinite(directions).all() or numpy.linalg.matrix_rank(directions) < 2:
        raise UsageError("this net has too few numbers for two directions", 'name two of them: --over "A" --over "B"')
    return directions


def random_directions(spec: ProgramSpec, seed: int, base: Any) -> Any:
    """Two filter-normalised random directions, `(2, numbers)`. Biases, scales and shifts have no share in them, as in the authors' figures.

    Raises:
        UsageError: the net has no filters that are not zero.
    """
    directions = numpy.zeros((2, len(base)))
    here = parameter_arrays(spec, base)
    for number, direction in enumerate(directions):
        there = parameter_arrays(spec, direction)
        for node in spec.nodes:
            for item in node.parameters:
                if not item.name.endswith(("kernel", "embeddings")):
                    continue
                counted = FILTERS.get(node.layer.type, (len(item.shape) - 1,))
                axes = tuple(axis for axis in range(len(item.shape)) if axis not in counted)
                drawn = normal(seed, f"surface/{number}/{item.name}", item.shape)
                lengths = [numpy.sqrt(numpy.square(array).sum(axes, keepdims=True)) for array in (here[item.name], drawn)]
                there[item.name][...] = drawn * lengths[0] / lengths[1]
    if not directions.any():
        raise UsageError(
            "there is nothing to draw random directions for: the net has no kernels, or they are all zero", "choose --directions path"
        )
    return directions
