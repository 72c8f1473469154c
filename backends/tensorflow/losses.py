"""Losses: terms from targets and outputs, combined by the spec's reduction. An elementwise one gives a term for each output."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Optional

import tensorflow as tf

#: below it a vector's square length counts as this, in cosine similarity
SMALLEST = 1e-12


def softmax_cross_entropy(spec: Any, y: Any, z: Any) -> Any:
    """For classes or one-hot targets."""
    smoothing, classes = spec.label_smoothing, z.shape[-1]
    if y.dtype.is_integer and not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z)
    hot = tf.one_hot(y, classes, dtype=z.dtype) if y.dtype.is_integer else y
    hot = hot * (1 - smoothing) + smoothing / classes if smoothing else hot
    return tf.nn.softmax_cross_entropy_with_logits(labels=hot, logits=z)


def binary_cross_entropy(spec: Any, y: Any, z: Any) -> Any:
    """From logits."""
    smoothing = spec.label_smoothing
    y = y * (1 - smoothing) + smoothing / 2 if smoothing else y
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)


def huber(spec: Any, y: Any, z: Any) -> Any:
    """A square, then a line."""
    d, delta = z - y, spec.delta
    return tf.where(tf.abs(d) <= delta, 0.5 * d * d, delta * (tf.abs(d) - 0.5 * delta))


def log_cosh(spec: Any, y: Any, z: Any) -> Any:
    """d + log(1 + exp(-2 d)) - log(2)."""
    d = z - y
    return d + tf.math.softplus(-2 * d) - math.log(2)


def cosine_similarity(spec: Any, y: Any, z: Any) -> Any:
    """1 - the product of the unit vectors."""
    return 1 - tf.reduce_sum(tf.math.l2_normalize(z, -1, SMALLEST) * tf.math.l2_normalize(y, -1, SMALLEST), -1)


#: tf.maximum passes the gradient to its first argument where both are equal: what the perceptron needs (-y at y z = 0) and the hinge must
#: not have, so that one is a relu
LOSSES: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda spec, y, z: tf.math.squared_difference(z, y),
    "mae": lambda spec, y, z: tf.abs(z - y),
    "huber": huber,
    "log_cosh": log_cosh,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda spec, y, z: tf.reduce_sum(tf.math.xlogy(y, y) - y * z, -1),
    "cosine_similarity": cosine_similarity,
    "poisson": lambda spec, y, z: tf.exp(z) - y * z,
    "hinge": lambda spec, y, z: tf.nn.relu(1 - y * z),
    "perceptron": lambda spec, y, z: tf.maximum(-y * z, 0),
}


def loss(spec: Any, y: Any, z: Any, weights: Optional[Any]) -> Any:
    """The loss, without penalties.

    Args:
        spec: the loss.
        y: targets.
        z: outputs.
        weights: sample weights, like the terms; None where there are none.
    """
    terms = LOSSES[spec.type](spec, y, z)
    if weights is None and spec.reduction != "sum":
        return tf.reduce_mean(terms)
    terms = tf.reduce_mean(terms, -1) if spec.elementwise else terms
    total = tf.reduce_sum(terms if weights is None else weights * terms)
    if spec.reduction == "sum":
        return total
    return total / (tf.reduce_sum(weights) if spec.reduction == "weighted_mean" else tf.cast(tf.size(terms), total.dtype))


def penalty(factors: Dict[str, Any], parameters: Dict[str, Any]) -> Any:
    """The penalties of parameters: l1 sum |w| + l2 sum w^2."""
    found = []
    for name, (l1, l2) in factors.items():
        found += [l1 * tf.reduce_sum(tf.abs(parameters[name]))] if l1 else []
        found += [l2 * tf.reduce_sum(tf.square(parameters[name]))] if l2 else []
    return tf.add_n(found)
