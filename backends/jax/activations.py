"""Activations: jax.nn's own, but where their gradient at a kink is another one than the spec's."""

from __future__ import annotations

from typing import Any, Callable, Dict

import jax
import jax.numpy as jnp


def leaky_relu(function: Any, z: Any) -> Any:
    """z where z > 0, else slope z: jax.nn.leaky_relu has gradient 1 at 0."""
    return jnp.where(z > 0, z, function.negative_slope * z)


#: type -> function of its spec and of z
ACTIVATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda f, z: z,
    "step": lambda f, z: jnp.heaviside(z, 0),
    "sigmoid": lambda f, z: jax.nn.sigmoid(z),
    "tanh": lambda f, z: jnp.tanh(z),
    "relu": lambda f, z: jax.nn.relu(z),
    "relu6": lambda f, z: jax.nn.relu6(z),
    "leaky_relu": leaky_relu,
    "elu": lambda f, z: jax.nn.elu(z, f.alpha),
    "selu": lambda f, z: jax.nn.selu(z),
    "gelu": lambda f, z: jax.nn.gelu(z, approximate=f.approximate),
    "silu": lambda f, z: jax.nn.silu(z),
    "softplus": lambda f, z: jax.nn.softplus(z),
    "softsign": lambda f, z: jax.nn.soft_sign(z),
    "hard_sigmoid": lambda f, z: jax.nn.hard_sigmoid(z),
    "hard_silu": lambda f, z: jax.nn.hard_silu(z),
    "mish": lambda f, z: jax.nn.mish(z),
    "softmax": lambda f, z: jax.nn.softmax(z, f.axis),
    "log_softmax": lambda f, z: jax.nn.log_softmax(z, f.axis),
}
