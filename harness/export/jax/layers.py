"""A node as a line of JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...spec import Node
from ..draft import Draft, NotWritten

ACTIVATIONS: Mapping[str, Callable[[Any, str], str]] = {
    "linear": lambda f, z: z,
    "relu": lambda f, z: f"jax.nn.relu({z})",
    "sigmoid": lambda f, z: f"jax.nn.sigmoid({z})",
    "tanh": lambda f, z: f"jnp.tanh({z})",
}


def dense(draft: Draft, node: Node) -> str:
    """y = x W + b."""
    layer: Any = node.layer
    product = f'{draft.reads(node.inputs)} @ p["{node.name}/kernel"]'
    return f'{product} + p["{node.name}/bias"]' if layer.use_bias else product


def activation(draft: Draft, node: Node) -> str:
    """One of ACTIVATIONS."""
    function: Any = getattr(node.layer, "activation")  # noqa: B009
    if function.type not in ACTIVATIONS:
        raise NotWritten(f'"{node.name}": the activation "{function.type}" is not written for JAX')
    return ACTIVATIONS[function.type](function, draft.reads(node.inputs))


#: type -> the expression of a node's value
LAYERS: Mapping[str, Callable[[Draft, Node], str]] = {"dense": dense, "activation": activation}


def line(draft: Draft, node: Node) -> str:
    """A node as an assignment.

    Raises:
        NotWritten: its layer is not written yet.
    """
    if node.layer.type not in LAYERS:
        raise NotWritten(f'"{node.name}": the layer "{node.layer.type}" is not written for JAX')
    return f"{draft.names[node.name]} = {LAYERS[node.layer.type](draft, node)}"
