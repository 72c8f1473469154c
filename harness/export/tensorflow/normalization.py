"""Normalisations: tf.nn.moments over the axes, and tf.nn.batch_normalization, which is only the formula; but for the batch's, functions
that come along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .text import Writing


def batch_normalization(w: Writing) -> list[str]:
    """By the batch's mean and variance, which `train` wants too."""
    beta, gamma, epsilon = w.weight("beta"), w.weight("gamma"), w.number(w.layer.epsilon)
    return [
        f"mean, variance = tf.nn.moments({w.x}, {list(range(len(w.shape)))})",
        f'moments["{w.node.name}"] = mean, variance',
        f"{w.name} = tf.nn.batch_normalization({w.x}, mean, variance, {beta}, {gamma}, {epsilon})",
    ]


def over(axes: Callable[[int], Sequence[int]]) -> Callable[[Writing], str]:
    """A normalisation over some of so many axes."""
    return lambda w: normalized("normalized", w, str(list(axes(len(w.shape)))))


def normalized(function: str, w: Writing, where: str) -> str:
    """A call of a function with its weights."""
    return f"{function}({w.x}, {where}, {w.weight('gamma')}, {w.weight('beta')}, {w.number(w.layer.epsilon)})"


def group_normalization(w: Writing) -> str:
    """Over all places and the channels of a group."""
    return normalized("normalized_by_group", w, str(w.layer.groups))


def rms_normalization(w: Writing) -> str:
    """By the root of the mean square."""
    y = f"by_root_mean_square({w.x}, {w.number(w.layer.epsilon)})"
    return f"{y} * {w.weight('gamma')}" if w.has("gamma") else y


#: type -> the expression of a node's value
NORMALIZATION: Mapping[str, Callable[[Writing], str]] = {
    "layer_normalization": over(lambda rank: [-1]), "instance_normalization": over(lambda rank: range(1, rank)),
    "group_normalization": group_normalization, "rms_normalization": rms_normalization,
}  # fmt: skip
