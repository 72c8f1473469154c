"""Larger and smaller images."""

from __future__ import annotations

from typing import Any

from torch.nn import functional

from harness.spec import Node

from .layout import IMAGES, pair
from .tensors import Function, Tensors


def up_sampling(node: Node, net: Tensors) -> Function:
    """Each axis several times as long."""
    layer: Any = node.layer
    factors, mode = pair(tuple(map(float, layer.factors)), 1.0), getattr(layer, "interpolation", "nearest")
    image, back = IMAGES[layer.rank]
    corners = False if mode == "bilinear" else None  # half-pixel centres
    return lambda x: back(functional.interpolate(image(x), scale_factor=factors, mode=mode, align_corners=corners))


def zero_padding(node: Node, net: Tensors) -> Function:
    """Zeros around; torch names the last axis first."""
    layer: Any = node.layer
    sides = [0, 0]
    for before, behind in reversed(layer.pads(node.input_shape)):
        sides += [before, behind]
    return lambda x: functional.pad(x, sides)


def cropping(node: Node, net: Tensors) -> Function:
    """Places cut off, a view."""
    layer: Any = node.layer
    lengths = zip(layer.cuts(node.input_shape), node.output_shape)
    kept = (slice(None), *(slice(before, before + length) for (before, _), length in lengths))
    return lambda x: x[kept]
