"""Recurrences: ONNX's own, over the steps first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .graph import PLAIN, STEPS_FIRST, Value
from .here import Here


def gates(array: Any, places: Sequence[int]) -> Any:
    """The gates along the last axis in ONNX's order."""
    parts = numpy.split(array, len(places), axis=-1)
    return numpy.concatenate([parts[place] for place in places], axis=-1)


def recurrence(here: Here, operator: str, places: Sequence[int], **attributes: Any) -> Value:
    """One direction.

    Args:
        operator: LSTM, GRU or RNN.
        places: which of the harness' gates stands at each of ONNX's places.
    """
    layer = here.layer
    kernels = [here.weight(short, gates(here.parameter(short), places).T[None]) for short in ("kernel", "recurrent_kernel")]
    biases = [here.weight("bias", both_biases(here, places)[None])] if layer.use_bias else []
    direction = "reverse" if layer.go_backwards else "forward"
    name = here.graph.free(f"{here.node.name}/{operator}")
    outputs = [name] if layer.return_sequences else ["", name]  # all steps, or the state behind the last
    inputs = [here.x(STEPS_FIRST), *kernels, *biases]
    here.graph.add(here.node.name, operator, inputs, outputs, hidden_size=layer.units, direction=direction, **attributes)
    axis = here.constant("axes", numpy.array([1 if layer.return_sequences else 0]))  # that of directions, of which there is one
    return here.give("Squeeze", name, axis, layout=STEPS_FIRST if layer.return_sequences else PLAIN)


def both_biases(here: Here, places: Sequence[int]) -> Any:
    """The bias beside x W, then that beside h U: zeros where the layer has none."""
    bias = here.parameter("bias")
    rows = bias if bias.ndim == 2 else numpy.stack([bias, numpy.zeros_like(bias)])
    return gates(rows, places).reshape(-1)


def simple_rnn(here: Here) -> Value:
    """RNN."""
    return recurrence(here, "RNN", [0], activations=[{"tanh": "Tanh", "relu": "Relu"}[here.layer.activation]])


def lstm(here: Here) -> Value:
    """LSTM: gates i, o, f, c from i, f, g, o."""
    return recurrence(here, "LSTM", [0, 3, 1, 2])


def gru(here: Here) -> Value:
    """GRU: gates z, r, h in both."""
    return recurrence(here, "GRU", [0, 1, 2], linear_before_reset=int(here.layer.reset_after))
