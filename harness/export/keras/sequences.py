"""Recurrences, attention and positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...spec import float32
from .text import Place, call, unless


def recurrent(kind: str) -> Callable[[Place], str]:
    """A recurrence. Keras' own leaves its outputs turned where it goes backwards: they are turned again."""

    def write(place: Place) -> str:
        layer: Any = place.node.layer
        own = {"activation": f'"{layer.activation}"' if getattr(layer, "activation", "tanh") != "tanh" else None}
        own |= {"reset_after": unless(True, getattr(layer, "reset_after", True))}
        flags = {word: unless(False, getattr(layer, word)) for word in ("return_sequences", "go_backwards")}
        y = f"{place.learned(f'layers.{kind}', layer.units, **own, use_bias=unless(True, layer.use_bias), **flags)}({place.x})"
        return f"ops.flip({y}, axis=1)" if layer.go_backwards and layer.return_sequences else y

    return write


def attention(place: Place) -> str:
    """multi_head_attention, grouped where heads share keys and values."""
    layer: Any = place.node.layer
    key_dim, count = layer.head(place.node.input_shape), layer.sources(len(place.inputs))
    query, memory = place.inputs[0], place.inputs[count - 1]
    made = heads(place, layer, key_dim, other=place.node.input_shapes[count - 1][-1] != place.node.input_shape[-1])
    masked = len(place.inputs) > count
    looked_at = f"ops.expand_dims(ops.not_equal({place.inputs[-1]}, 0), 1)" if masked else None
    options = {"attention_mask": looked_at, "use_causal_mask": unless(False, layer.causal)}
    if place.engine == "jax" and place.double:
        why = "without scores Keras calls jax.nn.dot_product_attention, whose softmax is in float32"
    elif place.engine == "torch" and masked:
        why = "without scores Keras calls PyTorch's own attention, whose gradient is wrong where no step may be looked at"
    else:
        return call(made, query, memory, **options)
    made = f"blind({made})" if masked else made
    return f"{call(made, query, memory, **options, return_attention_scores=True)}[0]  # {why}"


def heads(place: Place, layer: Any, key_dim: int, other: bool) -> str:
    """The attention's layer; `other`: whether query and memory differ in width."""
    rotary = layer.rotary_base is not None
    options = {"base": layer.rotary_base, "use_bias": unless(True, layer.use_bias)}
    if layer.kv_heads != layer.num_heads:
        kind = "RotaryGroupedAttention" if rotary else "GroupedAttention" if other else "layers.GroupQueryAttention"
        made = place.learned(kind, key_dim, layer.num_heads, layer.kv_heads, **options)
    else:
        kind = "RotaryAttention" if rotary else "layers.MultiHeadAttention"
        made = place.learned(kind, layer.num_heads, key_dim, **options)
    scale = 1 / math.sqrt(key_dim)
    return f"exact({made}, {key_dim})" if place.double and float32(scale) != scale else made


def learned_positions(place: Place) -> str:
    """A learned vector for each step, added."""
    return f"{place.learned('PositionEmbedding')}({place.x})"


def waves(place: Place) -> str:
    """A fixed vector for each step, added."""
    layer: Any = place.node.layer
    return f"{place.x} + {call('waves', *place.node.input_shape, layer.base)}"


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "simple_rnn": recurrent("SimpleRNN"), "lstm": recurrent("LSTM"), "gru": recurrent("GRU"), "multi_head_attention": attention,
    "position_embedding": learned_positions, "sinusoidal_positions": waves,
}  # fmt: skip
