"""Losses: the number, and its gradient at the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...spec import ProgramSpec
from ..draft import NotWritten
from .place import number


@dataclass(frozen=True)
class Terms:
    """A loss before its terms are made one.

    Attributes:
        terms: expression of all terms: of an elementwise loss one for each output, else one for each row.
        slopes: expression of their gradient, one for each output; it can stand in a product.
        before: lines that stand before.
    """

    terms: str
    slopes: str
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """What a loss reads.

    Attributes:
        z: name of the outputs.
        d: name of the gradient there.
        spec: the program.
        dtype: of everything.
    """

    z: str
    d: str
    spec: ProgramSpec
    dtype: str

    @property
    def loss(self) -> Any:
        """The loss."""
        return self.spec.loss

    @property
    def width(self) -> int:
        """Length of the last axis."""
        return self.spec.output_shape[-1]

    def smoothed(self, targets: str, classes: int) -> tuple[str, ...]:
        """A line that spreads a share of the targets over all classes, if that is asked for."""
        smoothing = self.loss.label_smoothing
        if not smoothing:
            return ()
        share = number(smoothing, self.dtype)
        return (f"{targets} = (1 - {share}) * {targets} + {share} / {classes}",)


def of_difference(terms: str, slopes: str) -> Callable[[Outputs], Terms]:
    """A loss of outputs less targets."""
    return lambda at: Terms(terms, slopes, (f"difference = {at.z} - targets",))


def huber(at: Outputs) -> Terms:
    """A square in the middle, lines outside."""
    delta = number(at.loss.delta, at.dtype)
    outside = "np.abs(difference) - 0.5" if at.loss.delta == 1 else f"{delta} * (np.abs(difference) - {delta} / 2)"
    return Terms(
        f"np.where(np.abs(difference) <= {delta}, difference**2 / 2, {outside})",
        f"np.clip(difference, -{delta}, {delta})",
        (f"difference = {at.z} - targets",),
    )


def binary_cross_entropy(at: Outputs) -> Terms:
    """From logits."""
    terms = f"np.maximum({at.z}, 0) - targets * {at.z} + np.log1p(np.exp(-np.abs({at.z})))"
    return Terms(terms, f"(sigmoid({at.z}) - targets)", at.smoothed("targets", 2))


def softmax_cross_entropy(at: Outputs) -> Terms:
    """From logits; classes become rows of ones and zeros."""
    one_hot = () if at.spec.targets != "integer" else (f"targets = np.eye({at.width}, dtype=DTYPE)[targets]",)
    before = (*one_hot, *at.smoothed("targets", at.width), f"log_p = log_softmax({at.z})")
    return Terms("-np.sum(targets * log_p, axis=-1)", "(np.exp(log_p) - targets)", before)


def kl_divergence(at: Outputs) -> Terms:
    """From log-probabilities; 0 log(0) = 0."""
    return Terms(f"np.sum(targets * (np.log(np.where(targets > 0, targets, 1)) - {at.z}), axis=-1)", "-targets")


def cosine_similarity(at: Outputs) -> Terms:
    """By a function that gives both."""
    return Terms("terms", "slopes", (f"terms, slopes = cosine_distance({at.z}, targets)",))


def poisson(at: Outputs) -> Terms:
    """From logarithms of rates."""
    return Terms(f"np.exp({at.z}) - targets * {at.z}", f"(np.exp({at.z}) - targets)")


def hinge(at: Outputs) -> Terms:
    """No gradient at 1."""
    return Terms(f"np.maximum(1 - targets * {at.z}, 0)", f"np.where(targets * {at.z} < 1, -targets, 0)")


def perceptron(at: Outputs) -> Terms:
    """A gradient at 0 too: Rosenblatt's rule."""
    return Terms(f"np.maximum(-targets * {at.z}, 0)", f"np.where(targets * {at.z} <= 0, -targets, 0)")


LOSSES: Mapping[str, Callable[[Outputs], Terms]] = {
    "mse": of_difference("difference**2", "2 * difference"),
    "mae": of_difference("np.abs(difference)", "np.sign(difference)"),
    "huber": huber,
    "log_cosh": of_difference("log_cosh(difference)", "np.tanh(difference)"),
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": kl_divergence,
    "cosine_similarity": cosine_similarity,
    "poisson": poisson,
    "hinge": hinge,
    "perceptron": perceptron,
}


def loss_lines(at: Outputs) -> list[str]:
    """The lines that make `loss` and the gradient at the outputs.

    Raises:
        NotWritten: the loss is unknown here.
    """
    if at.loss.type not in LOSSES:
        raise NotWritten(f'the loss "{at.loss.type}" is not written for NumPy')
    found = LOSSES[at.loss.type](at)
    return [*found.before, *(weighted(at, found) if at.spec.weighted else unweighted(at, found))]


def unweighted(at: Outputs, found: Terms) -> list[str]:
    """The mean of all terms, or their sum: of an elementwise loss, a term is the mean over the last axis."""
    if at.loss.reduction != "sum":
        count = f"{at.z}.size" if at.loss.elementwise else rows_of(at)
        return [f"loss = np.mean({found.terms})", f"{at.d} = {found.slopes} / {count}"]
    width = f" / {at.width}" if at.loss.elementwise and at.width > 1 else ""
    return [f"loss = np.sum({found.terms}){width}", f"{at.d} = {found.slopes}{width}"]


def rows_of(at: Outputs) -> str:
    """How many terms a loss has that is not elementwise."""
    return f"len({at.z})" if len(at.spec.output_shape) == 1 else f"{at.z}[..., 0].size"


def weighted(at: Outputs, found: Terms) -> list[str]:
    """Every term times its share."""
    elementwise = at.loss.elementwise
    weights = "weights[..., None]" if elementwise else "weights"
    divisor = {
        "mean": f" / {at.z}.size" if elementwise else " / weights.size",
        "weighted_mean": f" / ({at.width} * weights.sum())" if elementwise and at.width > 1 else " / weights.sum()",
        "sum": f" / {at.width}" if elementwise and at.width > 1 else "",
    }[at.loss.reduction]
    share = "share" if elementwise else "share[..., None]"
    terms = found.terms if " + " not in found.terms and " - " not in found.terms else f"({found.terms})"
    return [f"share = {weights}{divisor}", f"loss = np.sum(share * {terms})", f"{at.d} = {share} * {found.slopes}"]
