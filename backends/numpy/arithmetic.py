"""The arithmetic that layers, losses and optimizers are written in: a namespace with numpy's names.

The plain one is numpy itself. `Replica` computes the same with other roundings, to measure how far rounding alone can move a
result. Complex and long-double replays need no namespace of their own: they are plain numpy with another dtype.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable

import numpy

#: functions whose results are rounded, and those whose results are exact
ROUNDED = ("add", "subtract", "multiply", "divide", "exp", "log", "log1p", "tanh", "sqrt", "power", "reciprocal")
EXACT = ("negative", "maximum", "greater")

#: numpy itself; `dot` as the array's method, which goes to BLAS without dispatch (0.25 us against 0.45 on small arrays)
PLAIN = SimpleNamespace(dot=numpy.ndarray.dot, **{name: getattr(numpy, name) for name in (*ROUNDED, *EXACT)})


def arithmetic(mode: str) -> Any:
    """The namespace of a mode: numpy for "", a `Replica` for "replica-N", one with sequential sums for "sequential-N"."""
    kind, _, seed = mode.partition("-")
    replicas = {"replica": Replica, "sequential": SequentialReplica}
    return replicas[kind](int(seed)) if kind in replicas else PLAIN


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
        """a @ b, its terms in a random order; of two vectors a number."""
        order = self.random.permutation(a.shape[-1])
        total = self.disturb(self.contract(a[..., order], b[order]))
        if out is None:
            return total
        out[...] = total
        return out

    def contract(self, a: Any, b: Any) -> Any:
        """a @ b in up to three parts."""
        cuts = numpy.sort(self.random.integers(0, len(b) + 1, 2))
        total: Any = 0
        for start, stop in zip([0, *cuts], [*cuts, len(b)]):
            if stop > start:
                total = total + numpy.dot(a[..., start:stop], b[start:stop])
        return total


class SequentialReplica(Replica):
    """A replica whose sums add one term after the other, as XLA's reductions on a CPU do: the least accurate order in use."""

    def contract(self, a: Any, b: Any) -> Any:
        """a @ b, one term after the other."""
        if a.ndim == b.ndim == 1:
            return numpy.add.accumulate(a * b)[-1]  # a reduction would add in pairs
        left = numpy.moveaxis(a, -1, 0)
        total, term = (numpy.zeros((*left.shape[1:], *b.shape[1:]), b.dtype) for _ in range(2))
        for column, row in zip(left, b):
            numpy.multiply.outer(column, row, out=term)
            total += term
        return total
