"""Pooling, channels first."""

from __future__ import annotations

from .pieces import Here, Piece
from .text import Part, call, one
from .windows import own_padding, sides


def window(here: Here) -> tuple[Part, Part | None, Part | None]:
    """Length, stride (None: the length) and padding (None: PyTorch cannot pad so: at most half a window, the same on both sides)."""
    layer = here.layer
    length, stride = one(layer.window), one(layer.stride)
    padding = own_padding(layer.pads(here.node.input_shape), [size // 2 for size in layer.window])
    return length, None if stride == length else stride, padding


def max_pooling(here: Here) -> Piece:
    """The largest of each window; padding is never it."""
    length, stride, padding = window(here)
    x = here.first
    if padding is None:
        x = call("functional.pad", x, sides(here.layer.pads(here.node.input_shape)), value="-torch.inf")
    return Piece(call(f"functional.max_pool{here.layer.rank}d", x, length, stride=stride, padding=padding or None), True)


def average_pooling(here: Here) -> Piece:
    """The mean of each window, zeros around counted or not."""
    length, stride, padding = window(here)
    pool, x, counted = f"functional.avg_pool{here.layer.rank}d", here.first, here.layer.count_padding
    around = sides(here.layer.pads(here.node.input_shape))
    if padding is None and not counted:
        return Piece(call("mean_of_real", pool, x, around, length, stride=stride), True)
    if padding is None:
        return Piece(call(pool, call("functional.pad", x, around), length, stride=stride), True)
    include = False if padding and not counted else None
    return Piece(call(pool, x, length, stride=stride, padding=padding or None, count_include_pad=include), True)


def global_average_pooling(here: Here) -> Piece:
    """The mean of all places."""
    value, rank = here.reads[0], here.layer.rank
    return Piece(call(f"{value.name}.mean", one(range(1 + value.first, 1 + value.first + rank))))


def global_max_pooling(here: Here) -> Piece:
    """The largest of all places: amax would share the gradient between equal ones, this gives it to the first."""
    return Piece(call(f"functional.adaptive_max_pool{here.layer.rank}d", here.first, 1) + ".flatten(1)")
