"""Pooling: Keras' own, behind a padding layer where the padding is not Keras'."""

from __future__ import annotations

from typing import Any, Callable, Dict

import keras
import numpy
from keras import layers, ops

from harness.spec import Node

from .convolution import zeros_around
from .part import ENGINE, Part

MAXIMUM = {1: layers.MaxPooling1D, 2: layers.MaxPooling2D}
AVERAGE = {1: layers.AveragePooling1D, 2: layers.AveragePooling2D}


class Nothing(keras.layers.Layer):  # type: ignore[misc]
    """Places around that are never the largest."""

    def __init__(self, pads: Any) -> None:
        super().__init__()
        self.pads = ((0, 0), *pads, (0, 0))

    def call(self, x: Any) -> Any:
        """Minus infinity around."""
        return ops.pad(x, self.pads, constant_values=-numpy.inf)


class Counted(keras.layers.Layer):  # type: ignore[misc]
    """Means of windows that hold zeros of a padding, made means of what else they hold."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        layer: Any = node.layer
        sizes, places = node.input_shape[:-1], node.output_shape[:-1]
        held = [
            [min(place * stride - before + window, size) - max(place * stride - before, 0) for place in range(count)]
            for size, count, window, stride, (before, _) in zip(
                sizes, places, layer.window, layer.stride, layer.pads(node.input_shape)
            )
        ]
        factors = numpy.prod(layer.window) / numpy.prod(numpy.meshgrid(*held, indexing="ij"), axis=0)
        self.factors = factors[None, ..., None].astype(keras.config.floatx())

    def call(self, x: Any) -> Any:
        """Sums divided by the numbers of places that hold something."""
        return ops.multiply(x, self.factors)


def window(layer: Any, padding: str) -> Dict[str, Any]:
    """What Keras wants to know of a window."""
    return {"pool_size": layer.window, "strides": layer.stride, "padding": padding}


def maximum(node: Node, activation: Any) -> Part:
    """The largest of each window."""
    layer: Any = node.layer
    if layer.padding in ("same", "valid"):
        return Part((MAXIMUM[layer.rank](**window(layer, layer.padding)),))
    return Part((Nothing(layer.pads(node.input_shape)), MAXIMUM[layer.rank](**window(layer, "valid"))))


def average(node: Node, activation: Any) -> Part:
    """The mean of each window. Keras never counts padding; on torch it repeats the border instead
    (https://github.com/keras-team/keras/pull/23233)."""
    layer: Any = node.layer
    zeros = zeros_around(layer.pads(node.input_shape))
    if not zeros or (layer.padding == "same" and not layer.count_padding and ENGINE != "torch"):
        return Part((AVERAGE[layer.rank](**window(layer, layer.padding if layer.padding == "same" else "valid")),))
    means = (*zeros, AVERAGE[layer.rank](**window(layer, "valid")))
    return Part(means if layer.count_padding else (*means, Counted(node)))


def everything(node: Node, activation: Any) -> Part:
    """The largest of all; Keras' own shares the gradient among equal ones, a window of all places gives it to the first."""
    *sizes, channels = node.input_shape
    pool: Any = MAXIMUM[len(sizes)](pool_size=tuple(sizes))
    return Part((pool, layers.Reshape((channels,))))


def single(kind: Any) -> Callable[[Node, Any], Part]:
    """One layer that takes nothing."""
    return lambda node, activation: Part((kind(),))


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "max_pooling1d": maximum, "max_pooling2d": maximum, "average_pooling1d": average, "average_pooling2d": average,
    "global_average_pooling1d": single(layers.GlobalAveragePooling1D),
    "global_average_pooling2d": single(layers.GlobalAveragePooling2D),
    "global_max_pooling1d": everything, "global_max_pooling2d": everything,
}  # fmt: skip
