"""Replicas of the reference: arrays whose arithmetic rounds otherwise, to measure how far rounding alone can move a result.

The layers, losses and optimizers are plain numpy; what they compute is an ordinary array, or one of a class of these. Complex and
long-double replays need no class of their own: they are plain numpy with another dtype. One rule makes it work: **what a layer
computes, it computes with ufuncs and `@`** (they can be intercepted; `numpy.dot` and `einsum` cannot), into arrays that it makes of its
inputs (`numpy.empty_like(x, shape=...)`), so that they stay in the class.
"""

from __future__ import annotations

from typing import Any, ClassVar, Type

import numpy

#: ufuncs whose results are exact
EXACT = {
    "negative", "maximum", "minimum", "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "sign", "absolute",
    "logical_and", "logical_or", "logical_not", "isfinite", "isnan", "positive", "floor", "conjugate", "bitwise_and", "bitwise_or",
    "invert", "copysign",
}  # fmt: skip


#: terms or parts of a product of matrices that a sequential replica adds one after the other, and products that it keeps for a sum of all
LONGEST, PRODUCTS = 8192, 2**24
#: see Replica.careful
CAREFUL = "careful-"


def array_class(mode: str) -> Type[Any]:
    """What a mode computes with: plain arrays for "", a Replica for "replica-N", one with sequential sums for "sequential-N"; behind
    "careful-", one that leaves exact results alone."""
    kind, _, seed = mode.removeprefix(CAREFUL).partition("-")
    classes = {"replica": Replica, "sequential": SequentialReplica}
    if kind not in classes:
        return numpy.ndarray
    random = numpy.random.Generator(numpy.random.Philox(int(seed)))
    return type(classes[kind].__name__, (classes[kind],), {"random": random, "careful": mode.startswith(CAREFUL)})


def product_of(array: Any) -> Any:
    """What multiplies matrices of an array's class: of plain ones `dot`, which goes to the BLAS without a ufunc's dispatch (0.25 us against
    0.9 for 4 x 5 by 5 x 8)."""
    return numpy.dot if type(array) is numpy.ndarray else numpy.matmul


