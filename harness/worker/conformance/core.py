"""Cases of dense layers, activations, embeddings, shapes, noise, and of graphs: branches, residuals, repetitions."""

from __future__ import annotations

from typing import Dict, Iterator

from ...spec import Activation, ActivationFunction, Dense, Dropout, Flatten, Layer, family
from ...spec.layers import (
    Add,
    Average,
    Concatenate,
    Elu,
    Embedding,
    GaussianNoise,
    Gelu,
    LeakyRelu,
    Linear,
    LogSoftmax,
    Maximum,
    Multiply,
    Permute,
    PRelu,
    Relu,
    Repeat,
    Reshape,
    Residual,
    Sigmoid,
    Softmax,
    SpatialDropout,
    Step,
    Take,
    Tanh,
    TiedDense,
)  # fmt: skip
from ...spec.losses import Perceptron, SoftmaxCrossEntropy
from ...spec.regularizers import L1, L1L2, L2
from .case import Case, case


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (dense, activations, embeddings, shapes, noise, merging, graphs, regularizers):
        yield from part()


def dense() -> Iterator[Case]:
    """Inputs of one, two and three axes; with and without bias; one unit, one row."""
    yield case("line", "layer/dense", Dense(units=1))
    yield case("dense", "layer/dense", Dense(units=5, activation=Tanh(), use_bias=False), Dense(units=3, activation=Relu()))
    yield case("dense one row", "layer/dense", Dense(units=3, activation=Tanh()), Dense(units=2), rows=1)
    yield case("dense sequence", "layer/dense", Dense(units=3, activation=Tanh()), shape=(5, 4))
    yield case("dense image", "layer/dense", Dense(units=2, use_bias=False), shape=(3, 2, 4))
    yield case("prelu", "layer/prelu", Dense(units=4), PRelu())
    yield case("prelu image", "layer/prelu", PRelu(), shape=(2, 3, 4))


def activations() -> Iterator[Case]:
    """Every function behind a dense layer; softmax along other axes."""
    options: Dict[str, ActivationFunction] = {
        "leaky_relu": LeakyRelu(negative_slope=0.2), "elu": Elu(alpha=0.5), "gelu": Gelu(approximate=False),
    }  # fmt: skip
    for name, cls in family(ActivationFunction).items():
        if cls is not Step:
            yield case(f"activation {name}", f"activation/{name}", Dense(units=5), Activation(activation=options.get(name, cls())))
    yield case("activation gelu tanh", "activation/gelu", Dense(units=5, activation=Gelu(approximate=True)))
    yield case("activation linear inside", "activation/linear", Dense(units=5, activation=Linear()), Dense(units=2))
    yield case(
        "activation step", ("activation/step", "loss/perceptron"), Dense(units=1, activation=Step()), loss=Perceptron(), targets="sign",
    )  # fmt: skip
    yield case("activation layer", "layer/activation", Activation(activation=Sigmoid()), Dense(units=2), shape=(4,))
    for name, function in {"softmax": Softmax(axis=1), "log_softmax": LogSoftmax(axis=1)}.items():
        yield case(f"activation {name} axis 1", f"activation/{name}", Dense(units=3), Activation(activation=function), shape=(5, 4))
    yield case(
        "activation softmax axis 2", "activation/softmax", Activation(activation=Softmax(axis=2)), Dense(units=3), shape=(2, 3, 4),
    )  # fmt: skip


def embeddings() -> Iterator[Case]:
    """Words that are read several times, tables that are shared."""
    entropy = SoftmaxCrossEntropy()
    yield case("embedding", "layer/embedding", Embedding(input_dim=6, output_dim=3), Dense(units=2), shape=(5,))
    yield case(
        "embedding penalty", ("layer/embedding", "regularizer/l2"),
        Embedding(input_dim=4, output_dim=3, embeddings_regularizer=L2(l2=0.125)), Flatten(), Dense(units=2), shape=(2, 3),
    )  # fmt: skip
    yield case("embedding one row", "layer/embedding", Embedding(input_dim=5, output_dim=2), Flatten(), shape=(1,), rows=1)
    yield case(
        "tied_dense", "layer/tied_dense",
        Embedding(input_dim=6, output_dim=3, name="words"), Dense(units=3, activation=Tanh()), TiedDense(to="words"),
        shape=(4,), loss=entropy, targets="integer",
    )  # fmt: skip
    yield case(
        "tied_dense bias", "layer/tied_dense",
        Embedding(input_dim=6, output_dim=3, name="words", embeddings_regularizer=L1(l1=0.125)),
        TiedDense(to="words", use_bias=True, activation=Tanh()), shape=(3,),
    )  # fmt: skip


