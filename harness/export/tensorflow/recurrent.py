"""Recurrences as calls of functions that come along."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .text import Writing


def recurrence(function: str, w: Writing, *more: str) -> str:
    """A call with its weights, and what is no default."""
    weights = [w.weight(name) for name in ("kernel", "recurrent_kernel", "bias") if w.has(name)]
    options = [
        *(["sequences=True"] if w.layer.return_sequences else []),
        *(["backwards=True"] if w.layer.go_backwards else []),
    ]
    return f"{function}({', '.join([w.x, *weights, *more, *options])})"


def simple_rnn(w: Writing) -> str:
    """With its function where that is not tanh."""
    return recurrence("simple_rnn", w, *(["function=tf.nn.relu"] if w.layer.activation == "relu" else []))


def gru(w: Writing) -> str:
    """One of two functions, by where the reset stands."""
    return recurrence("gru" if w.layer.reset_after else "gru_reset_before", w)


#: type -> the expression of a node's value
RECURRENT: Mapping[str, Callable[[Writing], str]] = {
    "simple_rnn": simple_rnn, "lstm": lambda w: recurrence("lstm", w), "gru": gru,
}  # fmt: skip
