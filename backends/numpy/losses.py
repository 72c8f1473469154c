"""Losses by hand: value and gradient at once. z is `(rows, width)`; the gradient has its shape and is overwritten by the next
call. Formulas: harness.spec.losses."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

import numpy


class Loss:
    """One loss; `__call__(z, y)` gives the mean loss and its gradient at z."""

    def __init__(self, ops: Any, dtype: str) -> None:
        self.ops, self.dtype, self.shape = ops, numpy.dtype(dtype), ()

    def resize(self, shape: Tuple[int, ...]) -> None:
        """Make buffers for outputs of a shape."""
        self.shape = shape
        self.dz, self.work = numpy.empty(shape, self.dtype), numpy.empty(shape, self.dtype)
        self.ones = numpy.ones(self.dz.size, self.dtype)
        self.columns = numpy.ones(shape[-1], self.dtype)
        self.index = numpy.arange(shape[0])
        self.count = self.dtype.type(self.dz.size)
        self.rows = self.dtype.type(shape[0])

    def __call__(self, z: Any, y: Any) -> Tuple[Any, Any]:
        if z.shape != self.shape:
            self.resize(z.shape)
        return self.value(z, y), self.dz

    def value(self, z: Any, y: Any) -> Any:
        """The mean loss; leaves the gradient in `dz`."""
        raise NotImplementedError

    def total(self, terms: Any) -> Any:
        """The sum of all terms, as a contraction, so that its order can be replayed."""
        return self.ops.dot(terms.reshape(-1), self.ones)


class MeanSquaredError(Loss):
    """dz = 2 (z - y) / n."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz = self.ops, self.dz
        ops.subtract(z, y, out=dz)
        flat = dz.reshape(-1)
        loss = ops.divide(ops.dot(flat, flat), self.count)
        ops.multiply(dz, 2 / self.count, out=dz)
        return loss


class MeanAbsoluteError(Loss):
    """dz = sign(z - y) / n."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.subtract(z, y, out=work)
        sign = (work > 0).astype(self.dtype) - (work < 0).astype(self.dtype)
        ops.divide(sign, self.count, out=dz)
        return ops.divide(self.total(numpy.multiply(work, sign, out=work)), self.count)


class BinaryCrossEntropy(Loss):
    """dz = (sigmoid(z) - y) / n. With e = exp(-|z|): log(1 + exp(-|z|)) = log1p(e), sigmoid(z) = (1 or e) / (1 + e)."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        positive = z > 0
        e = ops.exp(numpy.where(positive, -z, z))
        ops.subtract(numpy.where(positive, z, 0), ops.multiply(z, y), out=work)
        ops.add(work, ops.log1p(e), out=work)
        ops.divide(numpy.where(positive, 1, e), ops.add(e, 1), out=dz)
        ops.subtract(dz, y, out=dz)
        ops.divide(dz, self.count, out=dz)
        return ops.divide(self.total(work), self.count)


class SoftmaxCrossEntropy(Loss):
    """dz = (softmax(z) - onehot(y)) / rows, for integer y `(rows,)` or one-hot y `(rows, classes)`."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.subtract(z, z.max(axis=-1, keepdims=True), out=work)
        ops.exp(work, out=dz)
        total = ops.dot(dz, self.columns)
        ops.divide(dz, total[:, None], out=dz)
        if y.ndim == 1:
            picked = work[self.index, y]
            dz[self.index, y] = ops.subtract(dz[self.index, y], 1)
        else:
            picked = ops.dot(numpy.multiply(work, y, out=work), self.columns)
            ops.subtract(dz, y, out=dz)
        ops.multiply(dz, 1 / self.rows, out=dz)
        return ops.divide(ops.dot(ops.subtract(ops.log(total), picked), self.ones[: len(z)]), self.rows)


class Hinge(Loss):
    """dz = -y / n where y z < 1."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.subtract(1, ops.multiply(y, z, out=work), out=work)
        active = work > 0
        ops.divide(numpy.where(active, -y, 0), self.count, out=dz)
        return ops.divide(self.total(numpy.where(active, work, 0)), self.count)


class Perceptron(Loss):
    """dz = -y / n where y z <= 0."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.multiply(y, z, out=work)
        wrong = work <= 0
        ops.divide(numpy.where(wrong, -y, 0), self.count, out=dz)
        return ops.divide(self.total(numpy.where(wrong, -work, 0)), self.count)


LOSSES: Dict[str, Type[Loss]] = {
    "mse": MeanSquaredError, "mae": MeanAbsoluteError, "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy, "hinge": Hinge, "perceptron": Perceptron,
}  # fmt: skip
