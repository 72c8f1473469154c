"""Pooling: Keras' own, behind a padding where the padding is not Keras'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .convolution import padded
from .text import Place, call, size, value


def pool(place: Place, kind: str, same: bool) -> str:
    """A pooling layer."""
    layer: Any = place.node.layer
    strides = None if layer.stride == layer.window else size(layer.stride)
    return call(f"layers.{kind}Pooling{layer.rank}D", size(layer.window), strides=strides, padding='"same"' if same else None)


def maximum(place: Place) -> str:
    """The largest of each window."""
    layer: Any = place.node.layer
    if layer.padding in ("same", "valid"):
        return f"{pool(place, 'Max', layer.padding == 'same')}({place.x})"
    around = ((0, 0), *layer.pads(place.node.input_shape), (0, 0))
    return f"{pool(place, 'Max', False)}({call('ops.pad', place.x, around, constant_values='-np.inf')})"


def average(place: Place) -> str:
    """The mean of each window; Keras never counts padding."""
    layer: Any = place.node.layer
    pads = layer.pads(place.node.input_shape)
    if not any(map(any, pads)):
        return f"{pool(place, 'Average', False)}({place.x})"
    if layer.count_padding:
        return f"{pool(place, 'Average', False)}({padded(place.x, pads)})"
    if layer.padding == "same" and place.engine != "torch":
        return f"{pool(place, 'Average', True)}({place.x})"
    return f"average_inside({pool(place, 'Average', False)}, {place.x}, {value(pads)})"


def largest(place: Place) -> str:
    """The largest of all: a window of all places, whose gradient goes to the first of equal ones."""
    *sizes, _ = place.node.input_shape
    window = call(f"layers.MaxPooling{len(sizes)}D", size(sizes))
    return f"layers.Flatten()({window}({place.x}))  # GlobalMaxPooling{len(sizes)}D shares the gradient among equal ones"


def mean(place: Place) -> str:
    """The mean of all."""
    return f"layers.GlobalAveragePooling{len(place.node.input_shape) - 1}D()({place.x})"


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "max_pooling1d": maximum, "max_pooling2d": maximum, "average_pooling1d": average, "average_pooling2d": average,
    "global_max_pooling1d": largest, "global_max_pooling2d": largest, "global_average_pooling1d": mean, "global_average_pooling2d": mean,
}  # fmt: skip
