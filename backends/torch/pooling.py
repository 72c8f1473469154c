"""Pooling, over channels-last values as images of torch's."""

from __future__ import annotations

from typing import Any, Tuple

import numpy
from torch.nn import functional

from harness.spec import Node
from harness.spec.layers.base import Pads

from .layout import IMAGES, pads_of, pair
from .tensors import Function, Tensors


def halves(window: Tuple[int, ...]) -> Tuple[int, ...]:
    """The most that torch's pooling pads."""
    return tuple(length // 2 for length in window)


def max_pooling(node: Node, net: Tensors) -> Function:
    """The largest of each window; the gradient goes to the first of equal ones."""
    layer: Any = node.layer
    window, stride = pair(layer.window, 1), pair(layer.stride, 1)
    padding, before = pads_of(layer.pads(node.input_shape), halves(layer.window))
    image, back = IMAGES[layer.rank]

    def forward(x: Any) -> Any:
        x = image(x)
        if before is not None:
            x = functional.pad(x, before, value=-float("inf"))
        return back(functional.max_pool2d(x, window, stride, padding))

    return forward


def average_pooling(node: Node, net: Tensors) -> Function:
    """The mean of each window, zeros around counted or not."""
    layer: Any = node.layer
    window, stride = pair(layer.window, 1), pair(layer.stride, 1)
    pads, counted = layer.pads(node.input_shape), bool(layer.count_padding)
    padding, before = pads_of(pads, halves(layer.window))
    image, back = IMAGES[layer.rank]
    if before is None:
        return lambda x: back(functional.avg_pool2d(image(x), window, stride, padding, count_include_pad=counted))
    if counted:
        return lambda x: back(functional.avg_pool2d(functional.pad(image(x), before), window, stride))
    counts = net.constant(filled(node, pads))
    return lambda x: back(functional.avg_pool2d(functional.pad(image(x), before), window, stride, divisor_override=1) / counts)


def filled(node: Node, pads: Pads) -> Any:
    """How many values that are no padding each window has, `(height, width)`."""
    layer: Any = node.layer
    counts = [
        numpy.array([covered(place * one - start, window, size) for place in range(length)])
        for length, one, window, size, (start, _) in zip(node.output_shape, layer.stride, layer.window, node.input_shape, pads)
    ]
    along, across = pair(tuple(counts), numpy.ones(1))
    return along[:, None] * across


def covered(start: int, window: int, size: int) -> int:
    """How many of `size` places a window reaches that begins at `start`."""
    return min(start + window, size) - max(start, 0)


def global_average_pooling(node: Node, net: Tensors) -> Function:
    """The mean of all places."""
    places = tuple(range(1, len(node.input_shape)))
    return lambda x: x.mean(places)


def global_max_pooling(node: Node, net: Tensors) -> Function:
    """The largest of all places: amax would share the gradient between equal ones, this gives it to the first."""
    layer: Any = node.layer
    image, _ = IMAGES[layer.rank]
    return lambda x: functional.adaptive_max_pool2d(image(x), 1).flatten(1)
