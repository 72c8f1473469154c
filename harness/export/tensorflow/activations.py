"""Activations as expressions. Where TensorFlow's own has another gradient at a kink, or less than float64, a function comes along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import NotWritten
from .text import Writing


def gelu(function: Any, w: Writing) -> str:
    """The library's own in float32."""
    if w.draft.dtype == "float32":
        return f"tf.nn.gelu({w.x}, approximate={function.approximate})"
    return f"gelu_tanh({w.x})" if function.approximate else f"gelu({w.x})"


def elu(function: Any, w: Writing) -> str:
    """With its alpha where that is not 1."""
    return f"elu({w.x})" if function.alpha == 1 else f"elu({w.x}, alpha={w.number(function.alpha)})"


def along(name: str) -> Callable[[Any, Writing], str]:
    """A function along an axis, the last if none is named."""
    return lambda f, w: f"tf.nn.{name}({w.x})" if f.axis == -1 else f"tf.nn.{name}({w.x}, axis={f.axis})"


#: type -> the expression, from the activation's spec and the node
ACTIVATIONS: Mapping[str, Callable[[Any, Writing], str]] = {
    "linear": lambda f, w: w.x,
    "step": lambda f, w: f"tf.cast({w.x} > 0, DTYPE)",
    "sigmoid": lambda f, w: f"tf.sigmoid({w.x})",
    "tanh": lambda f, w: f"tf.tanh({w.x})",
    "relu": lambda f, w: f"tf.nn.relu({w.x})",
    "relu6": lambda f, w: f"tf.nn.relu6({w.x})",
    "leaky_relu": lambda f, w: f"tf.nn.leaky_relu({w.x}, alpha={w.number(f.negative_slope)})",
    "elu": elu,
    "selu": lambda f, w: f"selu({w.x})",
    "gelu": gelu,
    "silu": lambda f, w: f"tf.nn.silu({w.x})",
    "softplus": lambda f, w: f"tf.math.softplus({w.x})",
    "softsign": lambda f, w: f"tf.nn.softsign({w.x})",
    "hard_sigmoid": lambda f, w: f"tf.nn.relu6({w.x} + 3) / 6",
    "hard_silu": lambda f, w: f"hard_silu({w.x})",
    "mish": lambda f, w: f"{w.x} * tf.tanh(tf.math.softplus({w.x}))",
    "softmax": along("softmax"),
    "log_softmax": along("log_softmax"),
}


def activation(w: Writing) -> str:
    """The value of an activation's node.

    Raises:
        NotWritten: it is none of ACTIVATIONS.
    """
    function = w.layer.activation
    if function.type not in ACTIVATIONS:
        raise NotWritten(f'"{w.node.name}": the activation "{function.type}" is not written for TensorFlow')
    return ACTIVATIONS[function.type](function, w)
