"""The loss of outputs and targets, as one expression; and the penalties on parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...spec import ProgramSpec
from ..draft import NotWritten
from .pieces import Weight
from .text import Part, call, number, unless

#: from the loss' spec and a reduction to its expression: one number, the mean over everything, or with NONE each element or term
Term = Callable[[Any, str | None], str]
NONE = '"none"'


def classes_second(name: str, rank: int) -> str:
    """Values whose classes are their second axis, as cross_entropy takes them."""
    return name if rank < 2 else f"{name}.movedim(-1, 1)"


def framework(function: str, **more: Part) -> Term:
    """One of torch.nn.functional's, elementwise."""
    return lambda loss, reduction: call(f"functional.{function}", "outputs", "targets", **more, reduction=reduction)


def huber(loss: Any, reduction: str | None) -> str:
    """Of some delta."""
    return call("functional.huber_loss", "outputs", "targets", reduction=reduction, delta=unless(1.0, loss.delta))


def binary_cross_entropy(loss: Any, reduction: str | None) -> str:
    """From logits."""
    share = number(loss.label_smoothing)
    targets = f"targets * (1 - {share}) + {share} / 2" if loss.label_smoothing else "targets"
    return call("functional.binary_cross_entropy_with_logits", "outputs", targets, reduction=reduction)


def by_hand(elements: str) -> Term:
    """An expression of all elements, whose mean is taken."""
    return lambda loss, reduction: elements if reduction else f"{elements}.mean()"


#: losses whose terms are means of elements
ELEMENTWISE: Mapping[str, Term] = {
    "mse": framework("mse_loss"),
    "mae": framework("l1_loss"),
    "huber": huber,
    "log_cosh": by_hand("log_cosh(outputs, targets)"),
    "binary_cross_entropy": binary_cross_entropy,
    "poisson": framework("poisson_nll_loss", log_input=True, full=False),
    "hinge": by_hand("torch.relu(1 - targets * outputs)"),
    "perceptron": by_hand("perceptron(outputs, targets)"),
}


def by_rows(spec: ProgramSpec, reduction: str | None) -> str:
    """A loss of one term a row, or a step: the mean, or with NONE each term."""
    loss: Any = spec.loss
    if loss.type == "softmax_cross_entropy":
        rank = len(spec.output_shape)
        targets = "targets" if spec.targets == "integer" else classes_second("targets", rank)
        smoothing = unless(0.0, loss.label_smoothing)
        return call(
            "functional.cross_entropy", classes_second("outputs", rank), targets, reduction=reduction, label_smoothing=smoothing
        )
    if loss.type == "kl_divergence":
        elements = call("functional.kl_div", "outputs", "targets", reduction=NONE)
        return f"{elements}.sum(-1)" if reduction else f"{elements}.sum(-1).mean()"
    if loss.type == "cosine_similarity":
        return by_hand("cosine_distance(outputs, targets)")(loss, reduction)
    raise NotWritten(f'the loss "{loss.type}" is not written for PyTorch')


def loss_lines(spec: ProgramSpec, tables: Mapping[str, Weight]) -> list[str]:
    """Statements that end in the return of the loss of `outputs`."""
    terms, loss = whole(spec)
    added = penalties(spec, tables)
    if not added:
        return [*terms, f"return {loss}"]
    return [*terms, "return (", f"    {loss}", *(f"    + {penalty}" for penalty in added), ")"]


def whole(spec: ProgramSpec) -> tuple[list[str], str]:
    """Statements before, and the expression of the loss, penalties not counted."""
    loss = spec.loss

    def found(reduction: str | None) -> str:
        return ELEMENTWISE[loss.type](loss, reduction) if loss.type in ELEMENTWISE else by_rows(spec, reduction)

    if not spec.weighted and loss.reduction != "sum":
        return [], found(None)
    terms = f"{found(NONE)}.mean(-1)" if loss.elementwise else found(NONE)
    if not spec.weighted:
        return [], f"{terms}.sum()"
    combined = {
        "mean": "(weights * terms).mean()",
        "weighted_mean": "(weights * terms).sum() / weights.sum()",
        "sum": "(weights * terms).sum()",
    }
    return [f"terms = {terms}"], combined[loss.reduction]


def penalties(spec: ProgramSpec, tables: Mapping[str, Weight]) -> list[str]:
    """What is added to the loss for parameters."""
    found = []
    for name, (l1, l2) in spec.penalties.items():
        (tensor,) = tables[name].tensors
        found += [f"{number(l1)} * model.{tensor}.abs().sum()"] if l1 else []
        found += [f"{number(l2)} * model.{tensor}.square().sum()"] if l2 else []
    return found