def shapes() -> Iterator[Case]:
    """Layers that only move numbers about."""
    yield case("flatten", "layer/flatten", Dense(units=3), Flatten(), Dense(units=2), shape=(2, 4))
    yield case("flatten image", "layer/flatten", Flatten(), Dense(units=2), shape=(3, 2, 2))
    yield case("flatten nothing", "layer/flatten", Flatten(), Dense(units=2))
    yield case("reshape", "layer/reshape", Reshape(target_shape=(2, 6)), Dense(units=2), Reshape(target_shape=(4,)), shape=(3, 4))
    yield case("permute", "layer/permute", Permute(dims=(2, 1)), Dense(units=2), shape=(3, 4))
    yield case("permute image", "layer/permute", Dense(units=4), Permute(dims=(3, 1, 2)), Dense(units=2), shape=(2, 3, 2))
    yield case("take", "layer/take", Dense(units=3), Take(indices=-1), shape=(5, 4))
    yield case("take last axis", "layer/take", Dense(units=3), Take(indices=1, axis=2), shape=(5, 4))
    yield case("take several", "layer/take", Dense(units=4), Take(indices=(2, 0, -1), axis=2), Take(indices=(-1, 0)), shape=(3, 4))


def noise() -> Iterator[Case]:
    """Masks and noise as data."""
    yield case("dropout", "layer/dropout", Dropout(rate=0.25), Dense(units=8), Dropout(rate=0.75), Dense(units=3))
    yield case("dropout sequence", "layer/dropout", Dense(units=3), Dropout(rate=0.5), shape=(5, 4))
    yield case("dropout of nothing", "layer/dropout", Dense(units=3), Dropout(rate=0.0))
    yield case("spatial_dropout", "layer/spatial_dropout", Dense(units=3), SpatialDropout(rate=0.5), Dense(units=2), shape=(5, 4))
    yield case("spatial_dropout image", "layer/spatial_dropout", SpatialDropout(rate=0.25), Dense(units=2), shape=(3, 2, 4))
    yield case("gaussian_noise", "layer/gaussian_noise", GaussianNoise(stddev=0.5), Dense(units=3), GaussianNoise(stddev=2.0))
    yield case(
        "dropout and noise", ("layer/dropout", "layer/spatial_dropout", "layer/gaussian_noise"),
        GaussianNoise(stddev=0.5), Dense(units=6), SpatialDropout(rate=0.5), Flatten(), Dropout(rate=0.5), Dense(units=2), shape=(3, 4),
    )  # fmt: skip


def merging() -> Iterator[Case]:
    """Three branches joined in every way; one branch read twice; concatenation along every axis."""
    for merge in (Add, Multiply, Average, Maximum, Concatenate):
        name = merge.type
        yield case(
            name, f"layer/{name}", Dense(units=3, name="a"), Dense(units=3, name="b", inputs=("input",)),
            Dense(units=3, name="c", inputs=("a",)), merge(inputs=("c", "a", "b")), Dense(units=2),
        )  # fmt: skip
    for twice in (Add, Multiply, Average, Concatenate):
        name = twice.type
        yield case(f"{name} twice the same", f"layer/{name}", Dense(units=3, name="a"), twice(inputs=("a", "a")), Dense(units=2))
    yield case("add input", "layer/add", Dense(units=4, name="a"), Add(inputs=("input", "a")))
    yield case(
        "concatenate axis 1", "layer/concatenate", Take(indices=(0, 1), name="a"), Dense(units=3, inputs=("input",), name="b"),
        Dense(units=3, inputs=("a",), name="c"), Concatenate(axis=1, inputs=("b", "c")), shape=(4, 2),
    )  # fmt: skip
    yield case(
        "concatenate axis 2", "layer/concatenate", Dense(units=3, name="a"), Take(indices=(0,), axis=2, name="b"),
        Concatenate(axis=2, inputs=("b", "a")), shape=(2, 2, 4),
    )  # fmt: skip


def graphs() -> Iterator[Case]:
    """Residual blocks and repetitions, also inside each other; an output read by several."""
    block = Residual(layers=(Dense(units=4, activation=Relu()), Dense(units=4)))
    yield case("residual", "layer/residual", block, Dense(units=2))
    yield case(
        "residual shortcut", "layer/residual",
        Residual(layers=(Dense(units=5, activation=Tanh()), Dense(units=3)), shortcut=(Dense(units=3, use_bias=False),)), Dense(units=2),
    )  # fmt: skip
    yield case("repeat", "layer/repeat", Repeat(times=2, layers=(Dense(units=4, activation=Tanh()),)), Dense(units=2))
    yield case("repeat residual", ("layer/repeat", "layer/residual"), Repeat(times=2, layers=(block, Activation(activation=Tanh()))))
    read: "list[Layer]" = [Dense(units=3, inputs=("a",), name=name) for name in ("b", "c", "d")]
    yield case(
        "read by many", ("layer/add", "layer/dense"), Dense(units=4, activation=Tanh(), name="a"), *read, Add(inputs=("b", "c", "d")),
    )  # fmt: skip


def regularizers() -> Iterator[Case]:
    """Every penalty on a kernel."""
    for penalty in (L1(l1=0.25), L2(l2=0.25), L1L2(l1=0.125, l2=0.25)):
        yield case(
            penalty.type, f"regularizer/{penalty.type}", Dense(units=4, activation=Tanh(), kernel_regularizer=penalty), Dense(units=2),
        )  # fmt: skip
    yield case(
        "penalties of two kernels", ("regularizer/l1", "regularizer/l2"),
        Dense(units=4, activation=Tanh(), kernel_regularizer=L1(l1=0.125)), Dense(units=2, kernel_regularizer=L2(l2=0.5)),
        loss=SoftmaxCrossEntropy(), targets="integer",
    )  # fmt: skip
