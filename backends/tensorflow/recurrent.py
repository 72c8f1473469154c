"""Recurrences: all inputs projected in one product, then a cell for each step. Few steps are unrolled, which runs a fifth faster than a
loop in the graph; under XLA it is a loop always, as 32 unrolled steps of an LSTM compile for 48 seconds, the loop for 3."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence, Tuple

import tensorflow as tf

from harness.spec import Node

from .core import affine
from .run import Layer, Run

Own = Dict[str, Any]
#: a state and a step's projected input -> the next state; its first part is what the layer shows
Cell = Callable[[Tuple[Any, ...], Any], Tuple[Any, ...]]
#: most steps that are unrolled: a graph of more takes long to trace
UNROLLED = 64


def recurrence(node: Node, x: Any, own: Own, run: Run, bias: Any, parts: int, cell: Cell) -> Any:
    """Step through time.

    Args:
        node: its layer says in which order, and what is shown.
        x: `(rows, steps, features)`.
        own: kernel.
        run: whether XLA compiles it.
        bias: of the input; None where there is none.
        parts: of the state, each `(rows, units)`, zeros first.
        cell: one step.
    """
    layer: Any = node.layer
    z = affine(x, own["kernel"], bias)
    zero = tf.zeros((tf.shape(x)[0], layer.units), x.dtype)
    steps = node.input_shape[0]
    if steps <= UNROLLED and not run.compiled:
        state, shown = (zero,) * parts, []
        for part in tf.unstack(z, steps, 1)[:: -1 if layer.go_backwards else 1]:
            state = cell(state, part)
            shown.append(state[0])
        return tf.stack(shown[:: -1 if layer.go_backwards else 1], 1) if layer.return_sequences else shown[-1]
    states = tf.scan(cell, tf.transpose(z, (1, 0, 2)), (zero,) * parts, reverse=layer.go_backwards)[0]
    last = states[0] if layer.go_backwards else states[-1]
    return tf.transpose(states, (1, 0, 2)) if layer.return_sequences else last


def simple_rnn(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """h = f(z + h U)."""
    layer: Any = node.layer
    function = tf.tanh if layer.activation == "tanh" else tf.nn.relu

    def cell(state: Tuple[Any, ...], z: Any) -> Tuple[Any, ...]:
        return (function(z + tf.matmul(state[0], own["recurrent_kernel"])),)

    return recurrence(node, inputs[0], own, run, own.get("bias"), 1, cell)


def lstm(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """c = s(f) c + s(i) tanh(g); h = s(o) tanh(c)."""

    def cell(state: Tuple[Any, ...], z: Any) -> Tuple[Any, ...]:
        i, f, g, o = tf.split(z + tf.matmul(state[0], own["recurrent_kernel"]), 4, -1)
        c = tf.sigmoid(f) * state[1] + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    return recurrence(node, inputs[0], own, run, own.get("bias"), 2, cell)


def gru(node: Node, inputs: Sequence[Any], own: Own, run: Run) -> Any:
    """h = z h + (1 - z) h', r on h U or on h."""
    layer: Any = node.layer
    units, bias, recurrent = layer.units, own.get("bias"), own["recurrent_kernel"]

    def after(state: Tuple[Any, ...], z: Any) -> Tuple[Any, ...]:
        product = tf.matmul(state[0], recurrent)
        product = product if bias is None else product + bias[1]
        gates = tf.sigmoid(z[:, : 2 * units] + product[:, : 2 * units])
        update, reset = tf.split(gates, 2, -1)
        new = tf.tanh(z[:, 2 * units :] + reset * product[:, 2 * units :])
        return (update * state[0] + (1 - update) * new,)

    def before(state: Tuple[Any, ...], z: Any) -> Tuple[Any, ...]:
        gates = tf.sigmoid(z[:, : 2 * units] + tf.matmul(state[0], recurrent[:, : 2 * units]))
        update, reset = tf.split(gates, 2, -1)
        new = tf.tanh(z[:, 2 * units :] + tf.matmul(reset * state[0], recurrent[:, 2 * units :]))
        return (update * state[0] + (1 - update) * new,)

    if layer.reset_after:
        return recurrence(node, inputs[0], own, run, None if bias is None else bias[0], 1, after)
    return recurrence(node, inputs[0], own, run, bias, 1, before)


RECURRENT: Dict[str, Layer] = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}
