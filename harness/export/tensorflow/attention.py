"""Attention and positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .text import Writing


def multi_head_attention(w: Writing) -> list[str]:
    """q, k and v by heads, then the attention and its output's product."""
    layer = w.layer
    memory = w.inputs[layer.sources(len(w.inputs)) - 1]
    q = turned(w, heads(w, "query", w.x, layer.num_heads))
    k = turned(w, heads(w, "key", memory, layer.kv_heads))
    v = heads(w, "value", memory, layer.kv_heads)
    if layer.kv_heads < layer.num_heads:  # neighbouring heads share k and v
        k, v = (f"tf.repeat({text}, {layer.num_heads // layer.kv_heads}, axis=1)" for text in (k, v))
    found = f"attention({', '.join(['q', 'k', 'v', *seen(w)])}) @ {w.weight('output_kernel')}"
    return [f"q = {q}", f"k = {k}", f"v = {v}", f"{w.name} = {w.biased(found, 'output_bias')}"]


def heads(w: Writing, name: str, x: str, count: int) -> str:
    """One of the three products, by heads."""
    product = f"{x} @ {w.weight(f'{name}_kernel')}"
    return f"split_heads({w.biased(product, f'{name}_bias')}, {count})"


def turned(w: Writing, value: str) -> str:
    """With rotary positions, where it has them."""
    base = w.layer.rotary_base
    return value if base is None else f"rotated({value}, {w.number(base)})"


def seen(w: Writing) -> list[str]:
    """Which steps are looked at, as an argument; none where all are."""
    steps = w.shape[0]
    padding = [f"({w.inputs[-1]} != 0)[:, None, None]"] if w.layer.mask is not None else []
    causal = [f"np.tri({steps}, dtype=bool)"] if w.layer.causal else []
    return [" & ".join([*padding, *causal])] if padding or causal else []


#: type -> the expression of a node's value
POSITIONS: Mapping[str, Callable[[Writing], str]] = {
    "position_embedding": lambda w: f"{w.x} + {w.weight('embeddings')}",
    "sinusoidal_positions": lambda w: f"{w.x} + sinusoids({w.x}, {w.number(w.layer.base)})",
}
