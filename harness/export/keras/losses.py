"""Losses: Keras' own where they mean what the spec's mean, with its reductions."""

from __future__ import annotations

from typing import Any

from ...spec import ProgramSpec
from .text import call, unless

#: what Keras calls how terms become one number
REDUCTIONS = {"mean": None, "weighted_mean": '"mean_with_sample_weight"', "sum": '"sum"'}
#: type -> Keras' own, or a class that the script brings with it
LOSSES = {
    "mse": "keras.losses.MeanSquaredError",
    "mae": "keras.losses.MeanAbsoluteError",
    "huber": "keras.losses.Huber",
    "log_cosh": "keras.losses.LogCosh",
    "binary_cross_entropy": "keras.losses.BinaryCrossentropy",
    "softmax_cross_entropy": "keras.losses.CategoricalCrossentropy",
    "kl_divergence": "KLDivergence",
    "cosine_similarity": "CosineDistance",
    "poisson": "LogPoisson",
    "hinge": "Hinge",
    "perceptron": "Perceptron",
}


def criterion(spec: ProgramSpec, engine: str, double: bool) -> str:
    """The loss as an object of Keras; arguments see Place."""
    loss: Any = spec.loss
    kind, smoothing = LOSSES[loss.type], getattr(loss, "label_smoothing", 0.0)
    if loss.type == "mae" and engine == "jax":
        kind = "AbsoluteError"
    if loss.type == "log_cosh" and double:
        kind = "LogCosh"
    if loss.type == "softmax_cross_entropy" and sparse(spec):
        kind = "keras.losses.SparseCategoricalCrossentropy"
    options = {"delta": unless(1.0, getattr(loss, "delta", 1.0)), "label_smoothing": unless(0.0, smoothing)}
    logits = True if loss.type.endswith("cross_entropy") else None
    return call(kind, from_logits=logits, **options, reduction=REDUCTIONS[loss.reduction])


def sparse(spec: ProgramSpec) -> bool:
    """Whether targets stay whole numbers: Keras smooths only those that are one-hot."""
    return spec.targets == "integer" and not getattr(spec.loss, "label_smoothing", 0.0)
