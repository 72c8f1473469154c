"""Activations: jax.nn's own, but where their gradient at a kink is another one than the spec's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import NotWritten
from .text import Written, call, unless


def plain(name: str) -> Callable[[Any, str], str]:
    """A function of z alone."""
    return lambda function, z: call(name, z)


def along_axis(name: str) -> Callable[[Any, str], str]:
    """A function along an axis, the last one where nothing is said."""
    return lambda function, z: call(name, z, axis=unless(function.axis, -1))


#: type -> the expression of a spec and z
ACTIVATIONS: Mapping[str, Callable[[Any, str], str]] = {
    "linear": lambda function, z: z,
    "step": lambda function, z: call("jnp.heaviside", z, 0),
    "sigmoid": plain("jax.nn.sigmoid"),
    "tanh": plain("jnp.tanh"),
    "relu": plain("jax.nn.relu"),
    "relu6": plain("jax.nn.relu6"),
    "leaky_relu": lambda function, z: call("leaky_relu", z, function.negative_slope),
    "elu": lambda function, z: call("jax.nn.elu", z, alpha=unless(function.alpha, 1.0)),
    "selu": plain("jax.nn.selu"),
    "gelu": lambda function, z: call("jax.nn.gelu", z, approximate=function.approximate),
    "silu": plain("jax.nn.silu"),
    "softplus": plain("jax.nn.softplus"),
    "softsign": plain("jax.nn.soft_sign"),
    "hard_sigmoid": plain("jax.nn.hard_sigmoid"),
    "hard_silu": plain("jax.nn.hard_silu"),
    "mish": plain("jax.nn.mish"),
    "softmax": along_axis("jax.nn.softmax"),
    "log_softmax": along_axis("jax.nn.log_softmax"),
}


def activation(at: Written) -> str:
    """One of ACTIVATIONS.

    Raises:
        NotWritten: it is none of them.
    """
    function = at.layer.activation
    if function.type not in ACTIVATIONS:
        raise NotWritten(f'"{at.node.name}": the activation "{function.type}" is not written for JAX')
    return ACTIVATIONS[function.type](function, at.x)
