"""Normalisations: h = (x - mean) / s by a function, times gamma and plus beta in the script."""

from __future__ import annotations

from ...spec.layers import GroupNormalization
from .core import own
from .place import Lines, Place, but_last


def scaled(at: Place, h: str) -> str:
    """h gamma + beta, as far as there are these."""
    gamma, beta = own(at, "gamma"), own(at, "beta")
    product = f"{h} * {gamma}" if gamma else h
    return f"{product} + {beta}" if beta else product


def written(at: Place, function: str, axes: tuple[str, ...] = ()) -> Lines:
    """A function that gives h and s, and its way back.

    Args:
        at: the node.
        function: its name; that of the way back ends with _backward.
        axes: what both are told besides.
    """
    h, s = at.new("h"), at.new("s") if at.needed else "_"
    value = f"{function}({', '.join([at.x, *axes, at.number(at.layer.epsilon)])})"
    d_h = f"{at.d} * {at.p('gamma')}" if own(at, "gamma") else at.d
    gradients = {}
    if own(at, "gamma"):
        gradients[at.full("gamma")] = f"np.sum({at.d} * {h}, {but_last(at.rank)})"
    if own(at, "beta"):
        gradients[at.full("beta")] = f"{at.d}.sum({but_last(at.rank)})"
    told = axes if function != "group_normalized" else ()
    back = f"{function}_backward({', '.join([d_h, h, s, *told])})"
    return Lines((f"{h}, {s} = {value}", f"{at.y} = {scaled(at, h)}"), (back,), gradients)


def batch_normalization(at: Place) -> Lines:
    """Over rows and places."""
    return written(at, "normalized", (but_last(at.rank),))


def layer_normalization(at: Place) -> Lines:
    """Over the last axis."""
    return written(at, "normalized", ("-1",))


def instance_normalization(at: Place) -> Lines:
    """Over all places."""
    return written(at, "normalized", ("1" if at.rank == 3 else str(tuple(range(1, at.rank - 1))),))


def group_normalization(at: Place) -> Lines:
    """Over all places and the channels of a group."""
    layer: GroupNormalization = at.layer
    return written(at, "group_normalized", (str(layer.groups),))


def rms_normalization(at: Place) -> Lines:
    """By the root of the mean square of the last axis."""
    return written(at, "rms_normalized")
