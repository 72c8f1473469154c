"""Larger and smaller images."""

from __future__ import annotations

from typing import Any, Callable, Dict

import keras
import numpy
from keras import layers, ops

from harness.spec import Node

from .part import Part


class Bilinear(keras.layers.Layer):  # type: ignore[misc]
    """Bilinear up-sampling in float64: tensorflow resizes in float32 only."""

    def __init__(self, factors: Any) -> None:
        super().__init__()
        self.factors = factors

    def build(self, shape: Any) -> None:
        """The share of each row and column in each new one."""
        self.rows, self.columns = (shares(size, factor) for size, factor in zip(shape[1:3], self.factors))

    def call(self, x: Any) -> Any:
        """x `(rows, height, width, channels)`."""
        return ops.einsum("ih,bhwc,jw->bijc", self.rows, x, self.columns)


def shares(size: int, factor: int) -> Any:
    """`(size factor, size)`: lines between the centres of pixels, constant beyond the outer ones."""
    centres = numpy.clip((numpy.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    return numpy.maximum(1 - numpy.abs(centres[:, None] - numpy.arange(size)), 0)


def up_sampling(node: Node, activation: Any) -> Part:
    """up_sampling2d."""
    layer: Any = node.layer
    if layer.interpolation == "bilinear" and keras.config.floatx() == "float64":
        return Part((Bilinear(layer.factors),))
    return Part((layers.UpSampling2D(layer.factors, interpolation=layer.interpolation),))


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "up_sampling1d": lambda node, activation: Part((layers.UpSampling1D(node.layer.factors[0]),)),
    "up_sampling2d": up_sampling,
    "zero_padding1d": lambda node, activation: Part((layers.ZeroPadding1D(node.layer.pads(node.input_shape)[0]),)),
    "zero_padding2d": lambda node, activation: Part((layers.ZeroPadding2D(node.layer.pads(node.input_shape)),)),
    "cropping1d": lambda node, activation: Part((layers.Cropping1D(node.layer.cuts(node.input_shape)[0]),)),
    "cropping2d": lambda node, activation: Part((layers.Cropping2D(node.layer.cuts(node.input_shape)),)),
}
