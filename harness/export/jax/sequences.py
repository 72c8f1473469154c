"""Recurrences, positions and attention: the expression of each; attention takes several lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .text import Values, Written, call


def recurrence(at: Written, kind: str, **named: Any) -> str:
    """All outputs of a recurrence, or the last: backwards it is that of the first step."""
    layer = at.layer
    every = call(
        kind, at.x, at.own("kernel"), at.own("recurrent_kernel"), *([at.own("bias")] if layer.use_bias else []), **named,
        backwards=layer.go_backwards or None,
    )  # fmt: skip
    last = "[:, 0]" if layer.go_backwards else "[:, -1]"
    return every if layer.return_sequences else every + last


def simple_rnn(at: Written) -> str:
    """h <- f(x W + h U + b)."""
    return recurrence(at, "simple_rnn", function="jax.nn.relu" if at.layer.activation == "relu" else None)


def lstm(at: Written) -> str:
    """Gates in the order i, f, g, o."""
    return recurrence(at, "lstm")


def gru(at: Written) -> str:
    """Gates in the order z, r, h."""
    return recurrence(at, "gru_reset_after" if at.layer.reset_after else "gru_reset_before")


def position_embedding(at: Written) -> str:
    """y = x + P, P learned."""
    return f"{at.x} + {at.own('embeddings')}"


def sinusoidal_positions(at: Written) -> str:
    """y = x + P, P of waves."""
    return f"{at.x} + {call('sinusoids', *at.node.input_shape, at.layer.base)}"


def multi_head_attention(at: Written) -> Values:
    """Queries, keys, values, turned by their positions where they are; then what is seen of them."""
    layer, size = at.layer, at.layer.head(at.node.input_shape)
    sources = {"query": at.x, "key": at.inputs[layer.sources(len(at.inputs)) - 1]}
    sources["value"] = sources["key"]
    found = [(name[0], at.plus(f"{x} @ {at.own(f'{name}_kernel')}", f"{name}_bias")) for name, x in sources.items()]
    if layer.rotary_base is not None:
        found += [(name, call("rotated", name, size, layer.rotary_base)) for name in ("q", "k")]
    seen = call("attention", "q", "k", "v", size, seen=visible(at))
    return [*found, (at.name, at.plus(f"{seen} @ {at.own('output_kernel')}", "output_bias"))]


def visible(at: Written) -> str | None:
    """What each step may look at; None where that is all."""
    parts = []
    if at.layer.causal:
        parts.append(call("causal", at.node.input_shape[0]))
    if at.layer.mask is not None:
        parts.append(f"({at.inputs[-1]} != 0)[:, None]")
    return " & ".join(parts) or None


#: those of one line
SEQUENCES: Mapping[str, Callable[[Written], str]] = {
    "simple_rnn": simple_rnn,
    "lstm": lstm,
    "gru": gru,
    "position_embedding": position_embedding,
    "sinusoidal_positions": sinusoidal_positions,
}
