"""Convolutions, with explicit padding. On the CPU the gradients of tf.nn.conv2d know neither dilation nor groups: a dilated kernel is
spread with zeros, groups are split."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Sequence

import tensorflow as tf

from harness.spec import Node

from .run import Layer, Run

Own = Dict[str, Any]


def padding(around: Sequence[Any]) -> List[List[int]]:
    """Zeros before and after each axis, as TensorFlow wants them."""
    return [[0, 0], *(list(both) for both in around), [0, 0]]


def spread(kernel: Any, dilation: Sequence[int]) -> Any:
    """A kernel `(height, width, ...)` with dilation - 1 zeros between its numbers."""
    for axis, rate in enumerate(dilation):
        if rate > 1:
            shape = kernel.shape
            apart = tf.reshape(kernel, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
            around = [[0, 0]] * (axis + 1) + [[0, rate - 1]] + [[0, 0]] * (len(shape) - axis - 1)
            kernel = tf.reshape(tf.pad(apart, around), (*shape[:axis], -1, *shape[axis + 1 :]))
            kernel = kernel[(*(slice(None) for _ in range(axis)), slice(0, (shape[axis] - 1) * rate + 1))]
    return kernel


def biased(y: Any, own: Own) -> Any:
    """With the bias, where there is one."""
    return tf.nn.bias_add(y, own["bias"]) if "bias" in own else y


def conv2d(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """tf.nn.conv2d, group by group."""
    layer: Any = node.layer
    return biased(grouped(inputs[0], own["kernel"], layer, layer.stride, layer.dilation, layer.pads(node.input_shape)), own)


def grouped(x: Any, kernel: Any, layer: Any, strides: Any, dilation: Any, around: Any) -> Any:
    """The convolution of each group, side by side. A window of one number reads some places only, which are taken out first: with few
    channels oneDNN's gradient writes beyond its memory (TensorFlow 2.21, float32: `corrupted double-linked list`)."""
    if math.prod(kernel.shape[:2]) == 1 and max(strides) > 1:
        x = tf.pad(x, padding(around))[:, :: strides[0], :: strides[1]]
        strides, around = (1, 1), ((0, 0), (0, 0))
    kernel, count = spread(kernel, dilation), layer.groups
    if count == 1:
        return tf.nn.conv2d(x, kernel, strides, padding(around))
    parts = zip(tf.split(x, count, -1), tf.split(kernel, count, -1))
    return tf.concat([tf.nn.conv2d(part, own, strides, padding(around)) for part, own in parts], -1)


def conv1d(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """A conv2d over images of height one."""
    layer: Any = node.layer
    x, kernel = inputs[0][:, None], own["kernel"][None]
    y = grouped(x, kernel, layer, (1, *layer.stride), (1, *layer.dilation), ((0, 0), *layer.pads(node.input_shape)))
    return biased(y[:, 0], own)


def depthwise_conv2d(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """tf.nn.depthwise_conv2d, which wants one stride for both axes: with two, it takes every place, and most are dropped."""
    layer: Any = node.layer
    (down, right), kernel = layer.stride, spread(own["kernel"], layer.dilation)
    step, around = down if down == right else 1, layer.pads(node.input_shape)
    # zeros by hand: in float32 some explicit padding ends the process (SIGABRT, 2.21 on CPUs)
    x = tf.pad(inputs[0], padding(around)) if any(map(any, around)) else inputs[0]
    y = tf.nn.depthwise_conv2d(x, kernel, (1, step, step, 1), "VALID")
    return biased(y if down == right else y[:, ::down, ::right], own)


def conv2d_transpose(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """tf.nn.conv2d_transpose, the gradient of a convolution over the output."""
    layer: Any = node.layer
    shape = (tf.shape(inputs[0])[0], *node.output_shape)
    kernel, around = spread(own["kernel"], layer.dilation), padding(layer.pads(node.input_shape))
    return biased(tf.nn.conv2d_transpose(inputs[0], kernel, shape, layer.stride, around), own)


CONVOLUTION: Dict[str, Layer] = {
    "conv1d": conv1d, "conv2d": conv2d, "depthwise_conv2d": depthwise_conv2d, "conv2d_transpose": conv2d_transpose,
}  # fmt: skip
