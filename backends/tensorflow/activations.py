"""Activations. Where TensorFlow's own has another gradient at a kink, or less than float64, it is written out."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

import tensorflow as tf


def gelu(spec: Any, z: Any) -> Any:
    """tf.nn.gelu in float32; in float64 it takes the root of 2 in float32, and is off by 5e-9."""
    if z.dtype == tf.float32:
        return tf.nn.gelu(z, spec.approximate)
    if spec.approximate:
        return z * 0.5 * (1 + tf.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))
    return z * 0.5 * (1 + tf.math.erf(z * math.sqrt(0.5)))


def elu(z: Any, alpha: float, scale: float = 1.0) -> Any:
    """scale z, or scale alpha (exp(z) - 1). The exponent is cut at 0, so that the side that is not taken does not overflow."""
    below = scale * alpha * tf.math.expm1(tf.where(z > 0, tf.zeros_like(z), z))
    return tf.where(z > 0, z if scale == 1 else scale * z, below)


#: type -> function of the activation's spec and its input
ACTIVATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda spec, z: tf.identity(z),  # a tensor of its own, whose gradient can be asked for
    "step": lambda spec, z: tf.cast(z > 0, z.dtype),
    "sigmoid": lambda spec, z: tf.sigmoid(z),
    "tanh": lambda spec, z: tf.tanh(z),
    "relu": lambda spec, z: tf.nn.relu(z),
    "relu6": lambda spec, z: tf.nn.relu6(z),
    "leaky_relu": lambda spec, z: tf.nn.leaky_relu(z, spec.negative_slope),
    # tf.nn.elu computes exp(z) - 1, which has no digits of a small z
    "elu": lambda spec, z: elu(z, spec.alpha),
    # tf.nn.selu's gradient at 0 is its scale, not scale times alpha
    "selu": lambda spec, z: elu(z, 1.6732632423543772, 1.0507009873554805),
    "gelu": gelu,
    "silu": lambda spec, z: tf.nn.silu(z),
    "softplus": lambda spec, z: tf.math.softplus(z),
    "softsign": lambda spec, z: tf.nn.softsign(z),
    "hard_sigmoid": lambda spec, z: tf.nn.relu6(z + 3) / 6,
    # the gradient of z relu6(z + 3) / 6 at 3 is 1/2, and has to be 1
    "hard_silu": lambda spec, z: tf.where(z >= 3, z, z * tf.nn.relu6(z + 3) / 6),
    "mish": lambda spec, z: z * tf.tanh(tf.math.softplus(z)),
    "softmax": lambda spec, z: tf.nn.softmax(z, spec.axis),
    "log_softmax": lambda spec, z: tf.nn.log_softmax(z, spec.axis),
}
