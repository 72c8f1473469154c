"""Dense layers, embeddings, merges, and what only moves numbers about."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import tensorflow as tf

from harness.spec import Node

from .run import Layer, Run

Own = Dict[str, Any]


def affine(x: Any, kernel: Any, bias: Any = None, transpose: bool = False) -> Any:
    """x W + b along the last axis."""
    rows = x if x.shape.rank == 2 else tf.reshape(x, (-1, x.shape[-1]))
    y = tf.matmul(rows, kernel, transpose_b=transpose)
    y = y if bias is None else tf.nn.bias_add(y, bias)
    return y if x.shape.rank == 2 else tf.reshape(y, (-1, *x.shape[1:-1], y.shape[-1]))


def dense(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """y = x W + b."""
    return affine(inputs[0], own["kernel"], own.get("bias"))


def tied_dense(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """y = x E^T + b."""
    return affine(inputs[0], own["embeddings"], own.get("bias"), transpose=True)


def embedding(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Rows of the table."""
    return tf.gather(own["embeddings"], inputs[0])


def prelu(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """z, or alpha z."""
    return tf.where(inputs[0] > 0, inputs[0], own["alpha"] * inputs[0])


def reshape(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """The same numbers, row by row."""
    return tf.reshape(inputs[0], (-1, *node.output_shape))


def permute(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Axes in another order."""
    layer: Any = node.layer
    return tf.transpose(inputs[0], (0, *layer.dims))


def take(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Some places along an axis."""
    layer: Any = node.layer
    places = layer.places(node.input_shape)
    return tf.gather(inputs[0], places[0] if isinstance(layer.indices, int) else places, axis=layer.axis)


def add(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """From left to right."""
    return tf.add_n(list(inputs)) if len(inputs) > 2 else tf.add(*inputs)


def average(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """The sum, divided."""
    return add(node, inputs, own, run) / len(inputs)


def multiply(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """From left to right."""
    y = inputs[0]
    for x in inputs[1:]:
        y = y * x
    return y


def maximum(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """From left to right; the gradient goes to the first of equal ones."""
    y = inputs[0]
    for x in inputs[1:]:
        y = tf.where(x > y, x, y)
    return y


def concatenate(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Along an axis."""
    layer: Any = node.layer
    return tf.concat(list(inputs), layer.place(node.input_shape))


def random(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """Whatever the run asks for; the identity in inference."""
    return run.random(node, inputs[0]) if run.training else inputs[0]


CORE: Dict[str, Layer] = {
    "dense": dense, "tied_dense": tied_dense, "embedding": embedding, "prelu": prelu, "flatten": reshape, "reshape": reshape,
    "permute": permute, "take": take, "add": add, "average": average, "multiply": multiply, "maximum": maximum, "concatenate": concatenate,
    "dropout": random, "spatial_dropout": random, "gaussian_noise": random,
}  # fmt: skip
