"""Pooling and up-sampling as expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .convolution import layer_strides, padding
from .text import Writing, around, one_or_all, padded


def pooled(kind: str, w: Writing, x: str, where: str) -> str:
    """The library's pooling of some input."""
    return f"tf.nn.{kind}_pool{w.layer.rank}d({x}, {one_or_all(w.layer.window)}, {layer_strides(w)}, {where})"


def max_pooling(w: Writing) -> str:
    """The largest of each window."""
    return pooled("max", w, w.x, padding(w))


def average_pooling(w: Writing) -> str:
    """The mean of each window: the library's "SAME" does not count padding, and it has no explicit one."""
    layer, pads, where = w.layer, w.layer.pads(w.shape), padding(w)
    if where == '"VALID"' or (where == '"SAME"' and not layer.count_padding):
        return pooled("avg", w, w.x, where)
    if layer.count_padding:
        return pooled("avg", w, padded(w.x, pads), '"VALID"')
    pool = f"tf.nn.avg_pool{layer.rank}d"
    return f"average_pool({pool}, {w.x}, {one_or_all(layer.window)}, {layer_strides(w)}, {around(pads)})"


def global_average(w: Writing) -> str:
    """The mean over all places."""
    return f"tf.reduce_mean({w.x}, axis={1 if len(w.shape) == 2 else (1, 2)})"


def global_max(w: Writing) -> str:
    """One window over all places."""
    rank, window = w.layer.rank, one_or_all(w.shape[:-1])
    y = f'tf.nn.max_pool{rank}d({w.x}, {window}, 1, "VALID")[:{", 0" * rank}]'
    return f"{y}  # tf.reduce_max splits the gradient among equal ones"


def nearest(w: Writing) -> str:
    """Every place several times."""
    y = w.x
    for axis, factor in enumerate(w.layer.factors, 1):
        y = y if factor == 1 else f"tf.repeat({y}, {factor}, axis={axis})"
    return y


def up_sampling2d(w: Writing) -> str:
    """Nearest; or bilinear, the library's own in float32."""
    if w.layer.interpolation == "nearest":
        return nearest(w)
    if w.draft.dtype == "float32":
        return f"tf.image.resize({w.x}, {w.node.output_shape[:-1]})"
    y = w.x
    for axis, factor in enumerate(w.layer.factors, 1):
        y = y if factor == 1 else f"bilinear({y}, {axis}, {factor})"
    return y


#: type -> the expression of a node's value
POOLING: Mapping[str, Callable[[Writing], str]] = {
    "max_pooling1d": max_pooling, "max_pooling2d": max_pooling, "average_pooling1d": average_pooling, "average_pooling2d": average_pooling,
    "global_average_pooling1d": global_average, "global_average_pooling2d": global_average,
    "global_max_pooling1d": global_max, "global_max_pooling2d": global_max, "up_sampling1d": nearest, "up_sampling2d": up_sampling2d,
}  # fmt: skip
