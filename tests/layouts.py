"""Programs of two layers in which each layer that knows its axes stands behind one whose axes ONNX has in another order."""

from __future__ import annotations

from collections.abc import Iterator

from harness.spec import Activation, Dense, Dropout, Flatten, Layer
from harness.spec.layers import (
    GRU,
    LSTM,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Cropping1D,
    Cropping2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GroupNormalization,
    LayerNormalization,
    LogSoftmax,
    MultiHeadAttention,
    Multiply,
    Permute,
    PositionEmbedding,
    PRelu,
    Reshape,
    Silu,
    SinusoidalPositions,
    Softmax,
    SpatialDropout,
    Take,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)  # fmt: skip
from harness.worker.conformance import Case, case

#: of images and of steps
EITHER: tuple[Layer, ...] = (
    PRelu(), Dense(units=2), Flatten(), Dropout(rate=0.5), LayerNormalization(epsilon=1e-3),
    BatchNormalization(epsilon=1e-3, momentum=0.5), Take(indices=1, axis=1), Take(indices=(1, 0), axis=2),
    *(Activation(activation=function) for function in (Silu(), Softmax(axis=1), Softmax(axis=2), LogSoftmax(axis=-1))),
    *(Concatenate(axis=axis, inputs=("before", "before")) for axis in (1, 2, -1)),
    Add(inputs=("before", "input")), Multiply(inputs=("before", "before")),
)  # fmt: skip
#: of images, 4 x 5 with three channels
IMAGES: tuple[Layer, ...] = (
    *EITHER, Activation(activation=Softmax(axis=3)), Permute(dims=(3, 1, 2)), Reshape(target_shape=(5, 12)), Take(indices=2, axis=3),
    Concatenate(axis=3, inputs=("input", "before")), Cropping2D(cropping=(1, 0, 0, 2)), ZeroPadding2D(padding=(1, 0, 2, 3)),
    UpSampling2D(size=(2, 3)), UpSampling2D(size=(2, 3), interpolation="bilinear"), AveragePooling2D(pool_size=2),
    GlobalAveragePooling2D(), GlobalMaxPooling2D(), GroupNormalization(epsilon=1e-3, groups=3), SpatialDropout(rate=0.5),
)  # fmt: skip
#: of four steps of three channels
STEPS: tuple[Layer, ...] = (
    *EITHER, Permute(dims=(2, 1)), Cropping1D(cropping=(1, 0)), ZeroPadding1D(padding=(0, 2)), UpSampling1D(size=2),
    GlobalAveragePooling1D(), GlobalMaxPooling1D(), Conv1D(filters=2, kernel_size=2), GRU(units=2, reset_after=False),
    MultiHeadAttention(num_heads=3), PositionEmbedding(), SinusoidalPositions(),
)  # fmt: skip


def layouts() -> Iterator[Case]:
    """All of them: behind a convolution of images, one of steps, and a recurrence."""
    firsts: tuple[tuple[Layer, tuple[int, ...], tuple[Layer, ...]], ...] = (
        (Conv2D(filters=3, kernel_size=3, padding="same", name="before"), (4, 5, 3), IMAGES),
        (Conv1D(filters=3, kernel_size=3, padding="same", name="before"), (4, 3), STEPS),
        (LSTM(units=3, return_sequences=True, name="before"), (4, 3), STEPS),
    )
    for first, shape, layers in firsts:
        for number, layer in enumerate(layers):
            yield case(f"{layer.type} {number} behind {first.type}", f"layer/{layer.type}", first, layer, shape=shape)