class Replica(numpy.ndarray):
    """An array with another rounding: every sum and contraction in a random order and split, every rounded result moved by up to half
    a unit in the last place (Monte-Carlo arithmetic, Parker 1997). A careful one leaves what is exact as it is (Parker's random rounding):
    where a program stands exactly on a kink, on purpose, all that round rightly do."""

    random: ClassVar[Any] = None
    careful: ClassVar[bool] = False

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """The ufunc's result, moved; into `out` where it is given."""
        values = [x.view(numpy.ndarray) if isinstance(x, Replica) else x for x in inputs]
        if ufunc is numpy.matmul:
            result: Any = self.disturb(self.contraction(*values))
        elif method == "reduce" and ufunc is numpy.add:
            result = self.disturb(self.total(values[0], **options))
        else:
            result = getattr(ufunc, method)(*values, **options)
            if ufunc.__name__ not in EXACT and not (method == "reduce" and ufunc in (numpy.maximum, numpy.minimum)):
                result = self.disturb(result)
        if self.careful and getattr(getattr(result, "dtype", None), "kind", "") == "f":
            result = exact_kept(result, getattr(ufunc, method), values, options)
        if out is None or out[0] is None:
            return self.own(result)
        out[0].view(numpy.ndarray)[...] = result
        return out[0]

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """Functions that only move numbers (where, concatenate, pad, ...): their results stay in the class."""
        return self.own(super().__array_function__(function, types, arguments, options))

    def own(self, result: Any) -> Any:
        """A result as an array of this class; truth values and integers as they are."""
        if isinstance(result, (list, tuple)):
            return type(result)(map(self.own, result))
        kind = getattr(getattr(result, "dtype", None), "kind", "")
        return numpy.asarray(result).view(type(self)) if kind in "fc" and kind else result

    def disturb(self, result: Any) -> Any:
        """result (1 + d), d uniform in half a unit in the last place either way."""
        array = numpy.asarray(result)
        if array.dtype.kind != "f":
            return result
        moved = self.random.random(array.shape, dtype=array.dtype)
        moved -= 0.5
        moved *= numpy.finfo(array.dtype).eps
        moved *= array
        moved += array
        return moved if numpy.isfinite(moved).all() else numpy.where(numpy.isfinite(array), moved, array)

    def contraction(self, a: Any, b: Any) -> Any:
        """a @ b, its terms in a random order and in up to three parts."""
        order = self.order(a.shape[-1])
        columns = b.ndim > 1
        a, b = a[..., order], b[..., order, :] if columns else b[order]
        parts = [
            self.contract(a[..., start:stop], b[..., start:stop, :] if columns else b[start:stop])
            for start, stop in self.cuts(len(order))
        ]
        return sum(parts[1:], parts[0])

    def order(self, length: int) -> Any:
        """In which order terms are summed."""
        return self.random.permutation(length)

    def cuts(self, length: int) -> "list[tuple[int, int]]":
        """Up to three parts of a length, none of them empty."""
        cuts = numpy.sort(self.random.integers(0, length + 1, 2))
        return [(start, stop) for start, stop in zip([0, *cuts], [*cuts, length]) if stop > start] or [(0, length)]

    def contract(self, a: Any, b: Any) -> Any:
        """a @ b."""
        return a @ b

    def total(self, a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """The sum over some axes, in a random order and in up to three parts."""
        axes = tuple(range(a.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        axes = tuple(sorted(one % a.ndim for one in axes))
        left = [one for one in range(a.ndim) if one not in axes]
        rows = a.transpose(*axes, *left).reshape(-1, *(a.shape[one] for one in left))
        rows = rows[self.order(len(rows))]
        parts = [self.add_up(rows[start:stop]) for start, stop in self.cuts(len(rows))]
        found = sum(parts[1:], parts[0])
        return numpy.expand_dims(found, axes) if keepdims else found

    def add_up(self, rows: Any) -> Any:
        """The sum over the first axis."""
        return numpy.add.reduce(rows, 0)


def exact_kept(result: Any, call: Any, values: "list[Any]", options: Any) -> Any:
    """A moved result, and the true one wherever that is exact: another number format gives the same."""
    true = call(*values, **options)
    other = numpy.float64 if true.dtype == numpy.float32 else numpy.float32
    again = call(*(x.astype(other) if getattr(getattr(x, "dtype", None), "kind", "") == "f" else x for x in values), **options)
    return numpy.where(again == true, true, result)


class SequentialReplica(Replica):
    """A replica whose sums add one term after the other, as XLA's reductions on a CPU do: the least accurate order in use. In the order
    of the data, or back: neighbours are alike, so that a sum drifts further on its way than in a random order. Attention rounds
    as in fused kernels (see backends.numpy.attention)."""

    fused = True

    def order(self, length: int) -> Any:
        """As the numbers stand, or the other way round."""
        return numpy.arange(length)[:: 1 if self.random.random() < 0.5 else -1]

    def cuts(self, length: int) -> "list[tuple[int, int]]":
        """In one part."""
        return [(0, length)]

    def contract(self, a: Any, b: Any) -> Any:
        """a @ b, one term after the other; of very long sums, LONGEST parts one after the other, unless their products are few."""
        if b.ndim == 1:
            return self.add_up(numpy.moveaxis(a * b, -1, 0))
        if a.ndim == 1:
            return self.add_up(numpy.moveaxis(a[:, None] * b, -2, 0))
        size = -(-a.shape[-1] // LONGEST)
        if size > 1 and a.ndim == b.ndim == 2 and a.size * b.shape[1] <= PRODUCTS:
            return self.add_up(a.T[:, :, None] * b[:, None, :])
        found = a[..., :size] @ b[..., :size, :]
        for start in range(size, a.shape[-1], size):
            found += a[..., start : start + size] @ b[..., start : start + size, :]
        return found

    def add_up(self, rows: Any) -> Any:
        """The sum over the first axis, one term after the other; a reduction would add in pairs."""
        return numpy.add.accumulate(rows, 0)[-1] if len(rows) else numpy.add.reduce(rows, 0)
