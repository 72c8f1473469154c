"""The small programs that faults are planted in: each a whole net, with its data."""

from __future__ import annotations

from typing import Any

from harness.interface import Batch, State
from harness.spec import SGD, Activation, Adam, AdamW, Dense, Dropout, ProgramSpec, RMSprop, wired
from harness.spec import layers as kinds
from harness.spec.losses import BinaryCrossEntropy, Huber, KLDivergence, MeanSquaredError, SoftmaxCrossEntropy
from harness.spec.regularizers import L2
from harness.spec.schedules import StepDecay
from harness.worker.conformance.data import batch_of, generator, state_of

#: steps already taken at the state that is tried, and rows of the batch
STEPS, ROWS = 3, 12

SLOW = SGD(learning_rate=0.125)
NORM = kinds.LayerNormalization(epsilon=1e-3)
RELU, GELU, TANH = (Activation(activation=function()) for function in (kinds.Relu, kinds.Gelu, kinds.Tanh))
CLASSES: dict[str, Any] = {"loss": SoftmaxCrossEntropy(), "targets": "integer"}
VALUES: dict[str, Any] = {"loss": MeanSquaredError(), "targets": "value"}

MLP = (
    Dense(units=16, activation=kinds.Relu()), Dropout(rate=0.25), Dense(units=16, activation=kinds.Gelu()), Dense(units=5),
)  # fmt: skip
SMALL = (Dense(units=7, activation=kinds.Tanh(), kernel_regularizer=L2(l2=0.03125)), Dense(units=4))


def sequence(**options: Any) -> tuple[Any, ...]:
    """Attention over a sequence, and what follows it."""
    return (
        kinds.Residual(layers=(NORM, kinds.MultiHeadAttention(num_heads=2, **options))),
        kinds.Residual(layers=(NORM, Dense(units=16, activation=kinds.Gelu()), Dense(units=8))),
    )


def program(
    layers: Any, shape: tuple[int, ...], optimizer: Any = SLOW, loss: Any = None, targets: str = "value", weighted: bool = False
) -> ProgramSpec:
    """A spec."""
    return ProgramSpec(wired(layers, shape), loss or MeanSquaredError(), optimizer, targets, weighted=weighted)


def small(optimizer: Any, **options: Any) -> ProgramSpec:
    """A regression with some optimizer."""
    return program(SMALL, (6,), optimizer, **{**VALUES, **options})


