"""Normalisations: tf.nn.moments over the axes, and tf.nn.batch_normalization, which is only the formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .text import Writing


def formula(w: Writing, moments: str) -> str:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta."""
    return (
        f"tf.nn.batch_normalization({w.x}, {moments}, {w.weight('beta')}, {w.weight('gamma')}, "
        f"variance_epsilon={w.number(w.layer.epsilon)})"
    )


def batch_normalization(w: Writing) -> list[str]:
    """By the batch's mean and variance, which `train` wants too."""
    return [
        f"mean, variance = tf.nn.moments({w.x}, {list(range(len(w.shape)))})",
        f'moments["{w.node.name}"] = mean, variance',
        f"{w.name} = {formula(w, 'mean, variance')}",
    ]


def over(axes: Callable[[int], Sequence[int]]) -> Callable[[Writing], str]:
    """A normalisation over some of so many axes."""
    return lambda w: formula(w, f"*tf.nn.moments({w.x}, {list(axes(len(w.shape)))}, keepdims=True)")


def group_normalization(w: Writing) -> str:
    """Over all places and the channels of a group."""
    layer = w.layer
    return f"group_normalization({w.x}, {layer.groups}, {w.weight('gamma')}, {w.weight('beta')}, {w.number(layer.epsilon)})"


def rms_normalization(w: Writing) -> str:
    """By the root of the mean square."""
    y = f"rms_normalization({w.x}, {w.number(w.layer.epsilon)})"
    return f"{y} * {w.weight('gamma')}" if w.has("gamma") else y


#: type -> the expression of a node's value
NORMALIZATION: Mapping[str, Callable[[Writing], str]] = {
    "layer_normalization": over(lambda rank: [-1]), "instance_normalization": over(lambda rank: range(1, rank)),
    "group_normalization": group_normalization, "rms_normalization": rms_normalization,
}  # fmt: skip
