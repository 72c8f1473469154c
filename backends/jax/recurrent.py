"""Recurrences: what comes from the inputs in one product before, then lax.scan over the steps."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

import jax
import jax.numpy as jnp
from jax import lax

from harness.interface import Arrays
from harness.spec import Node

from .core import affine

#: `(h or (h, c), z) -> the same`, z what comes from one step's inputs
Cell = Callable[[Any, Any], Any]


def recurrence(node: Node, x: Any, own: Arrays, cell: Cell, bias: Optional[Any], cells: bool = False) -> Any:
    """A cell from step to step, the first axis of what is scanned: all its h `(rows, steps, units)` or the last `(rows, units)`.

    Args:
        node: of the recurrence.
        x: inputs `(rows, steps, features)`.
        own: its arrays.
        cell: one step.
        bias: added to what comes from the inputs.
        cells: whether there is a state c beside h.
    """
    layer: Any = node.layer
    start = jnp.zeros((len(x), layer.units), x.dtype)

    def step(held: Any, z: Any) -> Any:
        held = cell(held, z)
        output = held[0] if cells else held
        return held, output if layer.return_sequences else None

    z = affine(x.swapaxes(0, 1), own["kernel"], bias)
    last, every = lax.scan(step, (start, start) if cells else start, z, reverse=layer.go_backwards)
    if layer.return_sequences:
        return every.swapaxes(0, 1)
    return last[0] if cells else last


def simple_rnn(node: Node, own: Arrays, x: Any) -> Any:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    function = {"tanh": jnp.tanh, "relu": jax.nn.relu}[layer.activation]
    return recurrence(node, x, own, lambda h, z: function(z + h @ own["recurrent_kernel"]), own.get("bias"))


def lstm(node: Node, own: Arrays, x: Any) -> Any:
    """Gates in the order i, f, g, o."""

    def cell(held: Any, z: Any) -> Any:
        h, c = held
        i, f, g, o = jnp.split(z + h @ own["recurrent_kernel"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    return recurrence(node, x, own, cell, own.get("bias"), cells=True)


def gru(node: Node, own: Arrays, x: Any) -> Any:
    """Gates in the order z, r, h; the reset acts on h U or on h."""
    layer: Any = node.layer
    units, kernel, bias = layer.units, own["recurrent_kernel"], own.get("bias")
    beside = bias[1] if layer.reset_after and bias is not None else 0

    def after(h: Any, z: Any) -> Any:
        inner = h @ kernel + beside
        update, reset = jnp.split(jax.nn.sigmoid(z[:, : 2 * units] + inner[:, : 2 * units]), 2, -1)
        return update * h + (1 - update) * jnp.tanh(z[:, 2 * units :] + reset * inner[:, 2 * units :])

    def before(h: Any, z: Any) -> Any:
        update, reset = jnp.split(jax.nn.sigmoid(z[:, : 2 * units] + h @ kernel[:, : 2 * units]), 2, -1)
        return update * h + (1 - update) * jnp.tanh(z[:, 2 * units :] + (reset * h) @ kernel[:, 2 * units :])

    if layer.reset_after:
        return recurrence(node, x, own, after, None if bias is None else bias[0])
    return recurrence(node, x, own, before, bias)


RECURRENT: Mapping[str, Callable[..., Any]] = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}
