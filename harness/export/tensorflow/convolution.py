"""Convolutions as expressions; see the functions `spread` and `by_group` for what the gradients on CPUs lack."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .text import Writing, around, every, one_or_all, padded


def padding(w: Writing) -> str:
    """The word where TensorFlow has one, else places before and after each axis."""
    pads = w.layer.pads(w.shape)
    if not any(map(any, pads)):
        return '"VALID"'
    return '"SAME"' if w.layer.padding == "same" else around(pads)


def kernel(w: Writing) -> str:
    """The kernel, its dilation by zeros."""
    return f"spread({w.weight('kernel')}, {w.layer.dilation})" if max(w.layer.dilation) > 1 else w.weight("kernel")


#: why a stride stands before a convolution
STRIDED = "  # a slice: with a stride instead, the gradient may write beyond its memory (TensorFlow 2.21, CPU, float32)"


def convolution(w: Writing) -> str:
    """Group by group, where there are some."""
    layer, x, where, strides = w.layer, w.x, padding(w), layer_strides(w)
    why = STRIDED if w.draft.dtype == "float32" and math.prod(layer.kernel) == 1 and max(layer.stride) > 1 else ""
    if why:
        x, where, strides = every(padded(x, layer.pads(w.shape)), layer.stride), '"VALID"', "1"
    elif where.startswith("[") and layer.rank == 1:  # tf.nn.conv1d takes words only
        x, where = padded(x, layer.pads(w.shape)), '"VALID"'
    function = f"tf.nn.conv{layer.rank}d"
    if layer.groups > 1:
        return w.biased(f"by_group({function}, {x}, {kernel(w)}, {layer.groups}, {strides}, {where})") + why
    return w.biased(f"{function}({x}, {kernel(w)}, {strides}, {where})") + why


def layer_strides(w: Writing) -> str:
    """Its strides."""
    return one_or_all(w.layer.stride)


def depthwise(w: Writing) -> str:
    """tf.nn.depthwise_conv2d wants one stride for both axes: with two, it takes every place, and most are dropped. Explicit padding ends
    the process in float32 at times (TensorFlow 2.21): zeros by hand."""
    (down, right), pads = w.layer.stride, w.layer.pads(w.shape)
    word = down == right and not padding(w).startswith("[")
    x, where = (w.x, padding(w)) if word else (padded(w.x, pads), '"VALID"')
    step = down if down == right else 1
    y = f"tf.nn.depthwise_conv2d({x}, {kernel(w)}, {(1, step, step, 1)}, {where})"
    return w.biased(y if down == right else every(y, (down, right)))


def transposed(w: Writing) -> str:
    """tf.nn.conv2d_transpose, which wants the shape of its output. It takes no more places at the end than a stride is long; more show
    places that padding would cut off, then nothing but zeros."""
    layer, where, shape = w.layer, padding(w), list(w.node.output_shape)
    behind = [0, 0]
    if any(extra >= stride for extra, stride in zip(layer.extra, layer.stride, strict=True)):
        pads = []
        for axis, (before, after) in enumerate(layer.pads(w.shape)):
            shown = min(layer.extra[axis], after)
            behind[axis] = layer.extra[axis] - shown
            shape[axis] -= behind[axis]
            pads.append((before, after - shown))
        where = around(pads)
    numbers = ", ".join([f"{w.x}.shape[0]", *map(str, shape)])
    y = f"tf.nn.conv2d_transpose({w.x}, {kernel(w)}, ({numbers}), {layer_strides(w)}, {where})"
    return w.biased(padded(y, [(0, places) for places in behind]))


#: type -> the expression of a node's value
CONVOLUTION: Mapping[str, Callable[[Writing], str]] = {
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": depthwise, "conv2d_transpose": transposed,
}  # fmt: skip
