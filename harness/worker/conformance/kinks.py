"""Cases that stand exactly on a kink or a tie: the gradient there is a convention, which the docstring of each type states."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

import numpy

from ...interface import Batch, State
from ...spec import SGD, Activation, ActivationFunction, Adam, Dense, Layer, Loss, Optimizer, RMSprop
from ...spec.layers import (
    Concatenate,
    Elu,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    HardSigmoid,
    HardSilu,
    LeakyRelu,
    Linear,
    Maximum,
    MaxPooling1D,
    MaxPooling2D,
    PRelu,
    Relu,
    Relu6,
    Selu,
    SimpleRNN,
    Softsign,
)  # fmt: skip
from ...spec.losses import BinaryCrossEntropy, Hinge, Huber, LogCosh, MeanAbsoluteError, Perceptron
from ...spec.optimizers import LAMB, Adadelta, Adagrad, Adamax, Lion, NAdam
from ...spec.regularizers import L1, L1L2
from .case import Case, Prepare, case


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (activations, losses, penalties, ties, zero_gradients):
        for found in part():
            yield found


def at(*points: float) -> Prepare:
    """Two in three inputs exactly at one of some points."""

    def prepare(state: State, batch: Batch, random: Any) -> None:
        chosen = random.random(batch.inputs.shape) < 2 / 3
        batch.inputs[chosen] = random.choice(numpy.array(points, numpy.float32), batch.inputs.shape)[chosen]

    return prepare


def activations() -> Iterator[Case]:
    """Inputs on the kinks; zero with both signs."""
    found: Dict[str, Tuple[ActivationFunction, Tuple[float, ...]]] = {
        "relu": (Relu(), (0.0, -0.0)), "relu6": (Relu6(), (0.0, -0.0, 6.0)), "leaky_relu": (LeakyRelu(negative_slope=0.25), (0.0, -0.0)),
        "elu": (Elu(alpha=0.5), (0.0, -0.0)), "selu": (Selu(), (0.0, -0.0)), "softsign": (Softsign(), (0.0, -0.0)),
        "hard_sigmoid": (HardSigmoid(), (-3.0, 3.0)), "hard_silu": (HardSilu(), (-3.0, 3.0, 0.0)),
    }  # fmt: skip
    for name, (function, points) in found.items():
        yield case(f"kink {name}", f"activation/{name}", Activation(activation=function), Dense(units=3), prepare=at(*points), shape=(5,))
    yield case("kink prelu", "layer/prelu", PRelu(), Dense(units=3), prepare=at(0.0, -0.0), shape=(5,))
    rnn = SimpleRNN(units=2, activation="relu")
    yield case("kink simple_rnn", "layer/simple_rnn", rnn, Dense(units=1), shape=(3, 2), prepare=weights_zero, smooth=False)


def weights_zero(state: State, batch: Batch, random: Any) -> None:
    """Recurrent weights of zero: what goes into the activation is 0."""
    for name, array in state.parameters.items():
        if name.startswith("simple_rnn"):
            array[...] = 0


def losses() -> Iterator[Case]:
    """Outputs of zero, and targets that put the loss on its kink."""
    found: Dict[str, Tuple[Loss, str, float]] = {
        "mae": (MeanAbsoluteError(), "value", 0.0), "huber": (Huber(delta=0.5), "value", 0.5), "huber middle": (Huber(), "value", 0.0),
        "log_cosh": (LogCosh(), "value", 0.0), "perceptron": (Perceptron(), "sign", 1.0),
        # smooth, but written as max(z, 0) + log(1 + exp(-|z|)) - y z its parts are not: Paddle 3.3 and Gluon 1.9 are wrong there
        "binary": (BinaryCrossEntropy(), "one_hot", 1.0),
    }  # fmt: skip
    for name, (loss, targets, target) in found.items():

        def prepare(state: State, batch: Batch, random: Any, target: float = target) -> None:
            for array in state.parameters.values():
                array[...] = 0
            batch.targets[...] = numpy.sign(batch.targets) * target if target else 0

        units = 1 if isinstance(loss, Perceptron) else 2
        yield case(
            f"kink {name}", f"loss/{loss.type}", Dense(units=units), loss=loss, targets=targets, prepare=prepare, smooth=False,
        )  # fmt: skip
    yield case(
        "kink hinge", "loss/hinge", Dense(units=2, name="learned"), Concatenate(inputs=("input", "learned")), loss=Hinge(), targets="sign",
        prepare=on_margin, smooth=False, exact=True,
    )  # fmt: skip


def on_margin(state: State, batch: Batch, random: Any) -> None:
    """y z = 1: inputs that are the first targets."""
    batch.inputs[...] = batch.targets[:, : batch.inputs.shape[1]]


def half_zero(state: State, batch: Batch, random: Any) -> None:
    """Every other row of a kernel zero."""
    state.parameters["dense_1/kernel"][::2] = 0


def penalties() -> Iterator[Case]:
    """Absolute values of zero."""
    for penalty in (L1(l1=0.25), L1L2(l1=0.25, l2=0.25)):
        layer = Dense(units=3, kernel_regularizer=penalty)
        yield case(f"kink {penalty.type}", f"regularizer/{penalty.type}", layer, prepare=half_zero, smooth=False)


def ties() -> Iterator[Case]:
    """The largest of equal ones: of inputs that are small whole numbers, positive or negative."""
    few, negative = at(0.0, 1.0, 2.0), all_negative
    pools: Dict[str, Tuple[Layer, Tuple[int, ...]]] = {
        "max_pooling1d": (MaxPooling1D(pool_size=2), (6, 3)),
        "max_pooling1d overlapping": (MaxPooling1D(pool_size=3, strides=1, padding="same"), (6, 3)),
        "max_pooling2d": (MaxPooling2D(pool_size=2), (4, 6, 2)),
        "max_pooling2d overlapping": (MaxPooling2D(pool_size=3, strides=2, padding="same"), (5, 6, 2)),
        "global_max_pooling1d": (GlobalMaxPooling1D(), (5, 3)),
        "global_max_pooling2d": (GlobalMaxPooling2D(), (3, 4, 2)),
    }
    for name, (layer, shape) in pools.items():
        about = f"layer/{layer.type}"
        yield case(f"tie {name}", about, layer, Dense(units=2), shape=shape, prepare=few)
        if "overlapping" in name:
            yield case(f"tie {name} negative", about, layer, Dense(units=2), shape=shape, prepare=negative)
    line, positive = Linear(), Relu()
    yield case(
        "tie maximum", "layer/maximum", Activation(activation=line, name="a"), Activation(activation=line, inputs=("input",), name="b"),
        Activation(activation=positive, inputs=("input",), name="c"), Maximum(inputs=("c", "b", "a")), Dense(units=2),
    )  # fmt: skip
    yield case("tie maximum twice the same", "layer/maximum", Dense(units=3, name="a"), Maximum(inputs=("a", "a")), Dense(units=2))


def all_negative(state: State, batch: Batch, random: Any) -> None:
    """No padding may be the largest."""
    batch.inputs[...] = -1 - random.integers(0, 2, batch.inputs.shape)


def zero_gradients() -> Iterator[Case]:
    """Rules where some gradients, or all, are exactly zero: no NaN, and no step where there is no direction."""
    rules: Dict[str, Optimizer] = {
        "adam": Adam(learning_rate=0.125, epsilon=1e-3), "nadam": NAdam(learning_rate=0.125, epsilon=1e-3),
        "adamax": Adamax(learning_rate=0.125, epsilon=1e-3), "rmsprop": RMSprop(learning_rate=0.125, rho=0.9, epsilon=1e-3),
        "adagrad": Adagrad(learning_rate=0.125, epsilon=1e-3, initial_accumulator_value=0.0),
        "adadelta": Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-3), "lion": Lion(learning_rate=0.125),
        "lamb": LAMB(learning_rate=0.125, epsilon=1e-3), "clip_norm": SGD(learning_rate=0.5, clip_norm=0.25),
        "global_clip_norm": SGD(learning_rate=0.5, global_clip_norm=0.25),
    }  # fmt: skip
    for name, optimizer in rules.items():
        about = f"optimizer/{optimizer.type}"
        yield case(f"zero gradients {name}", about, Dense(units=3, use_bias=False), optimizer=optimizer, prepare=half_blank)
        if name in ("lamb", "lion", "clip_norm", "global_clip_norm"):
            yield case(f"zero gradient {name}", about, Dense(units=3, use_bias=False), optimizer=optimizer, prepare=blank)
    yield case("zero weights lamb", "optimizer/lamb", Dense(units=3), optimizer=rules["lamb"], prepare=no_weights, smooth=False)


def half_blank(state: State, batch: Batch, random: Any) -> None:
    """Some inputs zero: the gradients of their weights too."""
    batch.inputs[:, ::2] = 0


def blank(state: State, batch: Batch, random: Any) -> None:
    """All inputs zero: all gradients too."""
    batch.inputs[...] = 0


def no_weights(state: State, batch: Batch, random: Any) -> None:
    """All weights zero: their norm too."""
    for array in state.parameters.values():
        array[...] = 0
