"""Convolutions, over channels-last values as images of torch's."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from torch.nn import functional

from harness.spec import Node

from .layout import IMAGES, channels_first, channels_last, pads_of, pair
from .tensors import Function, Tensors


def convolution(node: Node, net: Tensors) -> Function:
    """conv1d, conv2d and depthwise_conv2d: in the last, each channel is a group.

    A window of one number that moves in strides reads only some places, so those are taken out first: with torch 2.13's oneDNN the kernel's
    gradient is wrong otherwise (by 60 % for images of 6 x 12 with two channels that lie last in memory, AVX2)."""
    layer: Any = node.layer
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    groups = node.input_shape[-1] if layer.type == "depthwise_conv2d" else layer.groups
    stride, dilation = pair(layer.stride, 1), pair(layer.dilation, 1)
    taken = math.prod(layer.kernel) == 1 and max(stride) > 1
    padding, before = pads_of(layer.pads(node.input_shape), (0, 0) if taken else node.input_shape)
    (down, across), stride = (stride, (1, 1)) if taken else ((1, 1), stride)
    image, back = IMAGES[layer.rank]

    def forward(x: Any) -> Any:
        x = image(x)
        if before is not None:
            x = functional.pad(x, before)
        if taken:
            x = x[:, :, ::down, ::across]
        return back(functional.conv2d(x, weight, bias, stride, padding, dilation, groups))

    return forward


class Edge(NamedTuple):
    """What a transposed convolution does at both ends of one axis: torch's `padding` and `output_padding`, and what is cut off at last."""

    padding: int
    output_padding: int
    before: int
    behind: int


def edge(before: int, behind: int, limit: int) -> Edge:
    """What takes so many places off both ends (negative: adds them). The same at both is torch's padding, less behind its output_padding,
    which has to be below `limit`; only else something is cut off."""
    if 0 <= before - behind < limit:
        return Edge(before, before - behind, 0, 0)
    shared = min(before, max(behind, 0))
    return Edge(shared, max(-behind, 0), before - shared, max(behind, 0) - shared)


def transposed(node: Node, net: Tensors) -> Function:
    """conv2d_transpose. With a window of one number, torch 2.13's oneDNN gives a wrong gradient of the kernel (by 84 % for images of 7 x 6
    with an output_padding) where image or kernel lies channels last in memory, so there nothing does."""
    layer: Any = node.layer
    lies_last = math.prod(layer.kernel) > 1
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    stride, dilation = layer.stride, layer.dilation
    whole = [(size - 1) * one + reach for size, one, reach in zip(node.input_shape, stride, layer.reach)]
    ends = [
        edge(before, full - before - length, max(one, rate))
        for full, (before, _), length, one, rate in zip(whole, layer.pads(node.input_shape), node.output_shape, stride, dilation)
    ]
    padding, output_padding = tuple(end.padding for end in ends), tuple(end.output_padding for end in ends)
    rows, columns = (places(end, length) for end, length in zip(ends, node.output_shape))
    cut = any(end.before or end.behind for end in ends)

    def forward(x: Any) -> Any:
        x = channels_first(x)
        x = x if lies_last else x.contiguous()
        y = functional.conv_transpose2d(x, weight, bias, stride, padding, output_padding, 1, dilation)
        y = channels_last(y)
        return y[:, rows, columns] if cut else y

    return forward


def places(end: Edge, length: int) -> slice:
    """What is left of an axis."""
    return slice(end.before, end.before + length)
