"""Larger and smaller images."""

from __future__ import annotations

from typing import Any

import numpy

from .layer import Layer
from .windows import plane


class UpSampling(Layer):
    """y = x, each number several times; dx = the sum of dy over them."""

    def setup(self) -> None:
        """Shapes `(height, times, width, times)` without and with the copies."""
        (height, width), (down, across) = plane(self.node.input_shape[:-1]), plane(self.spec.factors)
        self.once, self.often = (height, 1, width, 1), (height, down, width, across)

    def forward(self, x: Any) -> Any:
        """See above."""
        y = numpy.empty_like(x, shape=(len(x), *self.often, x.shape[-1]))
        y[...] = x.reshape(len(x), *self.once, x.shape[-1])
        return y.reshape(len(x), *self.node.output_shape)

    def backward(self, dy: Any) -> Any:
        """See above."""
        copies = dy.reshape(len(dy), *self.often, dy.shape[-1])
        return numpy.add.reduce(copies, (2, 4)).reshape(len(dy), *self.node.input_shape)


class UpSampling2D(UpSampling):
    """The same, or bilinear: y = A x B^T, A and B the shares of the rows and of the columns; dx = A^T dy B."""

    def setup(self) -> None:
        """A and B."""
        super().setup()
        self.bilinear = self.spec.interpolation == "bilinear"
        self.rows, self.columns = (shares(*axis, self.dtype) for axis in zip(self.node.input_shape, self.spec.factors))

    def forward(self, x: Any) -> Any:
        """See above."""
        return along_axes(self.rows, self.columns, x) if self.bilinear else super().forward(x)

    def backward(self, dy: Any) -> Any:
        """See above."""
        return along_axes(self.rows.T, self.columns.T, dy) if self.bilinear else super().backward(dy)


def shares(length: int, times: int, dtype: Any) -> Any:
    """How much each place of the longer axis gets of each place of the shorter one: `(length times, length)`.

    The centre of place i lies at (i + 1/2) / times - 1/2 = (2 i + 1 - times) / (2 times) on the shorter axis: between two of its
    places, or beyond the outer one, which then gives all.
    """
    found = numpy.zeros((length * times, length), dtype)
    for place in range(length * times):
        before, rest = divmod(2 * place + 1 - times, 2 * times)
        share = found.dtype.type(rest) / (2 * times)
        found[place, max(before, 0)] += 1 - share
        found[place, min(before + 1, length - 1)] += share
    return found


def along_axes(rows: Any, columns: Any, x: Any) -> Any:
    """A x B^T of each channel."""
    samples, height, width, channels = x.shape
    taller = rows @ x.reshape(samples, height, width * channels)
    return columns @ taller.reshape(samples, -1, width, channels)


class Framed(Layer):
    """A smaller image inside a larger one."""

    def frame(self, sides: Any, shape: Any) -> None:
        """So many places of the larger one, of a shape, are outside before and after each axis."""
        self.larger = shape
        self.inside = (slice(None), *(slice(before, length - after) for (before, after), length in zip(sides, shape)))

    def cut(self, x: Any) -> Any:
        """What is inside of a larger one."""
        return x[self.inside]

    def surround(self, x: Any) -> Any:
        """A smaller one with zeros around it."""
        y = numpy.zeros_like(x, shape=(len(x), *self.larger))
        y[self.inside] = x
        return y


class ZeroPadding(Framed):
    """y = x with zeros around; dx = the inside of dy."""

    def setup(self) -> None:
        """The zeros."""
        self.frame(self.spec.pads(self.node.input_shape), self.node.output_shape)

    def forward(self, x: Any) -> Any:
        """See above."""
        return self.surround(x)

    def backward(self, dy: Any) -> Any:
        """See above."""
        return self.cut(dy)


class Cropping(Framed):
    """y = the inside of x; dx = dy with zeros around."""

    def setup(self) -> None:
        """What is cut off."""
        self.frame(self.spec.cuts(self.node.input_shape), self.node.input_shape)

    def forward(self, x: Any) -> Any:
        """See above."""
        return self.cut(x)

    def backward(self, dy: Any) -> Any:
        """See above."""
        return self.surround(dy)
