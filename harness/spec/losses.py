"""Losses. Every one is a mean over all rows of the batch (and, elementwise ones, over all outputs): the reduction is stated
here because frameworks' defaults differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple

from .fields import Spec


@dataclass(frozen=True)
class Loss(Spec):
    """One loss; `targets` are the target encodings it takes, the first for classes, the last where there is a choice."""

    targets: ClassVar[Tuple[str, ...]] = ()


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """mean((p - y)^2) over rows and outputs."""

    type = "mse"
    targets = ("one_hot", "binary", "value", "sign")
    also = {"mean_squared_error": "Keras", "mse_loss": "PyTorch", "l2": "other tools", "l2_loss": "Optax"}


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """mean(|p - y|) over rows and outputs; the gradient at p = y is 0."""

    type = "mae"
    targets = ("one_hot", "binary", "value", "sign")
    also = {"mean_absolute_error": "Keras", "l1_loss": "PyTorch", "l1": "other tools"}


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """mean(max(z, 0) - z y + log(1 + exp(-|z|))) over rows and outputs, from logits z, y in {0, 1}."""

    type = "binary_cross_entropy"
    targets = ("binary", "one_hot")
    also = {
        "binary_crossentropy": "Keras", "bce": "short", "bce_with_logits": "PyTorch", "BCEWithLogitsLoss": "PyTorch",
        "binary_cross_entropy_with_logits": "PyTorch", "sigmoid_binary_cross_entropy": "Optax", "log_loss": "scikit-learn",
        "sigmoid_cross_entropy": "TensorFlow",
    }  # fmt: skip


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """mean over rows of log(sum_j exp(z_j)) - z_y, from logits z, y an integer class or one-hot."""

    type = "softmax_cross_entropy"
    targets = ("integer", "one_hot")
    also = {
        "cross_entropy": "PyTorch", "CrossEntropyLoss": "PyTorch", "crossentropy": "short", "nll_loss": "PyTorch",
        "categorical_crossentropy": "Keras", "sparse_categorical_crossentropy": "Keras",
        "softmax_cross_entropy_with_integer_labels": "Optax", "softmax_cross_entropy_with_logits": "TensorFlow",
    }  # fmt: skip


@dataclass(frozen=True)
class Hinge(Loss):
    """mean(max(0, 1 - y z)) over rows and outputs, y in {-1, 1}; the gradient at y z = 1 is 0 (Cortes & Vapnik 1995)."""

    type = "hinge"
    targets = ("sign",)
    also = {"hinge_loss": "Optax", "svm": "other tools"}


@dataclass(frozen=True)
class Perceptron(Loss):
    """mean(max(0, -y z)) over rows and outputs, y in {-1, 1}, gradient -y wherever y z <= 0: Rosenblatt's rule
    (1958). It reads the value z before a final step."""

    type = "perceptron"
    targets = ("sign",)
    also = {"perceptron_loss": "Optax"}
