"""Losses by hand: value and gradient at once. Outputs z are `(width, rows)`; so is the gradient, which the next call overwrites.
Formulas: harness.spec.losses."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

import numpy


class Loss:
    """One loss; `__call__(z, y)` gives the mean loss and its gradient at z."""

    def __init__(self, ops: Any, dtype: str) -> None:
        self.ops, self.dtype = ops, numpy.dtype(dtype)
        self.shape: Tuple[int, ...] = ()

    def resize(self, shape: Tuple[int, ...]) -> None:
        """Make buffers for outputs of a shape."""
        self.shape = shape
        width, rows = shape
        self.dz, self.work = numpy.empty(shape, self.dtype), numpy.empty(shape, self.dtype)
        self.flat = self.dz.reshape(-1)
        self.top, self.total, self.picked = (numpy.empty(rows, self.dtype) for _ in range(3))
        self.ones, self.features = numpy.ones(self.dz.size, self.dtype), numpy.ones(width, self.dtype)
        self.rows, self.count = self.dtype.type(rows), self.dtype.type(self.dz.size)
        self.row_share, self.twice = numpy.array(1 / self.rows), numpy.array(2 / self.count)
        self.columns, self.stride, self.index = numpy.arange(rows), numpy.array(rows), numpy.empty(rows, numpy.int64)

    def __call__(self, z: Any, y: Any) -> Tuple[Any, Any]:
        if z.shape != self.shape:
            self.resize(z.shape)
        return self.value(z, y), self.dz

    def value(self, z: Any, y: Any) -> Any:
        """The mean loss; leaves the gradient in `dz`."""
        raise NotImplementedError

    def mean(self, terms: Any) -> Any:
        """The mean of all terms, their sum as a contraction, so that its order can be replayed."""
        return self.ops.dot(terms.reshape(-1), self.ones) / self.count


class MeanSquaredError(Loss):
    """dz = 2 (z - y) / n."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, flat = self.ops, self.dz, self.flat
        ops.subtract(z, y, dz)
        loss = ops.dot(flat, flat) / self.count
        ops.multiply(dz, self.twice, dz)
        return loss


class MeanAbsoluteError(Loss):
    """dz = sign(z - y) / n."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.subtract(z, y, work)
        sign = (work > 0).astype(self.dtype) - (work < 0).astype(self.dtype)
        ops.divide(sign, self.count, dz)
        return self.mean(numpy.multiply(work, sign, work))


class BinaryCrossEntropy(Loss):
    """dz = (sigmoid(z) - y) / n. With e = exp(-|z|): log(1 + exp(-|z|)) = log1p(e), sigmoid(z) = (1 or e) / (1 + e)."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        positive = z > 0
        e = ops.exp(numpy.where(positive, -z, z))
        ops.subtract(numpy.where(positive, z, 0), ops.multiply(z, y), work)
        ops.add(work, ops.log1p(e), work)
        ops.divide(numpy.where(positive, 1, e), ops.add(e, 1), dz)
        ops.subtract(dz, y, dz)
        ops.divide(dz, self.count, dz)
        return self.mean(work)


class SoftmaxCrossEntropy(Loss):
    """dz = (softmax(z) - onehot(y)) / rows, for integer y `(rows,)` or one-hot y `(classes, rows)`."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, total, picked, share = self.ops, self.dz, self.total, self.picked, self.row_share
        ops.subtract(z, z.max(0, self.top), dz)
        integer = y.ndim == 1
        if integer:
            numpy.add(numpy.multiply(y, self.stride, self.index), self.columns, self.index)
            self.flat.take(self.index, 0, picked, "clip")
        else:
            ops.dot(self.features, numpy.multiply(dz, y, self.work), picked)
        ops.dot(self.features, ops.exp(dz, dz), total)
        ops.multiply(dz, ops.divide(share, total, self.top), dz)
        if integer:
            self.flat[self.index] -= share
        else:
            ops.subtract(dz, numpy.multiply(y, share, self.work), dz)
        ops.subtract(ops.log(total, total), picked, picked)
        return ops.dot(picked, self.ones[: len(picked)]) / self.rows


class Hinge(Loss):
    """dz = -y / n where y z < 1."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.subtract(1, ops.multiply(y, z, work), work)
        active = work > 0
        ops.divide(numpy.where(active, -y, 0), self.count, dz)
        return self.mean(numpy.where(active, work, 0))


class Perceptron(Loss):
    """dz = -y / n where y z <= 0."""

    def value(self, z: Any, y: Any) -> Any:
        ops, dz, work = self.ops, self.dz, self.work
        ops.multiply(y, z, work)
        wrong = work <= 0
        ops.divide(numpy.where(wrong, -y, 0), self.count, dz)
        return self.mean(numpy.where(wrong, -work, 0))


LOSSES: Dict[str, Type[Loss]] = {
    "mse": MeanSquaredError, "mae": MeanAbsoluteError, "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy, "hinge": Hinge, "perceptron": Perceptron,
}  # fmt: skip
