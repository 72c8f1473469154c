"""Convolutions and pooling, channels first."""

from __future__ import annotations

from typing import Any

import numpy

from .graph import CHANNELS_FIRST, Value
from .here import Here


def ends(pairs: Any) -> list[int]:
    """Numbers before and behind each axis as ONNX has them: all before, then all behind."""
    return [before for before, _ in pairs] + [behind for _, behind in pairs]


def channels_first(kernel: Any) -> Any:
    """`(*window, a, b)` as `(b, a, *window)`."""
    window = range(kernel.ndim - 2)
    return kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *window)


def moving(here: Here) -> dict[str, Any]:
    """Window, stride and dilation of a convolution."""
    layer = here.layer
    return {"kernel_shape": layer.kernel, "strides": layer.stride, "dilations": layer.dilation}


def convolved(here: Here, operator: str, kernel: Any, **attributes: Any) -> Value:
    """A convolution with a kernel that lies as ONNX wants it."""
    x, weights = here.x(CHANNELS_FIRST), [here.weight("kernel", kernel), *here.bias()]
    return here.give(operator, x, *weights, layout=CHANNELS_FIRST, **moving(here), **attributes)


def convolution(here: Here) -> Value:
    """Conv."""
    pads = ends(here.layer.pads(here.node.input_shape))
    return convolved(here, "Conv", channels_first(here.parameter("kernel")), pads=pads, group=here.layer.groups)


def depthwise(here: Here) -> Value:
    """Conv, each channel a group."""
    kernel = here.parameter("kernel")
    grouped = kernel.reshape(*kernel.shape[:-2], 1, -1)
    pads = ends(here.layer.pads(here.node.input_shape))
    return convolved(here, "Conv", channels_first(grouped), pads=pads, group=here.node.input_shape[-1])


def transposed(here: Here) -> Value:
    """ConvTranspose, whose output is as long as the layer says."""
    layer, shape = here.layer, here.node.input_shape
    pads, more = layer.pads(shape), []
    for axis, (before, behind) in enumerate(pads):
        whole = (shape[axis] - 1) * layer.stride[axis] + layer.reach[axis] - before - behind
        more.append(here.node.output_shape[axis] - whole)
    return convolved(here, "ConvTranspose", channels_first(here.parameter("kernel")), pads=ends(pads), output_padding=more)


def pooled(here: Here, operator: str, **attributes: Any) -> Value:
    """A window that moves over each channel."""
    layer = here.layer
    window = {"kernel_shape": layer.window, "strides": layer.stride, "pads": ends(layer.pads(here.node.input_shape))}
    return here.give(operator, here.x(CHANNELS_FIRST), layout=CHANNELS_FIRST, **window, **attributes)


def max_pooling(here: Here) -> Value:
    """MaxPool."""
    return pooled(here, "MaxPool")


def average_pooling(here: Here) -> Value:
    """AveragePool, zeros around counted or not."""
    return pooled(here, "AveragePool", count_include_pad=int(bool(here.layer.count_padding)))


def over_places(here: Here, operator: str) -> Value:
    """One number a channel, of a value as it lies."""
    value = here.reads[0]
    axes = numpy.array(sorted(value.axis(axis) for axis in range(1, value.rank)))
    return here.give(operator, here.x(here.layout), here.constant("axes", axes), keepdims=0)


def global_average_pooling(here: Here) -> Value:
    """The mean of all places."""
    return over_places(here, "ReduceMean")


def global_max_pooling(here: Here) -> Value:
    """The largest of all places."""
    return over_places(here, "ReduceMax")
