"""Dense layers, embeddings, what only moves numbers about, noise, and branches made one."""

from __future__ import annotations

from typing import Any, Callable, Dict

import keras
from keras import layers, ops

from harness.spec import Node

from .activations import function
from .part import ENGINE, Part, every


class TiedDense(keras.layers.Layer):  # type: ignore[misc]
    """x times the table of an embedding, transposed."""

    def __init__(self, embedding: Any, use_bias: bool, activation: Any) -> None:
        super().__init__()
        self.embedding, self.use_bias, self.activation = embedding, use_bias, activation or keras.activations.linear

    def build(self, shape: Any) -> None:
        """The bias; the table is the embedding's."""
        self.bias = self.add_weight(shape=(self.embedding.input_dim,), name="bias") if self.use_bias else None

    def call(self, x: Any) -> Any:
        """activation(x E^T + b)."""
        y = ops.matmul(x, ops.transpose(self.embedding.embeddings))
        return self.activation(y if self.bias is None else ops.add(y, self.bias))


class PReLU(keras.layers.PReLU):  # type: ignore[misc]
    """Keras' own is max(z, 0) - alpha max(-z, 0), whose gradient at 0 is 0, not alpha."""

    def call(self, z: Any) -> Any:
        """z where z > 0, else alpha z."""
        return ops.where(z > 0, z, self.alpha * z)


class Take(keras.layers.Layer):  # type: ignore[misc]
    """Some places along an axis."""

    def __init__(self, indices: Any, axis: int) -> None:
        super().__init__()
        self.indices, self.axis = indices, axis

    def call(self, x: Any) -> Any:
        """One number takes the axis away, a list keeps it."""
        if isinstance(self.indices, int):
            return x[(slice(None),) * self.axis + (self.indices,)]
        return ops.take(x, list(self.indices), axis=self.axis)


class FirstMaximum(keras.layers.Maximum):  # type: ignore[misc]
    """The largest; torch and jax share the gradient among equal ones, here the first gets it."""

    def _merge_function(self, inputs: Any) -> Any:
        largest = inputs[0]
        for x in inputs[1:]:
            largest = ops.where(x > largest, x, largest)
        return largest


def take(node: Node, activation: Any) -> Part:
    """Places counted from 0."""
    layer: Any = node.layer
    places = layer.places(node.input_shape)
    return Part((Take(places[0] if isinstance(layer.indices, int) else places, layer.axis),))


def prelu(node: Node, activation: Any) -> Part:
    """One alpha a channel."""
    return Part((PReLU(shared_axes=list(range(1, len(node.input_shape))) or None),))


def dropout(node: Node, activation: Any) -> Part:
    """Each value alone, or whole channels."""
    layer: Any = node.layer
    return Part((layers.Dropout(layer.rate, noise_shape=(None, *node.draw_shape)),))


def noise(node: Node, activation: Any) -> Part:
    """Keras' constructor refuses a deviation above 1 (keras/src/layers/regularization/gaussian_noise.py); nothing else needs that."""
    layer: Any = node.layer
    added = layers.GaussianNoise(min(layer.stddev, 1.0))
    added.stddev = layer.stddev
    return Part((added,))


def plain(make: Callable[[Any], Any]) -> Callable[[Node, Any], Part]:
    """A node that is one layer without an activation."""
    return lambda node, activation: Part((make(node.layer),))


def merge(make: Callable[[Any], Any]) -> Callable[[Node, Any], Part]:
    """A node that makes its inputs one."""
    return lambda node, activation: Part((make(node.layer),), every)


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "dense": lambda node, activation: Part((layers.Dense(node.layer.units, activation, use_bias=node.layer.use_bias),)),
    "embedding": plain(lambda layer: layers.Embedding(layer.input_dim, layer.output_dim)),
    "activation": plain(lambda layer: layers.Activation(function(layer))),
    "prelu": prelu,
    "flatten": plain(lambda layer: layers.Flatten()),
    "reshape": plain(lambda layer: layers.Reshape(layer.target_shape)),
    "permute": plain(lambda layer: layers.Permute(layer.dims)),
    "take": take,
    "dropout": dropout,
    "spatial_dropout": dropout,
    "gaussian_noise": noise,
    "add": merge(lambda layer: layers.Add()),
    "multiply": merge(lambda layer: layers.Multiply()),
    "average": merge(lambda layer: layers.Average()),
    "maximum": merge(lambda layer: layers.Maximum() if ENGINE == "tensorflow" else FirstMaximum()),
    "concatenate": merge(lambda layer: layers.Concatenate(axis=layer.axis)),
}
