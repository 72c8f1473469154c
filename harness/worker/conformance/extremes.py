"""Cases of numbers that random data do not bring: large logits, large means of small deviations, arguments far out or close to zero."""

from __future__ import annotations

from typing import Any, Dict, Iterator

import numpy

from ...interface import Batch, State
from ...spec import Activation, ActivationFunction, Dense, Layer, Loss
from ...spec.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Elu,
    Gelu,
    GroupNormalization,
    HardSigmoid,
    HardSilu,
    InstanceNormalization,
    LayerNormalization,
    LogSoftmax,
    Mish,
    MultiHeadAttention,
    RMSNormalization,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)  # fmt: skip
from ...spec.losses import (
    BinaryCrossEntropy,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    Poisson,
    SoftmaxCrossEntropy,
)  # fmt: skip
from .case import Case, Prepare, case


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (activations, losses, normalizations, sequences):
        yield from part()


def scaled(factor: float, shift: float = 0.0) -> Prepare:
    """Inputs with another deviation and mean."""

    def prepare(state: State, batch: Batch, random: Any) -> None:
        batch.inputs[...] = batch.inputs * numpy.float32(factor) + numpy.float32(shift)

    return prepare


def steep(state: State, batch: Batch, random: Any) -> None:
    """Weights 64 times as large."""
    for array in state.parameters.values():
        array[...] = 64 * array


def activations() -> Iterator[Case]:
    """Arguments far out, where exponentials overflow, and close to zero, where differences cancel."""
    functions: "list[ActivationFunction]" = [
        Sigmoid(), Tanh(), Elu(), Selu(), Gelu(approximate=False), Gelu(approximate=True), Silu(), Softplus(), Softsign(), HardSigmoid(),
        HardSilu(), Mish(), Softmax(), LogSoftmax(),
    ]  # fmt: skip
    for function in functions:
        name = f"{function.type} tanh" if getattr(function, "approximate", False) else function.type
        layers = Activation(activation=function), Dense(units=2)
        yield case(f"far {name}", f"activation/{function.type}", *layers, prepare=scaled(64.0), shape=(6,))
        if not isinstance(function, (Softmax, LogSoftmax, HardSigmoid, HardSilu, Softsign)):
            yield case(f"small {name}", f"activation/{function.type}", *layers, prepare=scaled(1 / 512), shape=(6,))


def losses() -> Iterator[Case]:
    """Large logits, targets far off, and vectors of zero."""
    found: Dict[str, "tuple[Loss, str, Any]"] = {
        "softmax_cross_entropy": (SoftmaxCrossEntropy(), "integer", steep),
        "softmax_cross_entropy one_hot": (SoftmaxCrossEntropy(label_smoothing=0.125), "one_hot", steep),
        "binary_cross_entropy": (BinaryCrossEntropy(), "one_hot", steep),
        "log_cosh": (LogCosh(), "value", steep), "huber": (Huber(), "value", steep), "mae": (MeanAbsoluteError(), "value", steep),
        "hinge": (Hinge(), "sign", steep), "cosine_similarity": (CosineSimilarity(), "value", doubled),
        "poisson": (Poisson(), "value", doubled),
    }  # fmt: skip
    for name, (loss, targets, prepare) in found.items():
        yield case(f"far {name}", f"loss/{loss.type}", Dense(units=3), loss=loss, targets=targets, prepare=prepare, smooth=False)
    yield case(
        "far kl_divergence", "loss/kl_divergence", Dense(units=3), Activation(activation=LogSoftmax()), loss=KLDivergence(),
        targets="one_hot", prepare=steep, smooth=False,
    )  # fmt: skip
    yield case(
        "zero cosine_similarity", "loss/cosine_similarity", Dense(units=3, use_bias=False), loss=CosineSimilarity(), prepare=some_zero,
        smooth=False,
    )  # fmt: skip


def doubled(state: State, batch: Batch, random: Any) -> None:
    """Weights twice as large."""
    for array in state.parameters.values():
        array[...] = 2 * array


def some_zero(state: State, batch: Batch, random: Any) -> None:
    """Targets of zero, and outputs of zero."""
    batch.targets[:2] = 0
    batch.inputs[4:] = 0


def normalizations() -> Iterator[Case]:
    """A mean of 16 with a deviation of 1 / 8: a variance made of the difference of two means loses four digits."""
    layers: Dict[str, Layer] = {
        "batch_normalization": BatchNormalization(epsilon=1e-5, momentum=0.5), "layer_normalization": LayerNormalization(epsilon=1e-5),
        "group_normalization": GroupNormalization(epsilon=1e-5, groups=2), "instance_normalization": InstanceNormalization(epsilon=1e-5),
        "rms_normalization": RMSNormalization(epsilon=1e-5),
    }  # fmt: skip
    for name, layer in layers.items():
        yield case(f"far {name}", f"layer/{name}", layer, Dense(units=2), shape=(3, 4), prepare=scaled(0.125, 16.0))
        yield case(f"small {name}", f"layer/{name}", layer, Dense(units=2), shape=(3, 4), prepare=scaled(1 / 512))
    group = layers["group_normalization"]
    yield case(
        "far group_normalization images", "layer/group_normalization", group, Dense(units=2), shape=(4, 4, 4), prepare=scaled(0.125, 32.0),
    )  # fmt: skip


def sequences() -> Iterator[Case]:
    """Gates and scores that are saturated."""
    about = "layer/multi_head_attention"
    yield case("far lstm", "layer/lstm", LSTM(units=3), shape=(4, 2), prepare=scaled(16.0))
    yield case("far gru", "layer/gru", GRU(units=3, reset_after=True), shape=(4, 2), prepare=scaled(16.0))
    yield case("far multi_head_attention", about, MultiHeadAttention(num_heads=2), shape=(4, 4), prepare=scaled(4.0))
    yield case("far multi_head_attention causal", about, MultiHeadAttention(num_heads=2, causal=True), shape=(4, 4), prepare=scaled(4.0))
