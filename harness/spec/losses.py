"""Losses. Each is one term for every row (and, for sequences, for every step), combined by its `reduction`, which is stated here because
frameworks' defaults differ:

    mean            sum_i w_i t_i / n       n terms, w_i the sample weights, 1 where there are none (Keras)
    weighted_mean   sum_i w_i t_i / sum_i w_i                                            (PyTorch's cross_entropy with weights)
    sum             sum_i w_i t_i

A term of an elementwise loss is the mean over the last axis of the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Optional, Tuple

from .fields import Call, Spec, about
from .native import over_elements, reduction

REDUCTIONS = ("mean", "weighted_mean", "sum")


@dataclass(frozen=True)
class Loss(Spec):
    """One loss; `targets` are the target encodings it takes, the first for classes, the last where there is a choice."""

    reduction: str = field(
        default="mean",
        metadata=about("how terms become one number: mean (over terms), weighted_mean (over weights) or sum", choices=REDUCTIONS),
    )

    targets: ClassVar[Tuple[str, ...]] = ()
    #: whether a term is the mean of an elementwise function over the last axis
    elementwise: ClassVar[bool] = True


_ELEMENTS = ("one_hot", "binary", "value", "sign")
_SMOOTHING = about("share of the target that is spread over all classes", ge=0, lt=1)
_CLASS_WEIGHTS = about(
    "weight of each class; it multiplies the sample weights of its rows",
    ge=0,
    min_length=1,
    also={"weight": "PyTorch", "class_weight": "Keras"},
)


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """mean((p - y)^2) over outputs."""

    type = "mse"
    calls = {
        "torch": Call("torch.nn.functional.mse_loss", {"reduction": "reduction"}),
        "keras": Call("keras.losses.MeanSquaredError", {"reduction": "reduction"}),
        "tensorflow": Call("tensorflow.math.squared_difference"),
        "jax": Call("optax.squared_error"),
    }
    targets = _ELEMENTS
    also = {"mean_squared_error": "Keras", "mse_loss": "PyTorch", "l2": "other tools", "l2_loss": "Optax"}


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """mean(|p - y|) over outputs; the gradient at p = y is 0."""

    type = "mae"
    calls = {
        "torch": Call("torch.nn.functional.l1_loss", {"reduction": "reduction"}),
        "keras": Call("keras.losses.MeanAbsoluteError", {"reduction": "reduction"}),
        "tensorflow": Call("tensorflow.abs"),
        "jax": Call("jax.numpy.abs", note="its gradient at 0 is 1: d sign(d) instead"),
    }
    targets = _ELEMENTS
    also = {"mean_absolute_error": "Keras", "l1_loss": "PyTorch", "l1": "other tools"}


@dataclass(frozen=True)
class Huber(Loss):
    """mean over outputs of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = p - y (Huber 1964). PyTorch's smooth_l1_loss is
    this divided by delta."""

    delta: float = field(default=1.0, metadata=about("where the square ends", gt=0))
    type = "huber"
    calls = {
        "torch": Call("torch.nn.functional.huber_loss", {"delta": "delta", "reduction": "reduction"}),
        "keras": Call("keras.losses.Huber", {"delta": "delta", "reduction": "reduction"}),
        "tensorflow": Call("tensorflow.where", note="written out"),
        "jax": Call("optax.huber_loss", {"delta": "delta"}),
    }
    targets = _ELEMENTS
    also = {"huber_loss": "PyTorch and Optax"}


@dataclass(frozen=True)
class LogCosh(Loss):
    """mean(log(cosh(p - y))) over outputs, computed as d + log(1 + exp(-2 d)) - log(2)."""

    type = "log_cosh"
    calls = {
        "torch": Call("torch.nn.functional.softplus", note="d + softplus(-2 d) - log(2): PyTorch has none"),
        "keras": Call("keras.losses.LogCosh", {"reduction": "reduction"}),
        "tensorflow": Call("tensorflow.math.softplus", note="d + softplus(-2 d) - log(2)"),
        "jax": Call("optax.log_cosh"),
    }
    targets = _ELEMENTS
    also = {"logcosh": "Keras"}


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """mean(max(z, 0) - z y + log(1 + exp(-|z|))) over outputs, from logits z, y in {0, 1}; with label_smoothing s,
    y (1 - s) + s / 2 instead of y."""

    label_smoothing: float = field(default=0.0, metadata=_SMOOTHING)
    type = "binary_cross_entropy"
    calls = {
        "torch": Call("torch.nn.functional.binary_cross_entropy_with_logits", {"reduction": "reduction"}),
        "keras": Call(
            "keras.losses.BinaryCrossentropy",
            {"label_smoothing": "label_smoothing", "reduction": "reduction", "from_logits": "from_logits"},
            "from_logits = true: its default takes probabilities",
        ),
        "tensorflow": Call("tensorflow.nn.sigmoid_cross_entropy_with_logits"),
        "jax": Call("optax.sigmoid_binary_cross_entropy"),
    }
    targets = ("binary", "one_hot")
    also = {
        "binary_crossentropy": "Keras",
        "bce": "short",
        "bce_with_logits": "PyTorch",
        "BCEWithLogitsLoss": "PyTorch",
        "binary_cross_entropy_with_logits": "PyTorch",
        "sigmoid_binary_cross_entropy": "Optax",
        "log_loss": "scikit-learn",
        "sigmoid_cross_entropy": "TensorFlow",
    }


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """log(sum_j exp(z_j)) - sum_j y_j z_j, from logits z along the last axis, y one-hot or an integer class; with label_smoothing s,
    y (1 - s) + s / classes instead of y (Szegedy et al. 2016)."""

    label_smoothing: float = field(default=0.0, metadata=_SMOOTHING)
    class_weights: Optional[Tuple[float, ...]] = field(default=None, metadata=_CLASS_WEIGHTS)
    type = "softmax_cross_entropy"
    calls = {
        "torch": Call(
            "torch.nn.functional.cross_entropy",
            {"label_smoothing": "label_smoothing", "reduction": "reduction"},
            "with weights its mean divides by their sum: weighted_mean here",
            {"reduction": reduction},
        ),
        "keras": Call(
            "keras.losses.CategoricalCrossentropy",
            {"label_smoothing": "label_smoothing", "reduction": "reduction", "from_logits": "from_logits"},
            "from_logits = true: its default takes probabilities",
        ),
        "tensorflow": Call("tensorflow.nn.softmax_cross_entropy_with_logits"),
        "jax": Call("optax.softmax_cross_entropy"),
    }
    targets = ("integer", "one_hot")
    elementwise = False
    also = {
        "cross_entropy": "PyTorch",
        "CrossEntropyLoss": "PyTorch",
        "crossentropy": "short",
        "nll_loss": "PyTorch",
        "categorical_crossentropy": "Keras",
        "sparse_categorical_crossentropy": "Keras",
        "softmax_cross_entropy_with_integer_labels": "Optax",
        "softmax_cross_entropy_with_logits": "TensorFlow",
    }


@dataclass(frozen=True)
class KLDivergence(Loss):
    """sum_j y_j (log(y_j) - z_j), from log-probabilities z along the last axis (put a log_softmax last), 0 log(0) = 0 (Kullback & Leibler
    1951). PyTorch's "mean" divides by all elements, its "batchmean" by rows as here."""

    type = "kl_divergence"
    calls = {
        "torch": Call(
            "torch.nn.functional.kl_div",
            {"reduction": "reduction"},
            "reduction = batchmean: its mean divides by all elements",
            {"reduction": over_elements},
        ),
        "keras": Call(
            "keras.losses.KLDivergence", {"reduction": "reduction"}, "it takes probabilities, and clips them: written out"
        ),
        "tensorflow": Call("tensorflow.math.xlogy"),
        "jax": Call("optax.kl_divergence"),
    }
    targets = ("one_hot", "value")
    elementwise = False
    also = {"kl_div": "PyTorch", "kullback_leibler": "other tools", "kld": "short"}


