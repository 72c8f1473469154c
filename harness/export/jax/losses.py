"""Losses, optax's own where its gradients are the spec's; penalties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...spec import ProgramSpec
from ..draft import NotWritten
from .text import INDENT, assigned, call, parameter


@dataclass(frozen=True)
class LossText:
    """A loss in words and in Python.

    Attributes:
        title: for the docstring.
        outputs: what the model's outputs are called.
        values: one for each output where the loss is elementwise, else one for each term.
    """

    title: str
    outputs: str
    values: Callable[[ProgramSpec], str]


def plain(text: str) -> Callable[[ProgramSpec], str]:
    """Values that depend on nothing else."""
    return lambda spec: text


def huber(spec: ProgramSpec) -> str:
    """d^2 / 2 up to delta."""
    loss: Any = spec.loss
    return call("optax.huber_loss", "predictions", "targets", delta=loss.delta)


def binary_cross_entropy(spec: ProgramSpec) -> str:
    """From logits, each for itself."""
    loss: Any = spec.loss
    share = loss.label_smoothing
    return call("optax.sigmoid_binary_cross_entropy", "logits", f"targets * (1 - {share}) + {share} / 2" if share else "targets")


def softmax_cross_entropy(spec: ProgramSpec) -> str:
    """From logits, against classes or one-hot rows."""
    loss: Any = spec.loss
    classes = spec.targets == "integer"
    if not loss.label_smoothing:
        return call(f"optax.softmax_cross_entropy{'_with_integer_labels' if classes else ''}", "logits", "targets")
    hot = call("jax.nn.one_hot", "targets", spec.output_shape[-1]) if classes else "targets"
    return call("optax.softmax_cross_entropy", "logits", call("optax.smooth_labels", hot, loss.label_smoothing))


#: type -> how it is written. optax's own hinge and perceptron loss split the gradient where they are zero.
LOSSES: Mapping[str, LossText] = {
    "mse": LossText("Squared errors", "predictions", plain("optax.squared_error(predictions, targets)")),
    "mae": LossText("Absolute errors", "predictions", plain("absolute(predictions - targets)")),
    "huber": LossText("Huber's loss", "predictions", huber),
    "log_cosh": LossText("log(cosh(error))", "predictions", plain("optax.log_cosh(predictions, targets)")),
    "binary_cross_entropy": LossText("Cross-entropy of each output, from logits", "logits", binary_cross_entropy),
    "softmax_cross_entropy": LossText("Softmax cross-entropy, from logits", "logits", softmax_cross_entropy),
    "kl_divergence": LossText(
        "Kullback-Leibler divergence, from log-probabilities", "log_probabilities",
        plain("optax.kl_divergence(log_probabilities, targets)"),
    ),
    "cosine_similarity": LossText(
        "1 - cosine similarity", "predictions", plain("optax.cosine_distance(predictions, targets, epsilon=1e-12)")
    ),
    "poisson": LossText("exp(z) - y z, from logarithms z of rates", "log_rates", plain("(jnp.exp(log_rates) - targets * log_rates)")),
    "hinge": LossText("max(0, 1 - y z), with gradient 0 at y z = 1", "scores", plain("jax.nn.relu(1 - targets * scores)")),
    "perceptron": LossText(
        "max(0, -y z), with gradient -y at z = 0", "scores", plain("jnp.where(targets * scores <= 0, -targets * scores, 0)")
    ),
}  # fmt: skip

#: reduction -> in words, without weights and with them
WORDS = {
    "mean": ("the mean", "the mean of the weighted terms"),
    "weighted_mean": ("the mean", "the weighted terms' sum, divided by that of the weights"),
    "sum": ("the sum", "the sum of the weighted terms"),
}


def loss_text(spec: ProgramSpec) -> LossText:
    """How the program's loss is written.

    Raises:
        NotWritten: it is not.
    """
    if spec.loss.type not in LOSSES:
        raise NotWritten(f'the loss "{spec.loss.type}" is not written for JAX')
    return LOSSES[spec.loss.type]


def loss_title(spec: ProgramSpec) -> str:
    """One sentence."""
    words = WORDS[spec.loss.reduction][spec.weighted]
    return f"{loss_text(spec).title}: {words}{', and penalties' if spec.penalties else ''}."


def loss_lines(spec: ProgramSpec, more: str) -> list[str]:
    """From the outputs to the loss, which is returned with what more there is."""
    values, added, before = loss_text(spec).values(spec), penalties(spec), []
    if spec.loss.elementwise and (spec.weighted or spec.loss.reduction == "sum"):
        values += ".mean(-1)"
    if spec.weighted:
        before, values = assigned("terms", values, INDENT), "(weights * terms)"
    value = f"{values}{'.mean()' if averaged(spec) else '.sum()'}"
    if spec.weighted and spec.loss.reduction == "weighted_mean":
        value += " / weights.sum()"
    return [*before, *([f"loss = {value}", *added, f"return loss{more}"] if added else [f"return {value}{more}"])]


def averaged(spec: ProgramSpec) -> bool:
    """Whether the number of terms divides."""
    return spec.loss.reduction == "mean" or (spec.loss.reduction == "weighted_mean" and not spec.weighted)


def penalties(spec: ProgramSpec) -> list[str]:
    """A line for each penalty of each parameter."""
    found = []
    for name, (l1, l2) in spec.penalties.items():
        if l1:
            found.append(f"loss += {l1} * absolute({parameter(name)}).sum()")
        if l2:
            found.append(f"loss += {l2} * ({parameter(name)} ** 2).sum()")
    return found
