"""Losses: terms on Keras' ops, and how they become one number.

Keras' own loss classes around these cost a fifth of a small step on torch, and differ from the spec in a sign, a clip, or the gradient
where two are equal.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Mapping, Optional

from keras import ops

from harness.spec import ProgramSpec

Terms = Callable[[Any, Any], Any]


def absolute(difference: Any) -> Any:
    """|d| with gradient 0 at 0: that of jax's own is 1 there."""
    return difference * ops.stop_gradient(ops.sign(difference))


def huber(delta: float) -> Terms:
    """A square in the middle, lines outside."""

    def terms(y: Any, z: Any) -> Any:
        distance = absolute(z - y)
        return ops.where(distance <= delta, 0.5 * distance * distance, delta * (distance - 0.5 * delta))

    return terms


def log_cosh(y: Any, z: Any) -> Any:
    """log(cosh(z - y))."""
    difference = z - y
    return difference + ops.softplus(-2 * difference) - math.log(2)


def binary_cross_entropy(smoothing: float) -> Terms:
    """From logits."""

    def terms(y: Any, z: Any) -> Any:
        y = y * (1 - smoothing) + smoothing / 2 if smoothing else y
        return ops.binary_crossentropy(y, z, from_logits=True)

    return terms


def softmax_cross_entropy(integer: bool, smoothing: float) -> Terms:
    """From logits, for classes or one-hot targets."""

    def terms(y: Any, z: Any) -> Any:
        if integer and not smoothing:
            return ops.sparse_categorical_crossentropy(y, z, from_logits=True)
        y = ops.one_hot(y, z.shape[-1], dtype=z.dtype) if integer else y
        y = y * (1 - smoothing) + smoothing / z.shape[-1] if smoothing else y
        return ops.categorical_crossentropy(y, z, from_logits=True)

    return terms


def kl_divergence(y: Any, z: Any) -> Any:
    """From log-probabilities z."""
    known = y * ops.log(ops.where(y > 0, y, ops.ones_like(y)))
    return ops.sum(known - y * z, axis=-1)


def length(a: Any) -> Any:
    """sqrt(max(sum a^2, 1e-12)) along the last axis."""
    square = ops.sum(a * a, axis=-1)
    return ops.sqrt(ops.where(square > 1e-12, square, 1e-12 * ops.ones_like(square)))


def cosine_similarity(y: Any, z: Any) -> Any:
    """1 less the cosine."""
    return 1 - ops.sum(y * z, axis=-1) / (length(y) * length(z))


#: type -> function of a program that makes the terms; of an elementwise loss they still have the outputs' last axis
LOSSES: Dict[str, Callable[[ProgramSpec], Terms]] = {
    "mse": lambda spec: lambda y, z: ops.square(z - y),
    "mae": lambda spec: lambda y, z: absolute(z - y),
    "huber": lambda spec: huber(getattr(spec.loss, "delta", 1.0)),
    "log_cosh": lambda spec: log_cosh,
    "binary_cross_entropy": lambda spec: binary_cross_entropy(getattr(spec.loss, "label_smoothing", 0.0)),
    "softmax_cross_entropy": lambda spec: softmax_cross_entropy(
        spec.targets == "integer", getattr(spec.loss, "label_smoothing", 0.0)
    ),
    "kl_divergence": lambda spec: kl_divergence,
    "cosine_similarity": lambda spec: cosine_similarity,
    "poisson": lambda spec: lambda y, z: ops.exp(z) - y * z,
    "hinge": lambda spec: lambda y, z: ops.relu(1 - y * z),
    "perceptron": lambda spec: lambda y, z: ops.where(y * z <= 0, -y * z, ops.zeros_like(z)),
}


def loss(spec: ProgramSpec, variables: Mapping[str, Any]) -> Callable[[Any, Any, Optional[Any]], Any]:
    """Function of targets, outputs and sample weights (or None): the loss with its penalties on `variables`, by name."""
    terms, reduction, elementwise = LOSSES[spec.loss.type](spec), spec.loss.reduction, spec.loss.elementwise
    penalties = [(variables[name], *factors) for name, factors in spec.penalties.items()]

    def value(y: Any, z: Any, weights: Optional[Any] = None) -> Any:
        found = terms(y, z)
        if weights is None and reduction != "sum":
            total = ops.mean(found)
        else:
            found = ops.mean(found, axis=-1) if elementwise else found
            total = combined(found if weights is None else weights * found, weights, reduction)
        for variable, l1, l2 in penalties:
            total = total + penalty(ops.convert_to_tensor(variable), l1, l2)
        return total

    return value


def combined(terms: Any, weights: Optional[Any], reduction: str) -> Any:
    """Weighted terms as one number."""
    if reduction == "mean":
        return ops.mean(terms)
    return ops.sum(terms) / ops.sum(weights) if reduction == "weighted_mean" else ops.sum(terms)


def penalty(parameter: Any, l1: float, l2: float) -> Any:
    """l1 sum(|p|) + l2 sum(p^2)."""
    absolutes = l1 * ops.sum(absolute(parameter)) if l1 else 0.0
    squares = l2 * ops.sum(ops.square(parameter)) if l2 else 0.0
    return absolutes + squares
