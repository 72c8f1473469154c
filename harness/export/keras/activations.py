"""Activations: inside a layer, or as lines of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import call, unless

#: Keras' own names of functions that mean there what they mean in the spec, and take nothing
PLAIN = {
    "linear", "sigmoid", "tanh", "relu", "relu6", "silu", "softplus", "softsign", "hard_sigmoid", "hard_silu", "mish",
}  # fmt: skip
#: those that take a number: its name, and what Keras takes when it is told the name alone
DEFAULTS: Mapping[str, tuple[str, Any]] = {
    "elu": ("alpha", 1.0), "softmax": ("axis", -1), "log_softmax": ("axis", -1), "gelu": ("approximate", False),
}  # fmt: skip


def inside(function: Any, engine: str, double: bool) -> str | None:
    """What a layer's `activation` is told; None where the function needs numbers of its own.

    Args:
        function: of the spec.
        engine: see Place.
        double: see Place.
    """
    kind = function.type
    if kind == "selu":
        return "selu" if engine == "tensorflow" else '"selu"'
    if kind in ("softplus", "hard_sigmoid") and engine == "torch" and double:
        return str(kind)
    if kind == "gelu" and double:
        return "gelu_tanh" if function.approximate else "gelu"
    named = kind in PLAIN or (kind in DEFAULTS and getattr(function, DEFAULTS[kind][0]) == DEFAULTS[kind][1])
    return f'"{kind}"' if named else None


def applied(function: Any, z: str, engine: str, double: bool) -> str:
    """The function of a value as an expression; arguments as of `inside`."""
    kind, own = function.type, inside(function, engine, double)
    if own is not None:
        return f"layers.Activation({own})({z})"
    if kind == "leaky_relu":
        slope = function.negative_slope
        return call("leaky_relu", z, slope) if engine == "jax" else f"{call('layers.LeakyReLU', negative_slope=slope)}({z})"
    if kind == "elu":
        return f"{call('layers.ELU', alpha=function.alpha)}({z})"
    if kind == "gelu":
        return call("keras.activations.gelu", z, approximate=True)
    return call(f"keras.activations.{kind}", z, axis=unless(-1, function.axis))
