"""Normalisations: the expression of each; batch normalisation, which moves its statistics, takes several lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .text import Values, Written, call, quoted


def scaled(at: Written, value: str) -> str:
    """gamma y + beta, where there are such."""
    return at.plus(at.times(value), "beta")


def layer_normalization(at: Written) -> str:
    """Over the last axis."""
    return scaled(at, call("standardized", at.x, -1, at.layer.epsilon))


def group_normalization(at: Written) -> str:
    """Over all places and the channels of a group."""
    return scaled(at, call("standardized_groups", at.x, at.layer.groups, at.layer.epsilon))


def instance_normalization(at: Written) -> str:
    """Each channel over all its places."""
    axes = tuple(range(1, len(at.node.input_shape)))
    return scaled(at, call("standardized", at.x, axes, at.layer.epsilon))


def rms_normalization(at: Written) -> str:
    """x / sqrt(mean(x^2) + epsilon)."""
    return at.times(call("over_root_mean_square", at.x, at.layer.epsilon))


def batch_normalization(at: Written) -> Values:
    """By the batch's own mean and variance; the moving ones after it."""
    axes = tuple(range(len(at.node.input_shape)))
    along = "0" if axes == (0,) else str(axes)
    return [
        ("mean, variance", f"{at.x}.mean({along}), {at.x}.var({along})"),
        ("normal", f"({at.x} - mean) * jax.lax.rsqrt(variance + {at.layer.epsilon})"),
        (at.name, scaled(at, "normal")),
        *(moved(at, name) for name in ("mean", "variance")),
    ]


def moved(at: Written, name: str) -> tuple[str, str]:
    """What the batch makes of a moving mean or variance."""
    key = quoted(f"{at.node.name}/moving_{name}")
    return f"moved[{key}]", call("moving", f"s[{key}]", name, at.layer.momentum)


#: those of one line
NORMALIZATION: Mapping[str, Callable[[Written], str]] = {
    "layer_normalization": layer_normalization,
    "group_normalization": group_normalization,
    "instance_normalization": instance_normalization,
    "rms_normalization": rms_normalization,
}