@dataclass(frozen=True)
class CosineSimilarity(Loss):
    """1 - sum_j z_j y_j / (|z| |y|) along the last axis, |a| = sqrt(max(sum_j a_j^2, 1e-12)). Keras' loss is this less 1."""

    type = "cosine_similarity"
    calls = {
        "torch": Call("torch.nn.functional.cosine_similarity", {"eps": "eps"}, "1 less it; eps has another place: written out"),
        "keras": Call("keras.losses.CosineSimilarity", note="1 more than it"),
        "tensorflow": Call("tensorflow.math.l2_normalize", {"eps": "epsilon"}),
        "jax": Call("optax.cosine_distance", {"eps": "epsilon"}),
    }
    targets = ("one_hot", "value", "sign")
    elementwise = False
    also = {"cosine_embedding_loss": "PyTorch", "cosine_distance": "Optax"}


@dataclass(frozen=True)
class Poisson(Loss):
    """mean(exp(z) - y z) over outputs, from logarithms z of rates; Keras' takes rates."""

    type = "poisson"
    calls = {
        "torch": Call(
            "torch.nn.functional.poisson_nll_loss", {"log_input": "log_input", "full": "full", "reduction": "reduction"}
        ),
        "keras": Call("keras.losses.Poisson", {"reduction": "reduction"}, "it takes rates, not their logarithms: written out"),
        "tensorflow": Call("tensorflow.nn.log_poisson_loss", {"full": "compute_full_loss"}),
        "jax": Call("jax.numpy.exp", note="exp(z) - y z"),
    }
    targets = ("value", "binary", "one_hot")
    also = {"poisson_nll_loss": "PyTorch", "poisson_nll": "PyTorch"}


@dataclass(frozen=True)
class Hinge(Loss):
    """mean(max(0, 1 - y z)) over outputs, y in {-1, 1}; the gradient at y z = 1 is 0 (Cortes & Vapnik 1995)."""

    type = "hinge"
    calls = {
        "torch": Call("torch.relu", note="of 1 - y z"),
        "keras": Call("keras.losses.Hinge", note="its gradient at y z = 1 depends on the engine: relu instead"),
        "tensorflow": Call("tensorflow.nn.relu", note="of 1 - y z"),
        "jax": Call("optax.hinge_loss", note="its gradient at y z = 1 is split: relu instead"),
    }
    targets = ("sign",)
    also = {"hinge_loss": "Optax", "svm": "other tools"}


@dataclass(frozen=True)
class Perceptron(Loss):
    """mean(max(0, -y z)) over outputs, y in {-1, 1}, gradient -y wherever y z <= 0: Rosenblatt's rule
    (1958). It reads the value z before a final step."""

    type = "perceptron"
    calls = {
        "torch": Call("torch.clamp", note="of -y z, min = 0: its gradient there is 1"),
        "keras": Call("keras.ops.where"),
        "tensorflow": Call("tensorflow.maximum"),
        "jax": Call("jax.numpy.where", note="y z <= 0, -y z, 0"),
    }
    targets = ("sign",)
    also = {"perceptron_loss": "Optax"}
