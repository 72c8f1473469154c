"""The loss as a function: terms, made one number, and penalties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import Draft, NotWritten
from .text import number


def smoothed(draft: Draft, y: str, share: str) -> str:
    """Targets of which a share is spread, where the loss asks for it."""
    loss: Any = draft.spec.loss
    if not loss.label_smoothing:
        return y
    smoothing = number(draft, loss.label_smoothing)
    return f"{y} * (1 - {smoothing}) + {smoothing} / {share}"


def softmax_cross_entropy(draft: Draft) -> str:
    """For classes, or one-hot targets."""
    loss: Any = draft.spec.loss
    classes, integer = draft.spec.output_shape[-1], draft.spec.targets == "integer"
    if integer and not loss.label_smoothing:
        return "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=z)"
    hot = f"tf.one_hot(targets, {classes}, dtype=DTYPE)" if integer else "targets"
    return f"tf.nn.softmax_cross_entropy_with_logits(labels={smoothed(draft, hot, str(classes))}, logits=z)"


def binary_cross_entropy(draft: Draft) -> str:
    """From logits."""
    return f"tf.nn.sigmoid_cross_entropy_with_logits(labels={smoothed(draft, 'targets', '2')}, logits=z)"


def huber(draft: Draft) -> str:
    """With its delta."""
    loss: Any = draft.spec.loss
    return f"huber(z - targets, delta={number(draft, loss.delta)})"


#: type -> what its terms are, in words; and their expression
TERMS: Mapping[str, tuple[str, Callable[[Draft], str]]] = {
    "mse": ("squared errors", lambda draft: "tf.math.squared_difference(z, targets)"),
    "mae": ("absolute errors", lambda draft: "tf.abs(z - targets)"),
    "huber": ("Huber's function of errors", huber),
    "log_cosh": ("log(cosh(error))", lambda draft: "log_cosh(z - targets)"),
    "binary_cross_entropy": ("binary cross-entropies from logits", binary_cross_entropy),
    "softmax_cross_entropy": ("cross-entropies from logits", softmax_cross_entropy),
    "kl_divergence": (
        "Kullback-Leibler divergences from log-probabilities",
        lambda draft: "tf.reduce_sum(tf.math.xlogy(targets, targets) - targets * z, -1)",
    ),
    "cosine_similarity": ("1 - cosine", lambda draft: "cosine_distance(z, targets)"),
    "poisson": ("Poisson losses from logarithms of rates", lambda draft: "tf.exp(z) - targets * z"),
    # tf.maximum gives the gradient to its first argument where both are equal: what the perceptron needs and the hinge must not have
    "hinge": ("hinge losses", lambda draft: "tf.nn.relu(1 - targets * z)"),
    "perceptron": ("Rosenblatt's losses", lambda draft: "tf.maximum(-targets * z, 0)  # at 0 the gradient is -targets"),
}

REDUCTIONS: Mapping[str, str] = {"mean": "mean", "weighted_mean": "mean by weights", "sum": "sum"}


def combined(draft: Draft) -> str:
    """Terms as one number, an expression."""
    spec = draft.spec
    reduction = spec.loss.reduction
    if not spec.weighted:
        return "tf.reduce_sum(terms)" if reduction == "sum" else "tf.reduce_mean(terms)"
    if reduction == "mean":
        return "tf.reduce_mean(weights * terms)"
    total = "tf.reduce_sum(weights * terms)"
    return total if reduction == "sum" else f"{total} / tf.reduce_sum(weights)"


def penalties(draft: Draft) -> list[str]:
    """Statements that add them."""
    found = []
    for name, (l1, l2) in draft.spec.penalties.items():
        found += [f'loss += {number(draft, l1)} * tf.reduce_sum(tf.abs(p["{name}"]))'] if l1 else []
        found += [f'loss += {number(draft, l2)} * tf.reduce_sum(tf.square(p["{name}"]))'] if l2 else []
    return found


def loss_statements(draft: Draft) -> list[str]:
    """From the outputs z to the loss.

    Raises:
        NotWritten: there is no text for the loss.
    """
    spec, loss = draft.spec, draft.spec.loss
    if loss.type not in TERMS:
        raise NotWritten(f'the loss "{loss.type}" is not written for TensorFlow')
    rows = ["terms = tf.reduce_mean(terms, -1)"] if loss.elementwise and (spec.weighted or loss.reduction == "sum") else []
    start = [f"terms = {TERMS[loss.type][1](draft)}", *rows]
    added = penalties(draft)
    if not added:
        return [*start, f"return {combined(draft)}"]
    return [*start, f"loss = {combined(draft)}", *added, "return loss"]


def loss_title(draft: Draft) -> str:
    """What it is, as a sentence: `The mean of squared errors, and the penalties.`"""
    more = ", and the penalties" if draft.spec.penalties else ""
    return f"The {REDUCTIONS[draft.spec.loss.reduction]} of {TERMS[draft.spec.loss.type][0]}{more}."
