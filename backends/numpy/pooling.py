"""Pooling: the largest or the mean of a window, or of everything."""

from __future__ import annotations

from typing import Any

import numpy

from .layer import Layer
from .windows import Window


class Pooling(Layer):
    """What both kinds have: a window over the image."""

    def setup(self) -> None:
        """The window."""
        spec, shape, places = self.spec, self.node.input_shape, self.node.output_shape
        self.window = Window(spec.window, spec.stride, (1,) * spec.rank, spec.pads(shape), shape[:-1], places[:-1])


class MaxPooling(Pooling):
    """y = the largest number of the window; it gets dy, or the first of them does, row by row."""

    def forward(self, x: Any) -> Any:
        """Keeps which number of the window is the largest: the last that is larger than all before it."""
        images = self.window.pad(self.window.images(x), -numpy.inf)
        first, *others = self.window.parts
        y = images[first].copy()
        self.largest = numpy.zeros(y.shape, numpy.min_scalar_type(len(others)))
        for number, part in enumerate(others, 1):
            larger = numpy.greater(images[part].real, y.real)
            numpy.maximum(self.largest, larger * self.largest.dtype.type(number), out=self.largest)
            # maximum is several times as fast as where, but compares imaginary parts too
            y = numpy.where(larger, images[part], y) if y.dtype.kind == "c" else numpy.maximum(y, images[part], out=y)
        return y.reshape(len(x), *self.node.output_shape)

    def backward(self, dy: Any) -> Any:
        """See above."""
        dy = dy.reshape(self.largest.shape)
        sums = self.window.zeros(dy)
        for number, part in enumerate(self.window.parts):
            self.window.add(sums, part, dy * numpy.equal(self.largest, number))
        return sums[self.window.inside].reshape(len(dy), *self.node.input_shape)


class AveragePooling(Pooling):
    """y = the sum of the window / n, n its numbers, padding counted or not; each gets dy / n."""

    def setup(self) -> None:
        """n at each place: the sum of ones."""
        super().setup()
        ones = numpy.ones((1, *self.window.size, 1), self.dtype)
        counted = self.window.pad(ones, 1 if self.spec.count_padding else 0)
        self.count = sum(counted[part] for part in self.window.parts)

    def forward(self, x: Any) -> Any:
        """See above."""
        images = self.window.pad(self.window.images(x))
        first, *others = self.window.parts
        y = images[first].copy()
        for part in others:
            y += images[part]
        y /= self.count
        return y.reshape(len(x), *self.node.output_shape)

    def backward(self, dy: Any) -> Any:
        """See above."""
        share = dy.reshape(len(dy), *self.window.places, dy.shape[-1]) / self.count
        sums = self.window.zeros(share)
        for part in self.window.parts:
            self.window.add(sums, part, share)
        return sums[self.window.inside].reshape(len(dy), *self.node.input_shape)


class GlobalAveragePooling(Layer):
    """y = the sum over all places / n; each gets dy / n."""

    def forward(self, x: Any) -> Any:
        """See above."""
        self.shape = (len(x), -1, x.shape[-1])
        places = x.reshape(self.shape)
        self.count = self.dtype.type(places.shape[1])
        return numpy.add.reduce(places, 1) / self.count

    def backward(self, dy: Any) -> Any:
        """See above."""
        dx = numpy.empty_like(dy, shape=(len(dy), *self.node.input_shape))
        dx.reshape(self.shape)[...] = (dy / self.count)[:, None]
        return dx


class GlobalMaxPooling(Layer):
    """y = the largest number of all places; it gets dy, or the first of them does, row by row."""

    def forward(self, x: Any) -> Any:
        """Keeps where it is."""
        places = x.reshape(len(x), -1, x.shape[-1])
        self.largest = numpy.argmax(places.real, 1)[:, None]
        return numpy.take_along_axis(places, self.largest, 1)[:, 0]

    def backward(self, dy: Any) -> Any:
        """See above."""
        dx = numpy.zeros_like(dy, shape=(len(dy), *self.node.input_shape))
        numpy.put_along_axis(dx.reshape(len(dy), -1, dy.shape[-1]), self.largest, dy[:, None], 1)
        return dx
