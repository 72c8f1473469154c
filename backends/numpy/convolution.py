"""Convolutions as products of matrices: the numbers that the window reads stand side by side in a row of a matrix of columns (im2col,
Chellapilla et al. 2006), a few samples at a time, so that they stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy

from .layer import Layer
from .windows import Window, block_size, blocks


class Columns:
    """What the window reads at all places of some images, and the way back. The buffers are made once.

    Attributes:
        rows: images that are worked on at once.
    """

    def __init__(self, window: Window, channels: int, groups: int, like: Any) -> None:
        self.window, self.channels, self.groups, self.like = window, channels, groups, like
        self.places, self.area = window.places[0] * window.places[1], len(window.parts)
        self.rows = block_size(self.places * self.area * channels, like)
        self.held = 0

    def hold(self, count: int) -> None:
        """Buffers for so many images."""
        if count <= self.held:
            return
        self.held = count
        window, groups = self.window, self.groups
        self.padded = numpy.zeros_like(self.like, shape=(count, *window.padded, self.channels))
        self.sums = numpy.zeros_like(self.padded)
        self.share = numpy.empty_like(self.like, shape=(count, *window.places, self.channels))
        self.columns = numpy.empty_like(self.like, shape=(groups, count * self.places, self.area * self.channels // groups))
        # the columns, and the images as they are to stand there: (groups, rows, *places, *window, channels of a group)
        self.target = self.columns.reshape(groups, count, *window.places, *window.kernel, -1)
        seen = window.seen(self.padded).reshape(count, *window.places, groups, -1, *window.kernel)
        self.source = seen.transpose(3, 0, 1, 2, 5, 6, 4)

    def gather(self, images: Any) -> Any:
        """The columns of at most `rows` images: `(groups, rows x places, window x channels of a group)`."""
        count = len(images)
        self.hold(count)
        self.padded[:count][self.window.inside] = images
        self.target[:, :count] = self.source[:, :count]
        return self.columns[:, : count * self.places]

    def scatter(self, y: Any, kernel: Any, images: Any) -> None:
        """The transposed map, into images: y W^T, added up where the columns come from. One number of the window after the other, which
        needs no columns."""
        count = len(images)
        self.hold(count)
        sums, share = self.sums[:count], self.share[:count]
        product = by_group(share, self.groups)
        weights = kernel.reshape(self.groups, self.area, -1, kernel.shape[-1])
        sums[...] = 0
        for number, part in enumerate(self.window.parts):
            numpy.matmul(y, weights[:, number].swapaxes(1, 2), product)
            sums[part] += share
        images[...] = sums[self.window.inside]


def by_group(values: Any, groups: int) -> Any:
    """`(..., channels)` as `(groups, all others, channels of a group)`: a view, where the values lie in order."""
    return values.reshape(-1, groups, values.shape[-1] // groups).transpose(1, 0, 2)


class Windowed(Layer):
    """What all convolutions have: a kernel, a bias, and a window over the larger image."""

    def setup(self) -> None:
        """The parameters."""
        self.kernel, self.bias = self.held.parameters["kernel"], self.held.parameters.get("bias")

    def window(self, image: Any, places: Any) -> Window:
        """The spec's window, put down on an image."""
        spec = self.spec
        return Window(spec.kernel, spec.stride, spec.dilation, spec.pads(self.node.input_shape), image[:-1], places[:-1])

    def bias_gradient(self, dy: Any) -> None:
        """db = sum of dy."""
        if self.bias is not None:
            numpy.add.reduce(dy.reshape(-1, dy.shape[-1]), 0, out=self.held.gradients["bias"])


class Convolution(Windowed):
    """y = columns(x) W + b; dW = columns(x)^T dy, dx = dy W^T, added up where the columns come from."""

    def setup(self) -> None:
        """The kernel as a matrix for each group."""
        super().setup()
        shape, self.groups = self.node.input_shape, self.spec.groups
        self.columns = Columns(self.window(shape, self.node.output_shape), shape[-1], self.groups, self.kernel)
        self.matrix, self.gradient = by_group(self.kernel, self.groups), by_group(self.held.gradients["kernel"], self.groups)

    def forward(self, x: Any) -> Any:
        """See above."""
        self.images = self.columns.window.images(x)
        y = numpy.empty_like(x, order="C", shape=(len(x), *self.node.output_shape))
        for some in blocks(len(x), self.columns.rows):
            numpy.matmul(self.columns.gather(self.images[some]), self.matrix, by_group(y[some], self.groups))
            if self.bias is not None:
                y[some] += self.bias
        return y

    def backward(self, dy: Any) -> Any:
        """See above."""
        self.bias_gradient(dy)
        self.gradient[...] = 0
        dx = numpy.empty_like(self.images, order="C") if self.inputs_too else None
        for some in blocks(len(dy), self.columns.rows):
            rows = by_group(dy[some], self.groups)
            self.gradient += self.columns.gather(self.images[some]).transpose(0, 2, 1) @ rows
            if dx is not None:
                self.columns.scatter(rows, self.matrix, dx[some])
        return None if dx is None else dx.reshape(len(dx), *self.node.input_shape)


