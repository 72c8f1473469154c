"""The arithmetic that layers, losses and optimizers are written in: a namespace with numpy's names.

The plain one is numpy itself. `Replica` computes the same with other roundings, to measure how far rounding alone can move a
result. Complex and long-double replays need no namespace of their own: they are plain numpy with another dtype.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy

#: functions whose results are rounded; every other one of numpy's is exact and left alone
ROUNDED = frozenset({"add", "subtract", "multiply", "divide", "exp", "log", "log1p", "tanh", "sqrt", "square", "reciprocal"})


def arithmetic(mode: str) -> Any:
    """The namespace of a mode: numpy for "", a `Replica` for "replica-N", sequential sums for "sequential"."""
    if mode.startswith("replica-"):
        return Replica(int(mode[len("replica-") :]))
    if mode == "sequential":
        return Sequential()
    return numpy


class Sequential:
    """numpy with every contraction summed from left to right: the least accurate order in use."""

    def __getattr__(self, name: str) -> Any:
        return getattr(numpy, name)

    def dot(self, a: Any, b: Any, out: Any = None) -> Any:
        """a @ b, one term after the other."""
        total = numpy.zeros(a.shape[:-1] + b.shape[1:], a.dtype)
        left, right = numpy.moveaxis(a, -1, 0), b
        for column, row in zip(left, right):
            total += numpy.multiply.outer(column, row)
        return deliver(total, out)


class Replica:
    """numpy with another rounding: every contraction in a random order and split, every rounded result moved by up to half
    a unit in the last place, drawn from `seed` (Monte-Carlo arithmetic, Parker 1997)."""

    def __init__(self, seed: int) -> None:
        self.random = numpy.random.Generator(numpy.random.Philox(seed))

    def __getattr__(self, name: str) -> Any:
        function = getattr(numpy, name)
        return self.disturbed(function) if name in ROUNDED else function

    def disturbed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its result moved."""

        def moved(*args: Any, **options: Any) -> Any:
            return self.disturb(function(*args, **options))

        return moved

    def disturb(self, result: Any) -> Any:
        """result (1 + d), d uniform in half a unit in the last place either way; in place where it is an array."""
        kind = numpy.asarray(result).dtype
        noise = (self.random.random(numpy.shape(result)) - 0.5) * numpy.finfo(kind).eps
        change = numpy.asarray(result * noise, kind)
        if isinstance(result, numpy.ndarray):
            result += change
            return result
        return kind.type(result + change)

    def dot(self, a: Any, b: Any, out: Any = None) -> Any:
        """a @ b, its terms in a random order, in up to three parts."""
        order = self.random.permutation(a.shape[-1])
        cuts = numpy.sort(self.random.integers(0, len(order) + 1, 2))
        parts = [part for part in numpy.split(order, cuts) if len(part)]
        total: Any = 0
        for part in parts:
            total = total + numpy.dot(a[..., part], b[part])
        return deliver(self.disturb(numpy.asarray(total)), out)


def deliver(total: Any, out: Any) -> Any:
    """A result, written to `out` where one is given."""
    if out is None:
        return total
    out[...] = total
    return out
