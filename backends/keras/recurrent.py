"""Recurrences from a state of zeros; gates stand as in the spec."""

from __future__ import annotations

from typing import Any, Callable, Dict

import keras
from keras import layers, ops

from harness.spec import Node

from .part import Part


class Backwards(keras.layers.Layer):  # type: ignore[misc]
    """Steps from the last to the first."""

    def call(self, x: Any) -> Any:
        """x `(rows, steps, features)`."""
        return ops.flip(x, axis=1)


def recurrent(kind: Any, *more: str) -> Callable[[Node, Any], Part]:
    """A recurrence. Backwards it is turned before and behind it: Keras' own leaves its outputs turned."""

    def make(node: Node, activation: Any) -> Part:
        layer: Any = node.layer
        options = {name: getattr(layer, name) for name in more}
        forward = kind(layer.units, use_bias=layer.use_bias, return_sequences=layer.return_sequences, **options)
        if not layer.go_backwards:
            return Part((forward,))
        return Part((Backwards(), forward, *([Backwards()] if layer.return_sequences else [])))

    return make


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "simple_rnn": recurrent(layers.SimpleRNN, "activation"),
    "lstm": recurrent(layers.LSTM),
    "gru": recurrent(layers.GRU, "reset_after"),
}
