"""Activations: Keras' own functions, but where one of an engine is off. Each table entry makes the function of a spec."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

import keras
from keras import activations, ops

from .part import ENGINE


def step(z: Any) -> Any:
    """1 where z > 0, else 0."""
    return ops.cast(z > 0, z.dtype)


def leaky_relu(spec: Any) -> Any:
    """On jax the gradient of its own at 0 is 1."""
    slope = spec.negative_slope
    if ENGINE == "jax":
        return lambda z: ops.where(z > 0, z, slope * z)
    return lambda z: activations.leaky_relu(z, negative_slope=slope)


def selu(spec: Any) -> Any:
    """On tensorflow the gradient of its own at 0 is the factor alone, without alpha."""
    factor, alpha = 1.0507009873554805, 1.6732632423543772
    if ENGINE == "tensorflow":
        return lambda z: factor * ops.where(z > 0, z, alpha * ops.elu(z))
    return activations.selu


def gelu(spec: Any) -> Any:
    """In float64 tensorflow's own takes its constants through float32 and is off by 5e-9."""
    if keras.config.floatx() == "float64":
        return gelu_tanh if spec.approximate else gelu_erf
    return lambda z: activations.gelu(z, approximate=spec.approximate)


def gelu_erf(z: Any) -> Any:
    """z (1 + erf(z / sqrt(2))) / 2."""
    return 0.5 * z * (1 + ops.erf(z * math.sqrt(0.5)))


def gelu_tanh(z: Any) -> Any:
    """z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2."""
    return 0.5 * z * (1 + ops.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))


def plain(function: Any) -> Callable[[Any], Any]:
    """A function that its spec says nothing about."""
    return lambda spec: function


ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": plain(activations.linear),
    "step": plain(step),
    "sigmoid": plain(activations.sigmoid),
    "tanh": plain(activations.tanh),
    "relu": plain(activations.relu),
    "relu6": plain(activations.relu6),
    "leaky_relu": leaky_relu,
    "elu": lambda spec: lambda z: activations.elu(z, alpha=spec.alpha),
    "selu": selu,
    "gelu": gelu,
    "silu": plain(activations.silu),
    "softplus": plain(activations.softplus),
    "softsign": plain(activations.softsign),
    "hard_sigmoid": plain(activations.hard_sigmoid),
    "hard_silu": plain(activations.hard_silu),
    "mish": plain(activations.mish),
    "softmax": lambda spec: lambda z: activations.softmax(z, axis=spec.axis),
    "log_softmax": lambda spec: lambda z: activations.log_softmax(z, axis=spec.axis),
}


def function(layer: Any) -> Any:
    """What Keras calls the activation of an activation layer."""
    return ACTIVATIONS[layer.activation.type](layer.activation)
