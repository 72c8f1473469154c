"""Pooling: the largest or the mean of a window, or of everything."""

from __future__ import annotations

import math
from functools import reduce
from itertools import product
from typing import Any, Callable, List, Mapping

import jax.numpy as jnp
from jax import lax

from harness.interface import Arrays
from harness.spec import Node

from .core import larger

#: windows up to so many places are compared place by place, see `max_pooling`
FEW = 64


def window_sum(layer: Any, x: Any) -> Any:
    """The sum of each window, padding as zeros."""
    pads = ((0, 0), *layer.pads(x.shape[1:]), (0, 0))
    return lax.reduce_window(x, 0.0, lax.add, (1, *layer.window, 1), (1, *layer.stride, 1), pads)


def average_pooling(node: Node, own: Arrays, x: Any) -> Any:
    """The mean of each window; padding counts or not."""
    layer: Any = node.layer
    if layer.count_padding or not any(map(sum, layer.pads(node.input_shape))):
        return window_sum(layer, x) / math.prod(layer.window)
    return window_sum(layer, x) / window_sum(layer, jnp.ones((1, *node.input_shape), x.dtype))


def max_pooling(node: Node, own: Arrays, x: Any) -> Any:
    """The largest value of each window, the gradient to the first. lax.reduce_window does that too, but its gradient visits one place
    after another on CPUs: 10 to 25 times as long as comparing the places of all windows at once."""
    layer: Any = node.layer
    pads = ((0, 0), *layer.pads(node.input_shape), (0, 0))
    if math.prod(layer.window) <= FEW:
        padded = jnp.pad(x, pads, constant_values=-jnp.inf)
        return reduce(larger, window_places(layer, padded, node.output_shape))
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, *layer.window, 1), (1, *layer.stride, 1), pads)


def window_places(layer: Any, x: Any, places: Any) -> List[Any]:
    """The first place of all windows, the second, and so on: each `(rows, *places, channels)`."""
    found = []
    for start in product(*map(range, layer.window)):
        ends = [at + (count - 1) * stride + 1 for at, count, stride in zip(start, places, layer.stride)]
        found.append(lax.slice(x, (0, *start, 0), (len(x), *ends, x.shape[-1]), (1, *layer.stride, 1)))
    return found


def global_average(node: Node, own: Arrays, x: Any) -> Any:
    """The mean of each channel."""
    return x.mean(tuple(range(1, x.ndim - 1)))


def global_max(node: Node, own: Arrays, x: Any) -> Any:
    """The largest value of each channel; the gradient goes to the first of equal ones, where jnp.max splits it."""
    places = x.reshape(len(x), -1, x.shape[-1])
    first = lax.broadcasted_iota(jnp.int32, places.shape, 1) == jnp.argmax(places, 1, keepdims=True)
    return jnp.where(first, places, 0).sum(1)


POOLING: Mapping[str, Callable[..., Any]] = {
    "max_pooling1d": max_pooling,
    "max_pooling2d": max_pooling,
    "average_pooling1d": average_pooling,
    "average_pooling2d": average_pooling,
    "global_average_pooling1d": global_average,
    "global_average_pooling2d": global_average,
    "global_max_pooling1d": global_max,
    "global_max_pooling2d": global_max,
}
