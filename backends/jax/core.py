"""Dense layers, embeddings, merges, and what only moves numbers about. Every layer is a function of its node, of its own arrays by
short name, and of its inputs `(rows, ...)`."""

from __future__ import annotations

from functools import reduce
from typing import Any, Callable, Mapping, Optional

import jax.numpy as jnp
from jax import lax

from harness.interface import Arrays
from harness.spec import Node


def affine(x: Any, kernel: Any, bias: Optional[Any] = None) -> Any:
    """y = x W + b along the last axis, as a product of two matrices: XLA on CPUs takes up to twice as long for one of three axes."""
    y = x.reshape(-1, x.shape[-1]) @ kernel
    if bias is not None:
        y = y + bias
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


def dense(node: Node, own: Arrays, x: Any) -> Any:
    """y = x W + b."""
    return affine(x, own["kernel"], own.get("bias"))


def tied_dense(node: Node, own: Arrays, x: Any) -> Any:
    """y = x E^T + b, E the embedding's table."""
    return affine(x, own["table"].T, own.get("bias"))


def embedding(node: Node, own: Arrays, x: Any) -> Any:
    """Rows of the table. The harness has checked that they exist, so nothing needs to be filled in."""
    return jnp.take(own["embeddings"], x, axis=0, mode="clip")


def prelu(node: Node, own: Arrays, z: Any) -> Any:
    """z where z > 0, else alpha z."""
    return jnp.where(z > 0, z, own["alpha"] * z)


def flatten(node: Node, own: Arrays, x: Any) -> Any:
    """All axes but the rows made one."""
    return x.reshape(len(x), -1)


def reshape(node: Node, own: Arrays, x: Any) -> Any:
    """The same numbers in another shape."""
    return x.reshape(len(x), *node.output_shape)


def permute(node: Node, own: Arrays, x: Any) -> Any:
    """Axes in another order."""
    layer: Any = node.layer
    return x.transpose(0, *layer.dims)


def take(node: Node, own: Arrays, x: Any) -> Any:
    """One place of an axis, or several."""
    layer: Any = node.layer
    places = layer.places(node.input_shape)
    if isinstance(layer.indices, int):
        return lax.index_in_dim(x, places[0], layer.axis, keepdims=False)
    return jnp.take(x, jnp.array(places), layer.axis, mode="clip", unique_indices=True)


def concatenate(node: Node, own: Arrays, *inputs: Any) -> Any:
    """Inputs one behind the other along an axis."""
    layer: Any = node.layer
    return jnp.concatenate(inputs, layer.axis)


def merge(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """All inputs by one function of two, from left to right."""
    return lambda node, own, *inputs: reduce(function, inputs)


def larger(a: Any, b: Any) -> Any:
    """The larger one; the gradient goes to the first of equal ones, where jnp.maximum splits it."""
    return jnp.where(a >= b, a, b)


CORE: Mapping[str, Callable[..., Any]] = {
    "dense": dense,
    "tied_dense": tied_dense,
    "embedding": embedding,
    "prelu": prelu,
    "flatten": flatten,
    "reshape": reshape,
    "permute": permute,
    "take": take,
    "concatenate": concatenate,
    "add": merge(jnp.add),
    "multiply": merge(jnp.multiply),
    "maximum": merge(larger),
    "average": lambda node, own, *inputs: reduce(jnp.add, inputs) / len(inputs),
}
