"""The model and the losses as pure functions of parameters, inputs and masks."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import jax
import jax.numpy as jnp
import optax

from harness.interface import Arrays
from harness.spec import Node


def outputs(
    nodes: Sequence[Node], parameters: Arrays, x: Any, masks: Mapping[str, Any], taps: Optional[Mapping[str, Any]] = None
) -> Arrays:
    """Every node's output. Dropout multiplies by its mask, and is the identity where there are no masks.

    Args:
        nodes: the chain.
        parameters: by canonical name.
        x: inputs, `(rows, *input_shape)`.
        masks: dropout node -> its scaled mask; empty in inference.
        taps: zeros to add to every output, so that its gradient can be asked for.
    """
    found: Arrays = {}
    for node in nodes:
        x = apply(node, parameters, x, masks)
        if taps is not None:
            x = x + taps[node.name]
        found[node.name] = x
    return found


def apply(node: Node, parameters: Arrays, x: Any, masks: Mapping[str, Any]) -> Any:
    """One node."""
    layer: Any = node.layer
    if layer.type == "activation":
        return ACTIVATIONS[layer.activation.type](x)
    return LAYERS[layer.type](node, parameters, x, masks)


def dense(node: Node, parameters: Arrays, x: Any, masks: Mapping[str, Any]) -> Any:
    """y = x W + b."""
    y = x @ parameters[f"{node.name}/kernel"]
    bias = parameters.get(f"{node.name}/bias")
    return y if bias is None else y + bias


def flatten(node: Node, parameters: Arrays, x: Any, masks: Mapping[str, Any]) -> Any:
    """All axes but the rows made one."""
    return x.reshape(len(x), -1)


def dropout(node: Node, parameters: Arrays, x: Any, masks: Mapping[str, Any]) -> Any:
    """y = x m."""
    return x * masks[node.name] if masks else x


def draw(nodes: Sequence[Node], key: Any, rows: int, dtype: Any) -> Arrays:
    """Scaled masks of JAX's own, one for each node."""
    keys = jax.random.split(key, len(nodes))
    masks: Arrays = {}
    for node, own in zip(nodes, keys):
        layer: Any = node.layer
        kept = jax.random.bernoulli(own, 1 - layer.rate, (rows, *node.output_shape))
        masks[node.name] = kept.astype(dtype) / (1 - layer.rate)
    return masks


def absolute_error(p: Any, y: Any) -> Any:
    """|p - y|, with gradient 0 at 0: the gradient of jnp.abs is 1 there."""
    return (p - y) * jnp.sign(p - y)


def cross_entropy(z: Any, y: Any) -> Any:
    """Softmax cross-entropy from logits, against classes or one-hot rows."""
    if jnp.issubdtype(y.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(z, y)
    return optax.softmax_cross_entropy(z, y)


LAYERS: Dict[str, Callable[..., Any]] = {"dense": dense, "flatten": flatten, "dropout": dropout}
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "step": lambda x: jnp.heaviside(x, 0),
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
}
#: before the mean; optax's own hinge and perceptron loss split the gradient where they are zero, as jnp.maximum does
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: (p - y) ** 2,
    "mae": absolute_error,
    "binary_cross_entropy": optax.sigmoid_binary_cross_entropy,
    "softmax_cross_entropy": cross_entropy,
    "hinge": lambda z, y: jax.nn.relu(1 - y * z),
    "perceptron": lambda z, y: jnp.where(y * z <= 0, -y * z, 0),
}
