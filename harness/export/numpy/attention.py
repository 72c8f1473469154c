"""Attention and positions. The four projections stand in the script; a function does what is between them."""

from __future__ import annotations

from ...spec.layers import MultiHeadAttention, SinusoidalPositions
from .core import affine, affine_gradients, own
from .place import Lines, Place, call


def multi_head_attention(at: Place) -> Lines:
    """softmax(q k^T / sqrt(size)) v of every head, between projections."""
    layer: MultiHeadAttention = at.layer
    count = layer.sources(len(at.xs))
    sources = {"query": at.x, "key": at.xs[count - 1], "value": at.xs[count - 1]}
    parts = {name: at.new(name[0]) for name in sources}
    heads, kept = at.new("heads"), at.new("kept")
    d_parts = {name: at.names.new(f"d_{part}") for name, part in parts.items()}
    arguments = [*parts.values(), str(layer.num_heads)]
    forward = [f"{parts[name]} = {projected(at, name, source)}" for name, source in sources.items()]
    forward.append(f"{heads}, {kept} = {call('attention', *arguments, visible=visible(at))}")
    forward.append(f"{at.y} = {affine(heads, at.p('output_kernel'), own(at, 'output_bias'))}")
    back = [f"{', '.join(d_parts.values())} = attention_backward({at.d} @ {at.p('output_kernel')}.T, {kept})"]
    if layer.rotary_base:
        back += [f"{d_parts[name]} = {turned(at, name, d_parts[name], -1)}" for name in ("query", "key")]
    inputs, sums = at_inputs(at, d_parts, count) if at.needed else (("",) * len(at.xs), [])
    gradients = affine_gradients(at, heads, at.d, 3, "output_kernel", "output_bias")
    for name, source in sources.items():
        gradients |= affine_gradients(at, source, d_parts[name], 3, f"{name}_kernel", f"{name}_bias")
    return Lines(tuple(forward), inputs, gradients, (*back, *sums))


def projected(at: Place, name: str, source: str) -> str:
    """q, k or v; q and k turned where there are rotary positions."""
    value = affine(source, at.p(f"{name}_kernel"), own(at, f"{name}_bias"))
    return turned(at, name, value) if at.layer.rotary_base and name != "value" else value


def turned(at: Place, name: str, value: str, sign: int | None = None) -> str:
    """q or k turned by its positions, or back with sign -1."""
    heads = at.layer.num_heads if name == "query" else at.layer.kv_heads
    return call("rotated", value, str(heads), at.number(at.layer.rotary_base), sign=sign)


def visible(at: Place) -> str | None:
    """Which steps are looked at; None: all."""
    causal = f"np.tri({at.shape[0]}, dtype=bool)" if at.layer.causal else ""
    mask = f"({at.xs[-1]} != 0)[:, None, None]" if at.layer.mask is not None else ""
    return " & ".join(filter(None, [causal, mask])) or None


def at_inputs(at: Place, d_parts: dict[str, str], count: int) -> tuple[tuple[str, ...], list[str]]:
    """The gradients at what q, k and v are made of, and the lines that add them up; a mask has none."""
    kinds = ("x",) if count == 1 else ("query", "memory")
    found = [at.names.new(f"{at.d}_{kind}") for kind in kinds]
    query, key, value = (f"{d_part} @ {at.p(f'{name}_kernel')}.T" for name, d_part in d_parts.items())
    sums = [f"{found[0]} = {query}", f"{found[-1]} {'+=' if count == 1 else '='} {key}", f"{found[-1]} += {value}"]
    return (*found, *([""] if at.layer.mask is not None else [])), sums


def position_embedding(at: Place) -> Lines:
    """x + P, P learned."""
    return Lines((f"{at.y} = {at.x} + {at.p('embeddings')}",), (at.d,), {at.full("embeddings"): f"{at.d}.sum(0)"})


def sinusoidal_positions(at: Place) -> Lines:
    """x + P, P sines and cosines."""
    layer: SinusoidalPositions = at.layer
    steps, features = at.shape
    return Lines((f"{at.y} = {at.x} + sinusoids({steps}, {features}, {at.number(layer.base)})",), (at.d,))
