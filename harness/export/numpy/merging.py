"""Several branches made one."""

from __future__ import annotations

from itertools import pairwise

from ...spec.layers import Concatenate
from .place import Lines, Place


def add(at: Place) -> Lines:
    """a + b + ..."""
    return Lines((f"{at.y} = {' + '.join(at.xs)}",), (at.d,) * len(at.xs))


def average(at: Place) -> Lines:
    """(a + b + ...) / count."""
    return Lines((f"{at.y} = ({' + '.join(at.xs)}) / {len(at.xs)}",), (f"{at.d} / {len(at.xs)}",) * len(at.xs))


def multiply(at: Place) -> Lines:
    """a b ...; the others, not y divided by its own, which may be 0."""
    others = [[name for other, name in enumerate(at.xs) if other != place] for place in range(len(at.xs))]
    return Lines((f"{at.y} = {' * '.join(at.xs)}",), tuple(" * ".join([at.d, *names]) for names in others))


def maximum(at: Place) -> Lines:
    """max(a, b, ...); the first of the largest gets the gradient."""
    value = ", ".join(at.xs)
    forward = (f"{at.y} = np.max([{value}], axis=0)",)
    if not at.needed:
        return Lines(forward, ("",) * len(at.xs))
    first = at.new("first")
    back = f"{first} = np.argmax([{value}], axis=0)  # of equal ones the first, which gets the gradient"
    return Lines(forward, tuple(f"{at.d} * ({first} == {place})" for place in range(len(at.xs))), back=(back,))


def concatenate(at: Place) -> Lines:
    """One behind the other; to each its part."""
    layer: Concatenate = at.layer
    axis = layer.place(at.shape)
    before = "..., " if axis == at.rank - 1 else ":, " * axis
    ends = [0]
    for shape in at.node.input_shapes:
        ends.append(ends[-1] + shape[axis - 1])
    parts = tuple(f"{at.d}[{before}{start}:{end}]" for start, end in pairwise(ends))
    return Lines((f"{at.y} = np.concatenate([{', '.join(at.xs)}], axis={axis})",), parts)
