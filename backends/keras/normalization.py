"""Normalisations."""

from __future__ import annotations

from typing import Any, Callable, Dict

import keras
from keras import layers, ops

from harness.spec import Node

from .part import ENGINE, Part


class TwoPassBatch(keras.layers.BatchNormalization):  # type: ignore[misc]
    """On torch Keras takes a variance as the mean of squares less the square of the mean, which may end below 0
    (https://github.com/keras-team/keras/pull/18795); here it is the mean of squared differences."""

    def _moments(self, inputs: Any, mask: Any) -> Any:
        return ops.mean(inputs, axis=self._reduction_axes), ops.var(inputs, axis=self._reduction_axes)


class TwoPassGroup(keras.layers.GroupNormalization):  # type: ignore[misc]
    """As `TwoPassBatch`."""

    def _apply_normalization(self, reshaped_inputs: Any, input_shape: Any) -> Any:
        axes = [*range(1, len(reshaped_inputs.shape) - 2), -1]
        shape = (1,) * (len(reshaped_inputs.shape) - 2) + (self.groups, -1)
        mean, variance = (moment(reshaped_inputs, axis=axes, keepdims=True) for moment in (ops.mean, ops.var))
        y = (reshaped_inputs - mean) * ops.rsqrt(variance + self.epsilon)
        y = y * ops.reshape(self.gamma, shape) if self.scale else y
        return y + ops.reshape(self.beta, shape) if self.center else y


BATCH, GROUP = (TwoPassBatch, TwoPassGroup) if ENGINE == "torch" else (layers.BatchNormalization, layers.GroupNormalization)


class PlainRMS(keras.layers.Layer):  # type: ignore[misc]
    """RMSNormalization that learns nothing; Keras' own always has a factor."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def call(self, x: Any) -> Any:
        """x / sqrt(mean(x^2) + epsilon)."""
        return ops.rms_normalization(x, axis=-1, epsilon=self.epsilon)


def normal(kind: Any, *more: str, **fixed: Any) -> Callable[[Node, Any], Part]:
    """A layer with epsilon, gamma, beta, and what else the spec names."""

    def make(node: Node, activation: Any) -> Part:
        options = {name: getattr(node.layer, name) for name in ("epsilon", "center", "scale", *more)}
        return Part((kind(axis=-1, **options, **fixed),))

    return make


def rms(node: Node, activation: Any) -> Part:
    """rms_normalization."""
    layer: Any = node.layer
    return Part((layers.RMSNormalization(axis=-1, epsilon=layer.epsilon) if layer.scale else PlainRMS(layer.epsilon),))


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "batch_normalization": normal(BATCH, "momentum"),
    "layer_normalization": normal(layers.LayerNormalization),
    "group_normalization": normal(GROUP, "groups"),
    "instance_normalization": normal(GROUP, groups=-1),  # as many as channels
    "rms_normalization": rms,
}
