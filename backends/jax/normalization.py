"""Normalisations, their variance in two passes."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Tuple

import jax.numpy as jnp
from jax import lax

from harness.interface import Arrays
from harness.spec import Node


def moments(x: Any, axes: Sequence[int]) -> Tuple[Any, Any, Any]:
    """Mean, differences to it, and the mean of their squares; the axes are kept."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    return mean, centred, jnp.square(centred).mean(axes, keepdims=True)


def standardized(x: Any, axes: Sequence[int], epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon)."""
    _, centred, variance = moments(x, axes)
    return centred * lax.rsqrt(variance + epsilon)


def scaled(y: Any, own: Arrays) -> Any:
    """gamma y + beta, where there are such."""
    y = y * own["gamma"] if "gamma" in own else y
    return y + own["beta"] if "beta" in own else y


def batch_training(node: Node, own: Arrays, x: Any) -> Tuple[Any, Arrays]:
    """By the batch's own mean and variance; also the moving ones after it."""
    layer: Any = node.layer
    mean, centred, variance = moments(x, range(x.ndim - 1))
    moved = {
        f"moving_{name}": layer.momentum * own[f"moving_{name}"] + (1 - layer.momentum) * lax.stop_gradient(found.ravel())
        for name, found in (("mean", mean), ("variance", variance))
    }
    return scaled(centred * lax.rsqrt(variance + layer.epsilon), own), moved


def batch_inference(node: Node, own: Arrays, x: Any) -> Any:
    """By the moving mean and variance."""
    layer: Any = node.layer
    return scaled((x - own["moving_mean"]) * lax.rsqrt(own["moving_variance"] + layer.epsilon), own)


def layer_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """Over the last axis."""
    layer: Any = node.layer
    return scaled(standardized(x, (-1,), layer.epsilon), own)


def group_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """Over all places and the channels of a group."""
    layer: Any = node.layer
    grouped = x.reshape(len(x), -1, layer.groups, x.shape[-1] // layer.groups)
    return scaled(standardized(grouped, (1, 3), layer.epsilon).reshape(x.shape), own)


def instance_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """Each channel over all its places."""
    layer: Any = node.layer
    return scaled(standardized(x, range(1, x.ndim - 1), layer.epsilon), own)


def rms_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """x / sqrt(mean(x^2) + epsilon) over the last axis."""
    layer: Any = node.layer
    return scaled(x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + layer.epsilon), own)


#: in inference, where batch normalisation is another one
NORMALIZATION: Mapping[str, Callable[..., Any]] = {
    "batch_normalization": batch_inference,
    "layer_normalization": layer_normalization,
    "group_normalization": group_normalization,
    "instance_normalization": instance_normalization,
    "rms_normalization": rms_normalization,
}
