"""Pooling, up-sampling, zeros around, cropping. A sequence is an image of height one."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy
import tensorflow as tf

from harness.spec import Node

from .convolution import padding
from .run import Layer, Run

Own = Dict[str, Any]


def window(node: Node) -> Tuple[Any, Any, Any]:
    """Window, strides and places around, of two axes."""
    layer: Any = node.layer
    one, none = (1,) * (2 - layer.rank), ((0, 0),) * (2 - layer.rank)
    return (*one, *layer.window), (*one, *layer.stride), (*none, *layer.pads(node.input_shape))


def image(node: Node, x: Any) -> Any:
    """The input as an image."""
    return x if len(node.input_shape) == 3 else x[:, None]


def max_pooling(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """tf.nn.max_pool2d. Padding by hand: XLA's pooling takes none that is explicit."""
    size, strides, around = window(node)
    x = image(node, inputs[0])
    x = tf.pad(x, padding(around), constant_values=x.dtype.min) if any(map(any, around)) else x
    y = tf.nn.max_pool2d(x, size, strides, "VALID")
    return y if len(node.input_shape) == 3 else y[:, 0]


def average_pooling(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """tf.nn.avg_pool2d over zeros around; where they do not count, the mean is taken to the numbers that do."""
    layer: Any = node.layer
    size, strides, around = window(node)
    x = image(node, inputs[0])
    if any(map(any, around)):
        ones = numpy.pad(numpy.ones((1, *x.shape[1:3], 1)), padding(around))
        x = tf.pad(x, padding(around))
        y = tf.nn.avg_pool2d(x, size, strides, "VALID")
        if not layer.count_padding:
            y = y * tf.constant(size[0] * size[1] / counted(ones, size, strides), y.dtype)
    else:
        y = tf.nn.avg_pool2d(x, size, strides, "VALID")
    return y if len(node.input_shape) == 3 else y[:, 0]


def counted(ones: Any, size: Any, strides: Any) -> Any:
    """How many ones each window holds, `(1, height, width, 1)`."""
    windows = numpy.lib.stride_tricks.sliding_window_view(ones, size, (1, 2))[:, :: strides[0], :: strides[1]]
    return windows.sum((-1, -2))


def global_average(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """The mean over all places."""
    return tf.reduce_mean(inputs[0], list(range(1, len(node.input_shape))))


def global_max(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Pooling with one window: tf.reduce_max splits the gradient where several are largest."""
    x = image(node, inputs[0])
    return tf.reshape(tf.nn.max_pool2d(x, x.shape[1:3], 1, "VALID"), (-1, x.shape[-1]))


def nearest(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Every place several times."""
    layer: Any = node.layer
    y = inputs[0]
    for axis, factor in enumerate(layer.factors, 1):
        y = y if factor == 1 else tf.repeat(y, factor, axis)
    return y


def up_sampling2d(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Nearest, or bilinear axis by axis: tf.image.resize gives float32 only."""
    layer: Any = node.layer
    if layer.interpolation == "nearest":
        return nearest(node, inputs, own, run)
    y = inputs[0]
    for axis, factor in enumerate(layer.factors, 1):
        y = y if factor == 1 else between(y, axis, factor)
    return y


def between(x: Any, axis: int, factor: int) -> Any:
    """An axis `factor` times as long, on lines between the centres of its places, constant beyond the outer ones."""
    length = x.shape[axis]
    centres = numpy.clip((numpy.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    low = numpy.floor(centres).astype(int)
    shape = [1] * len(x.shape)
    shape[axis] = -1
    share = tf.constant((centres - low).reshape(shape), x.dtype)
    left, right = tf.gather(x, low, axis=axis), tf.gather(x, numpy.minimum(low + 1, length - 1), axis=axis)
    return left * (1 - share) + right * share


def zero_padding(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Zeros around."""
    layer: Any = node.layer
    return tf.pad(inputs[0], padding(layer.pads(node.input_shape)))


def cropping(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Places cut off."""
    layer: Any = node.layer
    cuts = layer.cuts(node.input_shape)
    return inputs[0][(slice(None), *(slice(before, length - after) for length, (before, after) in zip(node.input_shape, cuts)))]


POOLING: Dict[str, Layer] = {
    "max_pooling1d": max_pooling, "max_pooling2d": max_pooling, "average_pooling1d": average_pooling, "average_pooling2d": average_pooling,
    "global_average_pooling1d": global_average, "global_average_pooling2d": global_average,
    "global_max_pooling1d": global_max, "global_max_pooling2d": global_max, "up_sampling1d": nearest, "up_sampling2d": up_sampling2d,
    "zero_padding1d": zero_padding, "zero_padding2d": zero_padding, "cropping1d": cropping, "cropping2d": cropping,
}  # fmt: skip