MODELS: dict[str, ProgramSpec] = {
    "mlp": program(MLP, (10,), **CLASSES),
    "smoothed": program(MLP, (10,), loss=SoftmaxCrossEntropy(label_smoothing=0.125), targets="integer"),
    "binary": program((*SMALL[:1], Dense(units=1)), (6,), loss=BinaryCrossEntropy(label_smoothing=0.125), targets="binary"),
    "huber": program(SMALL, (6,), loss=Huber(delta=0.25)),
    "regression": small(SLOW),
    "weighted": program(SMALL, (6,), weighted=True, **CLASSES),
    "kl": program((*SMALL, Activation(activation=kinds.LogSoftmax())), (6,), loss=KLDivergence()),
    "cnn": program(
        (
            kinds.Conv2D(filters=6, kernel_size=3, strides=2, padding="same"),
            kinds.BatchNormalization(epsilon=1e-3, momentum=0.75), RELU,
            kinds.DepthwiseConv2D(kernel_size=3, depth_multiplier=2, padding="same"), TANH, kinds.GlobalAveragePooling2D(), Dense(units=4),
        ),
        (8, 10, 3), **CLASSES,
    ),
    "pooled": program(
        (kinds.Conv2D(filters=4, kernel_size=3), kinds.MaxPooling2D(pool_size=2), kinds.Flatten(), Dense(units=4)), (8, 6, 2), **CLASSES,
    ),
    "images": program(
        (
            kinds.Conv2D(filters=6, kernel_size=3, dilation_rate=2, padding="same"), kinds.GaussianNoise(stddev=0.5), TANH,
            kinds.MaxPooling2D(pool_size=3, strides=2, padding="same"),
            kinds.AveragePooling2D(pool_size=3, strides=1, padding="same", count_padding=False),
            kinds.UpSampling2D(size=2, interpolation="bilinear"),
            kinds.Conv2DTranspose(filters=3, kernel_size=3, strides=2, padding="same"), kinds.Flatten(), Dense(units=4),
        ),
        (8, 6, 2), **CLASSES,
    ),
    "norms": program(
        (
            kinds.Conv2D(filters=8, kernel_size=2), kinds.GroupNormalization(epsilon=1e-3, groups=4), TANH,
            kinds.InstanceNormalization(epsilon=1e-2), kinds.Flatten(), Dense(units=8),
            kinds.RMSNormalization(epsilon=1e-2), Dense(units=3),
        ),
        (5, 6, 2), **CLASSES,
    ),
    "activations": program(
        (
            Dense(units=8), Activation(activation=kinds.LeakyRelu(negative_slope=0.125)), Dense(units=8),
            Activation(activation=kinds.Elu(alpha=0.5)), Dense(units=8), Activation(activation=kinds.HardSigmoid()), Dense(units=8),
            Activation(activation=kinds.Silu()), kinds.PRelu(), Dense(units=8), TANH, Dense(units=8),
            Activation(activation=kinds.Softmax(axis=-1)),
            Dense(units=3),
        ),
        (4, 6), **VALUES,
    ),
    "rnn": program(
        (
            kinds.Bidirectional(layer=kinds.GRU(units=5, reset_after=True, return_sequences=True)), kinds.LSTM(units=6), Dense(units=4),
        ),
        (7, 3), **CLASSES,
    ),
    "gru": program(
        (
            kinds.SimpleRNN(units=5, return_sequences=True), kinds.GRU(units=5, reset_after=True, use_bias=False), Dense(units=4),
        ),
        (7, 3), **CLASSES,
    ),
    "transformer": program(
        (
            kinds.Embedding(input_dim=9, output_dim=8, name="words"), kinds.SinusoidalPositions(), *sequence(causal=True), NORM,
            kinds.TiedDense(to="words"),
        ),
        (6,), **CLASSES,
    ),
    "rotary": program(
        (
            Dense(units=8), kinds.PositionEmbedding(), *sequence(num_kv_heads=2, rotary_base=10000.0),
            kinds.MultiHeadAttention(num_heads=4, num_kv_heads=2, rotary_base=10000.0, key_dim=4),
            kinds.GlobalAveragePooling1D(), Dense(units=3),
        ),
        (6, 5), **CLASSES,
    ),
    "branches": program(
        (
            Dense(units=6, activation=kinds.Tanh(), name="left"), Dense(units=6, activation=kinds.Tanh(), inputs=("input",), name="right"),
            kinds.Add(inputs=("left", "right"), name="sum"), kinds.Multiply(inputs=("sum", "left"), name="product"),
            kinds.Concatenate(inputs=("product", "right")), Dense(units=3),
        ),
        (5,), **CLASSES,
    ),
    "momentum": small(SGD(learning_rate=0.125, momentum=0.5)),
    "nesterov": small(SGD(learning_rate=0.125, momentum=0.5, nesterov=True)),
    "adam": small(Adam(learning_rate=0.015625, epsilon=1e-3)),
    "adamw": small(AdamW(learning_rate=0.015625, epsilon=1e-3, weight_decay=0.125)),
    "rmsprop": small(RMSprop(learning_rate=0.015625, rho=0.9, epsilon=1e-3)),
    "clipped": small(SGD(learning_rate=0.125, global_clip_norm=0.0078125), loss=Huber(delta=0.0078125)),
    "scheduled": small(SGD(learning_rate=0.125, schedule=StepDecay(every=4, rate=0.5))),
    "accumulating": small(SGD(learning_rate=0.125, gradient_accumulation_steps=2)),
}  # fmt: skip


def drawn(name: str, seed: int = 1) -> tuple[State, Batch]:
    """A state and a batch of a model."""
    random, spec = generator(seed), MODELS[name]
    return state_of(spec, random, STEPS), batch_of(spec, random, ROWS)
