"""Random programs that are right: what the harness must not accuse."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from harness.spec import SGD, Activation, ActivationFunction, Adam, AdamW, Dense, Dropout, ProgramSpec, RMSprop, family, wired
from harness.spec import layers as kinds
from harness.spec.graph import SpecProblem
from harness.spec.losses import Huber, LogCosh, MeanSquaredError, SoftmaxCrossEntropy
from harness.spec.optimizers import Adadelta, Adagrad, Adamax, NAdam

FEW = st.integers(1, 4)
SMOOTH = [name for name in family(ActivationFunction) if name not in ("step", "linear", "softmax", "log_softmax")]


@st.composite
def activations(draw: Any) -> Any:
    """One that works number by number, or a softmax."""
    cls: Any = family(ActivationFunction)[draw(st.sampled_from([*SMOOTH, "softmax"]))]
    keys = {"leaky_relu": {"negative_slope": 0.125}, "elu": {"alpha": 0.5}, "gelu": {"approximate": draw(st.booleans())}}
    return Activation(activation=cls(**keys.get(cls.type, {})))


def dense() -> Any:
    """Dense layers."""
    return st.builds(lambda units, bias: Dense(units=units, use_bias=bias), st.integers(2, 12), st.booleans())


def norms() -> Any:
    """Normalisations, their epsilons not too small beside what random numbers vary by."""
    epsilon = st.sampled_from([1e-2, 1e-3, 1e-5])
    return st.one_of(
        st.builds(lambda e, m: kinds.BatchNormalization(epsilon=e, momentum=m), epsilon, st.sampled_from([0.5, 0.9])),
        st.builds(lambda e: kinds.LayerNormalization(epsilon=e), epsilon),
        st.builds(lambda e: kinds.RMSNormalization(epsilon=e), epsilon),
        st.builds(lambda e: kinds.InstanceNormalization(epsilon=e), epsilon),
    )


def windows(shape: tuple[int, ...]) -> Any:
    """Convolutions and pooling over images."""
    size, stride, padding = st.integers(1, 3), st.integers(1, 2), st.sampled_from(["same", "valid"])
    return st.one_of(
        st.builds(lambda f, k, s, p: kinds.Conv2D(filters=f, kernel_size=k, strides=s, padding=p), FEW, size, stride, padding),
        st.builds(lambda k, p: kinds.DepthwiseConv2D(kernel_size=k, padding=p), size, padding),
        st.builds(lambda k, s, p: kinds.MaxPooling2D(pool_size=k, strides=s, padding=p), size, stride, padding),
        st.builds(lambda k, p: kinds.AveragePooling2D(pool_size=k, strides=1, padding=p, count_padding=False), size, padding),
        st.just(kinds.UpSampling2D(size=2, interpolation="bilinear")),
        st.builds(lambda f, k, s: kinds.Conv2DTranspose(filters=f, kernel_size=k, strides=s, padding="same"), FEW, size, stride),
    )


def recurrences() -> Any:
    """Over sequences, all outputs."""
    units, after = st.integers(2, 6), st.booleans()
    return st.one_of(
        st.builds(lambda u, b: kinds.LSTM(units=u, return_sequences=True, go_backwards=b), units, after),
        st.builds(lambda u, a: kinds.GRU(units=u, reset_after=a, return_sequences=True), units, after),
        st.builds(lambda u: kinds.SimpleRNN(units=u, return_sequences=True), units),
        st.builds(lambda h, c: kinds.MultiHeadAttention(num_heads=h, key_dim=4, causal=c), st.integers(1, 3), after),
        st.just(kinds.Conv1D(filters=3, kernel_size=2, padding="same")),
        st.just(kinds.SinusoidalPositions()),
    )


OPTIMIZERS = [
    SGD(learning_rate=0.125), SGD(learning_rate=0.125, momentum=0.5, nesterov=True), Adam(learning_rate=0.015625, epsilon=1e-3),
    AdamW(learning_rate=0.015625, epsilon=1e-3, weight_decay=0.125), RMSprop(learning_rate=0.015625, rho=0.9, epsilon=1e-3),
    NAdam(learning_rate=0.015625, epsilon=1e-3), Adamax(learning_rate=0.015625, epsilon=1e-3),
    Adadelta(learning_rate=0.5, rho=0.9, epsilon=1e-3),
    Adagrad(learning_rate=0.125, epsilon=1e-3, initial_accumulator_value=0.1), SGD(learning_rate=0.125, global_clip_norm=0.25),
]  # fmt: skip


@st.composite
def programs(draw: Any) -> ProgramSpec:
    """Two to six layers over features, images or sequences, any loss, any optimizer."""
    shape = draw(st.sampled_from([(6,), (7, 6, 2), (5, 4)]))
    own = {1: dense(), 2: recurrences(), 3: windows(shape)}[len(shape)]
    found: list[Any] = []
    for layer in draw(st.lists(st.one_of(own, activations(), norms(), st.just(Dropout(rate=0.25)), own), min_size=1, max_size=5)):
        try:
            wired((*found, layer), shape)
        except SpecProblem:
            continue
        found.append(layer)
    if not found or len(wired(found, shape)[-1].output_shape) > 1:
        found.append(kinds.Flatten())
    loss, targets = draw(
        st.sampled_from(
            [(SoftmaxCrossEntropy(), "integer"), (MeanSquaredError(), "value"), (Huber(delta=0.5), "value"), (LogCosh(), "value")]
        )
    )
    return ProgramSpec(wired((*found, Dense(units=3)), shape), loss, draw(st.sampled_from(OPTIMIZERS)), targets)
