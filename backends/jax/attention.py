"""Attention and positions, over `(rows, steps, features)`."""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, Optional

import jax
import jax.numpy as jnp
from jax import lax

from harness.interface import Arrays, rotations, sinusoids
from harness.spec import Node

from .core import affine


def multi_head_attention(node: Node, own: Arrays, *inputs: Any) -> Any:
    """Heads side by side. jax.nn.dot_product_attention takes its softmax in float32, whatever it is given."""
    layer: Any = node.layer
    size = layer.head(node.input_shape)
    query, memory = inputs[0], inputs[layer.sources(len(inputs)) - 1]

    def projected(name: str, x: Any) -> Any:
        return affine(x, own[f"{name}_kernel"], own.get(f"{name}_bias"))

    def heads(name: str, x: Any) -> Any:
        return projected(name, x).reshape(*x.shape[:2], -1, size)

    q, k, v = heads("query", query), heads("key", memory), heads("value", memory)
    if layer.rotary_base is not None:
        q, k = turned(q, layer.rotary_base), turned(k, layer.rotary_base)
    padding = inputs[-1] if layer.mask is not None else None
    seen = attended(q, k, v, visible(query.shape[1], memory.shape[1], layer.causal, padding))
    return projected("output", seen)


def visible(queries: int, keys: int, causal: bool, padding: Optional[Any]) -> Optional[Any]:
    """What each step may look at, `(rows or 1, 1, 1, queries, keys)`; None where that is all."""
    found = None
    if causal:
        found = lax.broadcasted_iota(jnp.int32, (queries, keys), 0) >= lax.broadcasted_iota(jnp.int32, (queries, keys), 1)
        found = found[None, None, None]
    if padding is not None:
        real = (padding != 0)[:, None, None, None, :]
        found = real if found is None else found & real
    return found


def attended(q: Any, k: Any, v: Any, seen: Optional[Any]) -> Any:
    """softmax(q k^T / sqrt(size)) v of q `(rows, queries, heads, size)`, k and v `(rows, keys, kv_heads, size)`, each of which serves
    neighbouring heads: `(rows, queries, heads size)`."""
    rows, steps, heads, size = q.shape
    grouped = q.reshape(rows, steps, k.shape[2], -1, size)
    scores = jnp.einsum("bqngd,bknd->bngqk", grouped, k) / math.sqrt(size)
    if seen is not None:
        scores = jnp.where(seen, scores, jnp.finfo(scores.dtype).min)
    found = jnp.einsum("bngqk,bknd->bqngd", jax.nn.softmax(scores), v)
    return found.reshape(rows, steps, heads * size)


def turned(x: Any, base: float) -> Any:
    """The pairs (i, i + size / 2) of x `(rows, steps, heads, size)`, each turned by its step times its own angle."""
    half = x.shape[-1] // 2
    cos, sin = (jnp.asarray(table[:, None], x.dtype) for table in rotations(x.shape[1], x.shape[-1], base))
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def position_embedding(node: Node, own: Arrays, x: Any) -> Any:
    """y = x + P, P learned."""
    return x + own["embeddings"]


def sinusoidal_positions(node: Node, own: Arrays, x: Any) -> Any:
    """y = x + P, P of waves, rounded to float32."""
    layer: Any = node.layer
    steps, features = node.input_shape
    return x + jnp.asarray(sinusoids(steps, features, layer.base), x.dtype)


ATTENTION: Mapping[str, Callable[..., Any]] = {
    "multi_head_attention": multi_head_attention,
    "position_embedding": position_embedding,
    "sinusoidal_positions": sinusoidal_positions,
}
