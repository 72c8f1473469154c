"""Normalisations: tf.nn.moments over the axes, and tf.nn.batch_normalization, which is only the formula."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import tensorflow as tf

from harness.spec import Node

from .run import Layer, Run

Own = Dict[str, Any]


def moments(x: Any, axes: Sequence[int]) -> Any:
    """Mean and variance, in two passes."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    return mean, tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=True)


def affine(h: Any, own: Own) -> Any:
    """gamma h + beta."""
    y = h * own["gamma"] if "gamma" in own else h
    return y + own["beta"] if "beta" in own else y


def batch_normalization(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """By the batch's mean and variance in training, which move the moving ones; by those in inference."""
    layer: Any = node.layer
    x = inputs[0]
    if not run.training:
        return formula(x, own["moving_mean"], own["moving_variance"], own, layer)
    mean, variance = moments(x, list(range(len(x.shape) - 1)))
    for short, value in (("moving_mean", mean), ("moving_variance", variance)):
        moving = own[short]
        run.moved[f"{node.name}/{short}"] = layer.momentum * moving + (1 - layer.momentum) * tf.reshape(value, moving.shape)
    return formula(x, mean, variance, own, layer)


def formula(x: Any, mean: Any, variance: Any, own: Own, layer: Any) -> Any:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta."""
    return tf.nn.batch_normalization(x, mean, variance, own.get("beta"), own.get("gamma"), layer.epsilon)


def layer_normalization(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Over the last axis."""
    mean, variance = moments(inputs[0], [-1])
    return formula(inputs[0], mean, variance, own, node.layer)


def group_normalization(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Over all places and the channels of a group."""
    layer: Any = node.layer
    channels = node.input_shape[-1]
    x = tf.reshape(inputs[0], (-1, tf.size(inputs[0][0]) // channels, layer.groups, channels // layer.groups))
    return folded(x, [1, 3], inputs[0], own, layer)


def instance_normalization(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Over all places, each channel alone."""
    mean, variance = moments(inputs[0], list(range(1, len(node.input_shape))))
    return formula(inputs[0], mean, variance, own, node.layer)


def folded(x: Any, axes: Sequence[int], original: Any, own: Own, layer: Any) -> Any:
    """Normalised over axes of another shape than the input's."""
    mean, variance = moments(x, axes)
    bare: Optional[Any] = None
    h = tf.nn.batch_normalization(x, mean, variance, bare, bare, layer.epsilon)
    return affine(tf.reshape(h, (-1, *original.shape[1:])), own)


def rms_normalization(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """By the root of the mean square."""
    layer: Any = node.layer
    square = tf.reduce_mean(tf.square(inputs[0]), -1, keepdims=True)
    return affine(inputs[0] * tf.math.rsqrt(square + layer.epsilon), own)


NORMALIZATION: Dict[str, Layer] = {
    "batch_normalization": batch_normalization, "layer_normalization": layer_normalization, "group_normalization": group_normalization,
    "instance_normalization": instance_normalization, "rms_normalization": rms_normalization,
}  # fmt: skip
