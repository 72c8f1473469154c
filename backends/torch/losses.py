"""Losses: torch's own, each as a function of outputs `(rows, ..., outputs)`, targets and a reduction: "mean" over everything, "sum" over
everything, or "none"."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict

import torch
from torch.nn import functional

from harness.interface import shared
from harness.spec import ProgramSpec

from .activations import softplus

Term = Callable[[Any, Any, str], Any]


def reduced(values: Any, reduction: str) -> Any:
    """Values as one number, or as they are."""
    return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()


def log_cosh(z: Any, y: Any, reduction: str) -> Any:
    """log(cosh(z - y)); torch has none."""
    distance = z - y
    return reduced(distance + softplus(-2 * distance) - math.log(2), reduction)


def binary_cross_entropy(spec: Any) -> Term:
    """From logits, with smoothed targets."""
    share = spec.label_smoothing
    if not share:
        return cross_entropy_of_logits
    return lambda z, y, reduction: cross_entropy_of_logits(z, y * (1 - share) + share / 2, reduction)


def cross_entropy_of_logits(z: Any, y: Any, reduction: str) -> Any:
    """Torch's own."""
    return functional.binary_cross_entropy_with_logits(z, y, reduction=reduction)


def softmax_cross_entropy(spec: Any) -> Term:
    """From logits; torch takes classes as the second axis, so steps become rows."""
    share = spec.label_smoothing

    def terms(z: Any, y: Any, reduction: str) -> Any:
        targets = y.flatten() if y.dim() < z.dim() else y.flatten(0, -2)
        found = functional.cross_entropy(z.flatten(0, -2), targets, reduction=reduction, label_smoothing=share)
        return found.view(z.shape[:-1]) if reduction == "none" else found

    return terms


def kl_divergence(z: Any, y: Any, reduction: str) -> Any:
    """From log-probabilities."""
    if reduction == "none":
        return functional.kl_div(z, y, reduction="none").sum(-1)
    return functional.kl_div(z.flatten(0, -2), y.flatten(0, -2), reduction="batchmean" if reduction == "mean" else "sum")


def cosine_similarity(z: Any, y: Any, reduction: str) -> Any:
    """1 less torch's; its eps is the least norm, the root of the spec's 1e-12."""
    return reduced(1 - functional.cosine_similarity(z, y, dim=-1, eps=1e-6), reduction)


def poisson(z: Any, y: Any, reduction: str) -> Any:
    """From logarithms of rates."""
    return functional.poisson_nll_loss(z, y, log_input=True, full=False, reduction=reduction)


def hinge(z: Any, y: Any, reduction: str) -> Any:
    """max(0, 1 - y z)."""
    return reduced(torch.relu(1 - y * z), reduction)


def perceptron(z: Any, y: Any, reduction: str) -> Any:
    """max(0, -y z): unlike relu's, clamp's gradient at 0 is 1."""
    return reduced(torch.clamp(-y * z, min=0), reduction)


def mean_squared_error(z: Any, y: Any, reduction: str) -> Any:
    """Torch's own."""
    return functional.mse_loss(z, y, reduction=reduction)


def mean_absolute_error(z: Any, y: Any, reduction: str) -> Any:
    """Torch's own."""
    return functional.l1_loss(z, y, reduction=reduction)


def huber(spec: Any) -> Term:
    """Torch's own."""
    return lambda z, y, reduction: functional.huber_loss(z, y, reduction=reduction, delta=spec.delta)


#: from the spec to the function of outputs, targets and reduction
LOSSES: Dict[str, Callable[[Any], Term]] = {
    "mse": lambda spec: mean_squared_error,
    "mae": lambda spec: mean_absolute_error,
    "huber": huber,
    "log_cosh": lambda spec: log_cosh,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda spec: kl_divergence,
    "cosine_similarity": lambda spec: cosine_similarity,
    "poisson": lambda spec: poisson,
    "hinge": lambda spec: hinge,
    "perceptron": lambda spec: perceptron,
}


def loss_function(spec: ProgramSpec) -> Callable[..., Any]:
    """The loss of outputs and targets, and of sample weights where the program has them; penalties not counted."""
    term = LOSSES[spec.loss.type](spec.loss)
    if spec.weighted:
        return lambda z, y, weights: shared.reduced(spec.loss, term(z, y, "none"), weights)
    if spec.loss.reduction != "sum":
        return lambda z, y: term(z, y, "mean")
    values = spec.output_shape[-1] if spec.loss.elementwise else 1  # of a term, which is their mean
    return lambda z, y: term(z, y, "sum") / values
