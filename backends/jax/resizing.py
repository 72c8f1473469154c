"""Larger and smaller images."""

from __future__ import annotations

from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp

from harness.interface import Arrays
from harness.spec import Node


def up_sampling(node: Node, own: Arrays, x: Any) -> Any:
    """Every place several times, or lines between the centres of pixels."""
    layer: Any = node.layer
    if getattr(layer, "interpolation", "nearest") == "bilinear":
        return jax.image.resize(x, (len(x), *node.output_shape), "bilinear", antialias=False)
    for axis, factor in enumerate(layer.factors, 1):
        x = jnp.repeat(x, factor, axis)
    return x


def zero_padding(node: Node, own: Arrays, x: Any) -> Any:
    """Zeros around."""
    layer: Any = node.layer
    return jnp.pad(x, ((0, 0), *layer.pads(node.input_shape), (0, 0)))


def cropping(node: Node, own: Arrays, x: Any) -> Any:
    """Places cut off."""
    layer: Any = node.layer
    cuts = layer.cuts(node.input_shape)
    return x[(slice(None), *(slice(before, size - after) for size, (before, after) in zip(node.input_shape, cuts)))]


RESIZING: Mapping[str, Callable[..., Any]] = {
    "up_sampling1d": up_sampling,
    "up_sampling2d": up_sampling,
    "zero_padding1d": zero_padding,
    "zero_padding2d": zero_padding,
    "cropping1d": cropping,
    "cropping2d": cropping,
}