class TransposedConvolution(Windowed):
    """The map that leads a convolution's gradient back: y = x W^T, added up where the columns come from, + b; dW = columns(dy)^T x,
    dx = columns(dy) W."""

    def setup(self) -> None:
        """The kernel as a matrix."""
        super().setup()
        shape = self.node.output_shape
        self.columns = Columns(self.window(shape, self.node.input_shape), shape[-1], 1, self.kernel)
        self.matrix, self.gradient = by_group(self.kernel, 1), by_group(self.held.gradients["kernel"], 1)

    def forward(self, x: Any) -> Any:
        """See above."""
        self.x = x
        y = numpy.empty_like(x, order="C", shape=(len(x), *self.node.output_shape))
        for some in blocks(len(x), self.columns.rows):
            self.columns.scatter(by_group(x[some], 1), self.matrix, y[some])
            if self.bias is not None:
                y[some] += self.bias
        return y

    def backward(self, dy: Any) -> Any:
        """See above."""
        self.bias_gradient(dy)
        self.gradient[...] = 0
        dx = numpy.empty_like(self.x, order="C") if self.inputs_too else None
        for some in blocks(len(dy), self.columns.rows):
            columns = self.columns.gather(dy[some])
            self.gradient += columns.transpose(0, 2, 1) @ by_group(self.x[some], 1)
            if dx is not None:
                numpy.matmul(columns, self.matrix, by_group(dx[some], 1))
        return dx


class DepthwiseConvolution(Windowed):
    """y = sum over the window of x W, channel by channel, + b: products of arrays, as matrices would have one row."""

    def setup(self) -> None:
        """W as `(numbers in the window, multiplier, 1, channels)`; and repeated for all places of a row, since numpy is fast where
        neighbours in memory are treated alike."""
        super().setup()
        self.over = self.window(self.node.input_shape, self.node.output_shape)
        (height, width), (channels, outputs) = self.over.places, self.kernel.shape[-2:]
        self.rows = block_size(height * width * channels, self.kernel)
        self.narrow, self.gradient = map(multiplier_first, (self.kernel, self.held.gradients["kernel"]))
        self.wide = numpy.empty_like(self.kernel, shape=(len(self.over.parts), outputs, width, channels))
        #: what is multiplied with what: a number of the window, one of the outputs of a channel, and a part of the image
        self.products = [(number, output, part) for number, part in enumerate(self.over.parts) for output in range(outputs)]

    def forward(self, x: Any) -> Any:
        """See above."""
        self.images = x
        self.wide[...] = self.narrow
        y = numpy.zeros_like(x, shape=(len(x), *self.over.places, *self.kernel.shape[-2:]))
        for some in blocks(len(x), self.rows):
            images = self.over.pad(x[some])
            for number, output, part in self.products:
                y[some][..., output] += images[part] * self.wide[number, output]
        y = y.reshape(len(x), *self.node.output_shape)
        if self.bias is not None:
            y += self.bias
        return y

    def backward(self, dy: Any) -> Any:
        """See above. The sums are products with ones, which BLAS is faster at."""
        self.bias_gradient(dy)
        self.gradient[...] = 0
        upstream = dy.reshape(len(dy), *self.over.places, *self.kernel.shape[-2:])
        dx = numpy.empty_like(self.images, order="C") if self.inputs_too else None
        for some in blocks(len(dy), self.rows):
            images = self.over.pad(self.images[some])
            sums = self.over.zeros(images)
            ones = numpy.ones_like(dy, shape=upstream[some].size // self.kernel[0, 0].size)
            for number, output, part in self.products:
                share = upstream[some][..., output]
                self.gradient[number, output, 0] += ones @ (images[part] * share).reshape(len(ones), -1)
                if dx is not None:
                    sums[part] += share * self.wide[number, output]
            if dx is not None:
                dx[some] = sums[self.over.inside]
        return dx


def multiplier_first(kernel: Any) -> Any:
    """`(height, width, channels, multiplier)` as `(height x width, multiplier, 1, channels)`: a view."""
    channels, outputs = kernel.shape[-2:]
    return kernel.reshape(-1, channels, outputs).transpose(0, 2, 1)[:, :, None]
