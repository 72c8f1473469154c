"""Layers, activations and losses as graph functions: they run once, when a step is traced."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import tensorflow as tf

from harness.spec import Activation, Node

#: what a dropout node does to its input: nothing, the framework's own, or the mask that a batch brings
Drop = Callable[[Node, Any], Any]
Layer = Callable[[Node, Any, Sequence[Any], Drop], Any]


def dense(node: Node, x: Any, parameters: Sequence[Any], drop: Drop) -> Any:
    """y = x W + b."""
    kernel, *bias = parameters
    y = tf.matmul(x, kernel)
    return tf.nn.bias_add(y, bias[0]) if bias else y


def flatten(node: Node, x: Any, parameters: Sequence[Any], drop: Drop) -> Any:
    """All axes but the rows made one."""
    return tf.reshape(x, (-1, *node.output_shape))


def dropout(node: Node, x: Any, parameters: Sequence[Any], drop: Drop) -> Any:
    """Whatever the run asks for."""
    return drop(node, x)


LAYERS: Dict[str, Layer] = {"dense": dense, "flatten": flatten, "dropout": dropout}
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z, "step": lambda z: tf.cast(z > 0, z.dtype), "sigmoid": tf.sigmoid, "tanh": tf.tanh,
    "relu": tf.nn.relu, "softmax": tf.nn.softmax,
}  # fmt: skip


def apply(node: Node, x: Any, parameters: Sequence[Any], drop: Drop) -> Any:
    """The output of one node."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return ACTIVATIONS[node.layer.activation.type](x)
    return LAYERS[node.layer.type](node, x, parameters, drop)


def softmax_cross_entropy(y: Any, z: Any) -> Any:
    """For classes or one-hot targets."""
    if y.dtype.is_integer:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z)
    return tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=z)


#: terms whose mean is the loss. tf.maximum passes the gradient to its first argument where both are equal: what the
#: perceptron needs (-y at y z = 0) and the hinge must not have, so that one is a relu.
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda y, z: tf.math.squared_difference(z, y),
    "mae": lambda y, z: tf.abs(z - y),
    "binary_cross_entropy": lambda y, z: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z),
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": lambda y, z: tf.nn.relu(1 - y * z),
    "perceptron": lambda y, z: tf.maximum(-y * z, 0),
}
