"""Losses, optax's own where its gradients are the spec's; penalties."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import jax
import jax.numpy as jnp
import optax

from harness.interface import Arrays, shared


def absolute(x: Any) -> Any:
    """|x|, with gradient 0 at 0: that of jnp.abs is 1 there."""
    return x * jnp.sign(x)


def binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, each for itself."""
    smoothing = loss.label_smoothing
    return optax.sigmoid_binary_cross_entropy(z, y * (1 - smoothing) + smoothing / 2 if smoothing else y)


def softmax_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, against classes or one-hot rows."""
    classes = jnp.issubdtype(y.dtype, jnp.integer)
    if not loss.label_smoothing:
        return (optax.softmax_cross_entropy_with_integer_labels if classes else optax.softmax_cross_entropy)(z, y)
    hot = jax.nn.one_hot(y, z.shape[-1], dtype=z.dtype) if classes else y
    return optax.softmax_cross_entropy(z, optax.smooth_labels(hot, loss.label_smoothing))


#: values of a loss: one for each output where it is elementwise, else one for each term. optax's own hinge and perceptron loss split the
#: gradient where they are zero, as jnp.maximum does.
LOSSES: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda loss, p, y: (p - y) ** 2,
    "mae": lambda loss, p, y: absolute(p - y),
    "huber": lambda loss, p, y: optax.huber_loss(p, y, delta=loss.delta),
    "log_cosh": lambda loss, p, y: optax.log_cosh(p, y),
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda loss, z, y: optax.kl_divergence(z, y),
    "cosine_similarity": lambda loss, z, y: optax.cosine_distance(z, y, epsilon=1e-12),
    "poisson": lambda loss, z, y: jnp.exp(z) - y * z,
    "hinge": lambda loss, z, y: jax.nn.relu(1 - y * z),
    "perceptron": lambda loss, z, y: jnp.where(y * z <= 0, -y * z, 0),
}


def loss_value(loss: Any, z: Any, y: Any, weights: Optional[Any]) -> Any:
    """The loss as one number.

    Args:
        loss: the spec's.
        z: what it reads, `(rows, *output_shape)`.
        y: targets.
        weights: of the terms, `(rows, *terms_shape)`, or None.
    """
    return shared.reduced(loss, LOSSES[loss.type](loss, z, y), weights)


def penalty(penalties: Mapping[str, Tuple[float, float]], parameters: Arrays) -> Any:
    """l1 sum(|p|) + l2 sum(p^2) of all parameters that have one."""
    total: Any = 0
    for name, (l1, l2) in penalties.items():
        if l1:
            total += l1 * absolute(parameters[name]).sum()
        if l2:
            total += l2 * jnp.square(parameters[name]).sum()
    return total
