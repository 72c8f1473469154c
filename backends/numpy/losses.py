"""Losses: value and gradient at once. Formulas, weights and reductions: harness.spec.losses."""

from __future__ import annotations

import math
from typing import Any, Dict, Tuple, Type

import numpy

#: below it a vector's square length counts as this, in cosine similarity
SMALLEST = 1e-12


class Loss:
    """One loss; `__call__(z, y, w)` gives its value and its gradient at z."""

    def __init__(self, spec: Any, dtype: str) -> None:
        self.spec, self.number = spec, numpy.dtype(dtype).type
        self.one, self.two = self.number(1), self.number(2)
        self.sizes: Tuple[Any, Any] = ((), None)

    def __call__(self, z: Any, y: Any, w: Any = None) -> Tuple[Any, Any]:
        """
        Args:
            z: outputs, `(rows, ..., width)`.
            y: targets, `(rows, ...)` classes or like z.
            w: sample weights, `(rows, ...)`; None where there are none.
        """
        terms, dz = self.terms(z, y)
        shares = self.shares(z, w)
        if w is not None:
            spread = w[..., None] if self.spec.elementwise else w
            terms = terms * spread
            dz *= w[..., None]
        dz /= shares
        return numpy.add.reduce(terms, None) / shares, dz

    def shares(self, z: Any, w: Any) -> Any:
        """What the sum of the weighted terms is divided by."""
        if self.sizes[0] != z.shape:
            width, rows = self.number(z.shape[-1] if self.spec.elementwise else 1), self.number(z.size // z.shape[-1])
            self.sizes = (z.shape, (width, width if self.spec.reduction == "sum" else width * rows))
        width, whole = self.sizes[1]
        return width * w.sum() if w is not None and self.spec.reduction == "weighted_mean" else whole

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """Terms, and the gradient of their sum at z, a new array. Of an elementwise loss the terms are like z, otherwise
        `(rows, ...)`."""
        raise NotImplementedError


class MeanSquaredError(Loss):
    """t = d^2, d = z - y; dt = 2 d."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        d = z - y
        return d * d, d * self.two


class MeanAbsoluteError(Loss):
    """t = |d|; dt = sign(d)."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        d = z - y
        sign = numpy.sign(d.real).astype(z.dtype)
        return d * sign, sign


class Huber(Loss):
    """t = d^2 / 2 or delta (|d| - delta / 2); dt = d cut to [-delta, delta]."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        delta, d = self.number(self.spec.delta), z - y
        size = d * numpy.sign(d.real).astype(z.dtype)
        near = size.real <= delta.real
        terms = numpy.where(near, d * d * self.number(0.5), delta * (size - delta * self.number(0.5)))
        return terms, numpy.where(near, d, delta * numpy.sign(d.real).astype(z.dtype))


class LogCosh(Loss):
    """t = |d| + log(1 + exp(-2 |d|)) - log(2); dt = tanh(d)."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        d = z - y
        size = d * numpy.sign(d.real).astype(z.dtype)
        return size + numpy.log1p(numpy.exp(size * self.number(-2))) - self.number(math.log(2)), numpy.tanh(d)


class BinaryCrossEntropy(Loss):
    """dt = sigmoid(z) - y. With e = exp(-|z|): log(1 + exp(-|z|)) = log1p(e), sigmoid(z) = (1 or e) / (1 + e)."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        smoothing = self.spec.label_smoothing
        if smoothing:
            y = y * self.number(1 - smoothing) + self.number(smoothing / 2)
        positive, one, zero = z.real > 0, self.number(1), self.number(0)
        e = numpy.exp(numpy.where(positive, -z, z))
        terms = numpy.where(positive, z, zero) - z * y + numpy.log1p(e)
        return terms, numpy.where(positive, one, e) / (one + e) - y


class SoftmaxCrossEntropy(Loss):
    """t = log(sum exp(z)) - sum(y z); dt = softmax(z) - y."""

    #: of the rows that were seen last: where each begins, and a one for each of its numbers
    starts: Any = numpy.empty(0)
    ones: Any = numpy.empty(0)

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above; the largest z is taken out of the sum first."""
        rows = z.reshape(-1, z.shape[-1])
        if len(self.starts) != len(rows):
            self.starts, self.ones = numpy.arange(len(rows)) * rows.shape[-1], numpy.ones(rows.shape[-1], z.dtype)
        top = numpy.maximum.reduce(rows, -1, keepdims=True)
        dz = rows - top
        numpy.exp(dz, dz)
        total = (dz @ self.ones)[:, None]
        dz /= total
        level = (numpy.log(total) + top)[:, 0]
        terms = (self.of_classes if y.ndim < z.ndim else self.of_shares)(rows, y, level, dz)
        return (terms, dz) if z.ndim == 2 else (terms.reshape(z.shape[:-1]), dz.reshape(z.shape))

    def of_classes(self, rows: Any, y: Any, level: Any, dz: Any) -> Any:
        """Terms of rows with a class each; their gradient, in place."""
        places = self.starts + y.reshape(-1)
        right, flat, smoothing = rows.reshape(-1)[places], dz.reshape(-1), self.spec.label_smoothing
        if not smoothing:
            flat[places] -= self.one
            return level - right
        rest = self.one - self.number(smoothing)
        share = self.number(smoothing) / self.number(rows.shape[-1])
        dz -= share
        flat[places] -= rest
        return level - right * rest - numpy.add.reduce(rows, -1) * share

    def of_shares(self, rows: Any, y: Any, level: Any, dz: Any) -> Any:
        """Terms of rows with a share of each class; their gradient, in place."""
        y = y.reshape(rows.shape)
        if self.spec.label_smoothing:
            smoothing = self.number(self.spec.label_smoothing)
            y = y * (self.one - smoothing) + smoothing / self.number(rows.shape[-1])
        dz *= numpy.add.reduce(y, -1, keepdims=True)
        dz -= y
        return level * numpy.add.reduce(y, -1) - numpy.add.reduce(rows * y, -1)


class KLDivergence(Loss):
    """t = sum y (log(y) - z); dt = -y."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        one = self.number(1)
        entropy = y * numpy.log(numpy.where(y.real > 0, y, one))
        return numpy.add.reduce(entropy - y * z, -1), numpy.negative(y)


class CosineSimilarity(Loss):
    """t = 1 - s, s = sum(z y) / (|z| |y|); dt = -(y / |y| - s z / |z|) / |z|."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above; below the smallest length, |z| is a constant."""
        smallest, one = self.number(SMALLEST), self.number(1)
        square = numpy.add.reduce(z * z, -1, keepdims=True)
        long_enough = square.real > smallest.real
        length = numpy.sqrt(numpy.where(long_enough, square, smallest))
        unit = y / numpy.sqrt(numpy.maximum(numpy.add.reduce(y * y, -1, keepdims=True), smallest))
        share = numpy.add.reduce(z * unit, -1, keepdims=True) / length
        dz = (numpy.where(long_enough, share * z / length, self.number(0)) - unit) / length
        return one - share[..., 0], dz


class Poisson(Loss):
    """t = exp(z) - y z; dt = exp(z) - y."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        rate = numpy.exp(z)
        return rate - y * z, rate - y


class Hinge(Loss):
    """t = max(0, 1 - y z); dt = -y where y z < 1."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        gap, zero = self.number(1) - y * z, self.number(0)
        inside = gap.real > 0
        return numpy.where(inside, gap, zero), numpy.where(inside, -y, zero)


class Perceptron(Loss):
    """t = max(0, -y z); dt = -y where y z <= 0."""

    def terms(self, z: Any, y: Any) -> Tuple[Any, Any]:
        """See above."""
        side, zero = -y * z, self.number(0)
        wrong = side.real >= 0
        return numpy.where(wrong, side, zero), numpy.where(wrong, -y, zero)


LOSSES: Dict[str, Type[Loss]] = {
    "mse": MeanSquaredError, "mae": MeanAbsoluteError, "huber": Huber, "log_cosh": LogCosh, "binary_cross_entropy": BinaryCrossEntropy,
    "softmax_cross_entropy": SoftmaxCrossEntropy, "kl_divergence": KLDivergence, "cosine_similarity": CosineSimilarity,
    "poisson": Poisson, "hinge": Hinge, "perceptron": Perceptron,
}  # fmt: skip
