"""Cases of losses: every encoding of targets, every reduction, with and without sample weights, of rows, sequences and images."""

from __future__ import annotations

from typing import Any, Iterator, Tuple

from ...spec import SGD, Dense, Layer, Loss, family
from ...spec.layers import Activation, LogSoftmax, Tanh
from ...spec.losses import BinaryCrossEntropy, Huber, KLDivergence, Perceptron, SoftmaxCrossEntropy
from .case import Case, case

#: reduction, whether there are sample weights, axes of a row before the last one
WAYS = (("mean", False, ()), ("mean", True, (5,)), ("weighted_mean", True, ()), ("sum", False, (2, 3)))
REST = (("weighted_mean", False, (5,)), ("sum", True, (5,)), ("weighted_mean", True, (2, 3)))


def cases() -> Iterator[Case]:
    """Four ways or more for each loss, so that every encoding of its targets appears; all ways for the ones that matter most."""
    options: Any = {"huber": {"delta": 0.5}}
    for name, cls in family(Loss).items():
        ways = (*WAYS, *REST) if name in ("mse", "softmax_cross_entropy") else WAYS
        for number, (reduction, weighted, axes) in enumerate(ways):
            targets = cls.targets[number % len(cls.targets)]
            loss = cls(reduction=reduction, **options.get(name, {}))
            yield of(loss, targets, axes, weighted)
    yield from further()


def further() -> Iterator[Case]:
    """Label smoothing, class weights, other deltas."""
    for targets in SoftmaxCrossEntropy.targets:
        yield of(SoftmaxCrossEntropy(label_smoothing=0.125, reduction="weighted_mean"), targets, (), True, "smoothed")
        yield of(SoftmaxCrossEntropy(label_smoothing=0.25), targets, (4,), False, "smoothed")
    # the class weights are in the sample weights of the batch already
    yield of(SoftmaxCrossEntropy(class_weights=(0.5, 2.0, 1.0)), "integer", (), True, "class weights")
    for targets in BinaryCrossEntropy.targets:
        yield of(BinaryCrossEntropy(label_smoothing=0.25), targets, (), False, "smoothed")
    yield of(BinaryCrossEntropy(label_smoothing=0.125, reduction="weighted_mean"), "one_hot", (4,), True, "smoothed")
    yield of(Huber(delta=2.0), "value", (), False, "wide")
    yield of(Huber(), "value", (), False, "of one")


def of(loss: Loss, targets: str, axes: Tuple[int, ...], weighted: bool, word: str = "") -> Case:
    """One loss behind a dense layer or two."""
    units = 1 if targets == "binary" or (isinstance(loss, Perceptron) and not axes) else 3
    last: Tuple[Layer, ...] = (Activation(activation=LogSoftmax()),) if isinstance(loss, KLDivergence) else ()
    words = [loss.type, word, loss.reduction, targets, "weighted" if weighted else "", {0: "", 1: "sequence", 2: "image"}[len(axes)]]
    return case(
        " ".join(filter(None, words)), f"loss/{loss.type}", Dense(units=4, activation=Tanh()), Dense(units=units), *last, shape=(*axes, 3),
        loss=loss, targets=targets, weighted=weighted, optimizer=SGD(learning_rate=1 / 64 if loss.reduction == "sum" else 0.125),
    )  # fmt: skip


