"""Penalties on weights, added to the loss."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fields import Spec, about


@dataclass(frozen=True)
class Regularizer(Spec):
    """A penalty on one array of weights: l1 sum(|w|) + l2 sum(w^2), added to the loss. The gradient of |w| at 0 is 0."""

    @property
    def factors(self) -> "tuple[float, float]":
        """The factors of sum(|w|) and of sum(w^2)."""
        return getattr(self, "l1", 0.0), getattr(self, "l2", 0.0)


@dataclass(frozen=True)
class L1(Regularizer):
    """l1 sum(|w|), added to the loss; the gradient at 0 is 0 (Tibshirani 1996)."""

    l1: float = field(default=0.01, metadata=about("factor of the sum of absolute values", ge=0))
    type = "l1"
    also = {"lasso": "other tools"}


@dataclass(frozen=True)
class L2(Regularizer):
    """l2 sum(w^2), added to the loss, as in Keras: its gradient is 2 l2 w, where PyTorch's weight_decay means l2 w."""

    l2: float = field(default=0.01, metadata=about("factor of the sum of squares", ge=0))
    type = "l2"
    also = {"ridge": "other tools"}


@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1 sum(|w|) + l2 sum(w^2), added to the loss (Zou & Hastie 2005)."""

    l1: float = field(default=0.01, metadata=about("factor of the sum of absolute values", ge=0))
    l2: float = field(default=0.01, metadata=about("factor of the sum of squares", ge=0))
    type = "l1_l2"
    also = {"l1l2": "Keras", "elastic_net": "other tools"}
