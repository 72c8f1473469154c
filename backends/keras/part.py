"""What one node of a program is in Keras."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence, Tuple

import keras

#: what Keras computes with: tensorflow, torch or jax
ENGINE: str = keras.backend.backend()


def first(layer: Any, inputs: Sequence[Any]) -> Any:
    """A layer of one input."""
    return layer(inputs[0])


def every(layer: Any, inputs: Sequence[Any]) -> Any:
    """A layer that takes its inputs as a list."""
    return layer(list(inputs))


class Part(NamedTuple):
    """Layers one behind the other. Their weights stand in the order of the node's parameters, and of its statistics.

    Attributes:
        layers: the first reads what the node reads; there may be none.
        read: how the first one takes its inputs.
    """

    layers: Tuple[Any, ...]
    read: Callable[[Any, Sequence[Any]], Any] = first

    def __call__(self, *inputs: Any) -> Any:
        """The output, of Keras' symbolic tensors."""
        return self.through(self.layers, inputs)

    def bare(self, *inputs: Any) -> Any:
        """The output before an activation that one of the layers computes."""
        return self.through([Bare(layer) if hasattr(layer, "activation") else layer for layer in self.layers], inputs)

    def through(self, layers: Sequence[Any], inputs: Sequence[Any]) -> Any:
        """The inputs through some layers."""
        if not layers:
            return inputs[0]
        x = self.read(layers[0], inputs)
        for layer in layers[1:]:
            x = layer(x)
        return x


class Bare(keras.layers.Layer):  # type: ignore[misc]
    """A layer up to its activation, so that the value there can be read."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def call(self, x: Any) -> Any:
        """The layer without its activation, which it gets back."""
        activation, self.layer.activation = self.layer.activation, keras.activations.linear
        try:
            return self.layer(x)
        finally:
            self.layer.activation = activation
