"""Attention and positions."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Sequence

import keras
import numpy
from keras import layers, ops

from harness.spec import Node

from .part import Part


class Turned:
    """Attention whose queries and keys are turned by their positions, where there is a `base`."""

    base: Any = None

    def _compute_attention(self, query: Any, key: Any, value: Any, *arguments: Any, **options: Any) -> Any:
        own: Any = super()
        return own._compute_attention(turned(query, self.base), turned(key, self.base), value, *arguments, **options)


class RotaryAttention(Turned, keras.layers.MultiHeadAttention):  # type: ignore[misc]
    """Keras' attention with rotary positions."""


class GroupedAttention(keras.layers.GroupQueryAttention):  # type: ignore[misc]
    """Keras' attention of heads that share keys and values, for a memory of any width."""

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        """The query's."""
        return query_shape


class RotaryGroupedAttention(Turned, GroupedAttention):
    """The same with rotary positions."""


def turned(x: Any, base: float) -> Any:
    """x `(rows, steps, heads, size)` with the pairs (i, i + size / 2) at step t turned by t base^(-2 i / size)."""
    steps, half = x.shape[1], x.shape[-1] // 2
    angles = numpy.arange(steps)[:, None] * base ** (-numpy.arange(half) / half)
    cosine, sine = (ops.convert_to_tensor(f(angles)[:, None, :], dtype=x.dtype) for f in (numpy.cos, numpy.sin))
    left, right = x[..., :half], x[..., half:]
    return ops.concatenate([left * cosine - right * sine, right * cosine + left * sine], axis=-1)


class Positions(keras.layers.Layer):  # type: ignore[misc]
    """A learned vector for each step, added."""

    def build(self, shape: Any) -> None:
        """embeddings `(steps, features)`."""
        self.embeddings = self.add_weight(shape=tuple(shape[1:]), name="embeddings")

    def call(self, x: Any) -> Any:
        """x + P."""
        return ops.add(x, self.embeddings)


class Waves(keras.layers.Layer):  # type: ignore[misc]
    """A fixed vector for each step, added."""

    def __init__(self, base: float) -> None:
        super().__init__()
        self.base = base

    def build(self, shape: Any) -> None:
        """P `(steps, features)`, rounded to float32."""
        steps, features = shape[1:]
        even = numpy.arange(features) // 2 * 2
        angles = numpy.arange(steps)[:, None] / self.base ** (even / features)
        waves = numpy.where(numpy.arange(features) % 2, numpy.cos(angles), numpy.sin(angles))
        self.waves = waves.astype(numpy.float32).astype(keras.config.floatx())

    def call(self, x: Any) -> Any:
        """x + P."""
        return ops.add(x, self.waves)


def attention(node: Node, activation: Any) -> Part:
    """multi_head_attention, grouped where heads share keys and values."""
    layer: Any = node.layer
    size, count = layer.head(node.input_shape), layer.sources(len(node.inputs))
    grouped, rotary = layer.kv_heads != layer.num_heads, layer.rotary_base is not None
    kind: Any
    if grouped:
        kind = RotaryGroupedAttention if rotary else GroupedAttention
        attend = kind(size, layer.num_heads, layer.kv_heads, use_bias=layer.use_bias)
    else:
        kind = RotaryAttention if rotary else layers.MultiHeadAttention
        attend = kind(layer.num_heads, size, use_bias=layer.use_bias)
    if rotary:
        attend.base = layer.rotary_base
    if keras.config.floatx() == "float64":  # a Python float would go through float32
        setattr(attend, "_inverse_sqrt_head_dim" if grouped else "_inverse_sqrt_key_dim", numpy.float64(1 / math.sqrt(size)))

    def read(attend: Any, inputs: Sequence[Any]) -> Any:
        looked_at = {} if len(inputs) == count else {"attention_mask": ops.expand_dims(ops.not_equal(inputs[-1], 0), 1)}
        return attend(inputs[0], inputs[count - 1], use_causal_mask=layer.causal, **looked_at)

    return Part((attend,), read)


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "multi_head_attention": attention,
    "position_embedding": lambda node, activation: Part((Positions(),)),
    "sinusoidal_positions": lambda node, activation: Part((Waves(node.layer.base),)),
}
