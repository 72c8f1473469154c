"""Attention and positions."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy
import tensorflow as tf

from harness.interface import rotations, sinusoids
from harness.spec import Node

from .core import affine
from .run import Layer, Run

Own = Dict[str, Any]
#: what a step that is not looked at gets before the softmax
AWAY = -1e30


def multi_head_attention(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """softmax(q k^T / sqrt(size)) v, head by head; heads that share k and v stand in an axis of their own."""
    layer: Any = node.layer
    query, memory = inputs[0], inputs[layer.sources(len(inputs)) - 1]
    size, groups = layer.head(node.input_shape), layer.kv_heads
    q, k, v = (heads(name, x, own, size) for name, x in (("query", query), ("key", memory), ("value", memory)))
    if layer.rotary_base is not None:
        q, k = turned(q, layer.rotary_base), turned(k, layer.rotary_base)
    if groups < layer.num_heads:
        steps, shared = q.shape[2], layer.num_heads // groups
        q, k, v = tf.reshape(q, (-1, groups, shared, steps, size)), k[:, :, None], v[:, :, None]
    scores = tf.matmul(q, k, transpose_b=True) * tf.constant(size**-0.5, q.dtype)
    if layer.causal:
        seen = numpy.arange(scores.shape[-2])[:, None] >= numpy.arange(scores.shape[-1])
        scores = tf.where(seen, scores, tf.constant(AWAY, scores.dtype))
    if layer.mask is not None:
        seen = tf.reshape(tf.not_equal(inputs[-1], 0), (-1, *(1 for _ in scores.shape[1:-1]), scores.shape[-1]))
        scores = tf.where(seen, scores, tf.constant(AWAY, scores.dtype))
    found = tf.reshape(tf.matmul(tf.nn.softmax(scores), v), (-1, layer.num_heads, query.shape[1], size))
    rows = tf.reshape(tf.transpose(found, (0, 2, 1, 3)), (-1, query.shape[1], layer.num_heads * size))
    return affine(rows, own["output_kernel"], own.get("output_bias"))


def heads(name: str, x: Any, own: Own, size: int) -> Any:
    """A projection as `(rows, heads, steps, size)`."""
    y = affine(x, own[f"{name}_kernel"], own.get(f"{name}_bias"))
    return tf.transpose(tf.reshape(y, (-1, x.shape[1], y.shape[-1] // size, size)), (0, 2, 1, 3))


def turned(x: Any, base: float) -> Any:
    """The pairs (i, i + size / 2), each turned by its step's angle."""
    cosines, sines = (tf.constant(table, x.dtype) for table in rotations(x.shape[2], x.shape[3], base))
    left, right = tf.split(x, 2, -1)
    return tf.concat([left * cosines - right * sines, right * cosines + left * sines], -1)


def position_embedding(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """x + P, learned."""
    return inputs[0] + own["embeddings"]


def sinusoidal_positions(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """x + P, of waves."""
    layer: Any = node.layer
    steps, features = node.input_shape
    return inputs[0] + tf.constant(sinusoids(steps, features, layer.base), inputs[0].dtype)


ATTENTION: Dict[str, Layer] = {
    "multi_head_attention": multi_head_attention, "position_embedding": position_embedding, "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip
