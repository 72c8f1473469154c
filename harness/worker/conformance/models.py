"""Cases of small whole models, each with another optimizer: what real experiments are made of, together."""

from __future__ import annotations

from typing import Iterator

from ...spec import SGD, Activation, Adam, AdamW, Dense, Dropout, Flatten, RMSprop
from ...spec.layers import (
    GRU,
    LSTM,
    Add,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv2D,
    Embedding,
    Gelu,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    LayerNormalization,
    MaxPooling2D,
    MultiHeadAttention,
    Relu,
    Relu6,
    Repeat,
    Residual,
    Sigmoid,
    SinusoidalPositions,
    Tanh,
    TiedDense,
    UpSampling2D,
)  # fmt: skip
from ...spec.losses import SoftmaxCrossEntropy
from ...spec.optimizers import NAdam
from ...spec.regularizers import L2
from ...spec.schedules import Warmup
from .case import Case, case


def cases() -> Iterator[Case]:
    """All of them."""
    entropy = SoftmaxCrossEntropy()
    yield case(
        "softmax integer", ("layer/dense", "layer/dropout"), Dense(units=6, activation=Tanh()), Dropout(rate=0.5),
        Activation(activation=Relu()), Dense(units=5, activation=Sigmoid(), use_bias=False), Dense(units=3), loss=entropy,
        targets="integer",
    )  # fmt: skip
    norm = BatchNormalization(epsilon=1e-3, momentum=0.9)
    relu = Activation(activation=Relu())
    halved = Conv2D(filters=4, kernel_size=3, strides=2, padding="same", use_bias=False)
    down = Residual(
        layers=(halved, norm, relu, Conv2D(filters=4, kernel_size=3, padding="same")),
        shortcut=(Conv2D(filters=4, kernel_size=1, strides=2, use_bias=False),),
    )
    yield case(
        "model residual cnn", ("layer/conv2d", "layer/residual", "layer/batch_normalization"),
        Conv2D(filters=3, kernel_size=3, padding="same", use_bias=False, kernel_regularizer=L2(l2=0.0625)), norm, relu, down,
        GlobalAveragePooling2D(), Dense(units=3), shape=(6, 5, 1), loss=entropy, targets="integer",
        optimizer=SGD(learning_rate=0.125, momentum=0.9), steps=(37,),
    )  # fmt: skip
    yield case(
        "model cnn", ("layer/conv2d", "layer/max_pooling2d", "layer/flatten"), Conv2D(filters=3, kernel_size=3, activation=Relu()),
        MaxPooling2D(pool_size=2), Flatten(), Dropout(rate=0.25), Dense(units=3), shape=(6, 8, 1), loss=entropy, targets="integer",
        optimizer=Adam(learning_rate=0.0625, epsilon=1e-3), steps=(37,),
    )  # fmt: skip
    yield case(
        "model depthwise cnn", "layer/depthwise_conv2d",
        DepthwiseConv2D(kernel_size=3, depth_multiplier=2, padding="same", use_bias=False), norm, Activation(activation=Relu6()),
        Conv2D(filters=4, kernel_size=1), GlobalAveragePooling2D(), Dense(units=2), shape=(4, 5, 2), loss=entropy, targets="one_hot",
        optimizer=RMSprop(learning_rate=0.0625, rho=0.9, epsilon=1e-3), steps=(37,),
    )  # fmt: skip
    yield case(
        "model autoencoder", ("layer/conv2d_transpose", "layer/up_sampling2d"),
        Conv2D(filters=3, kernel_size=3, strides=2, padding="same", activation=Tanh()), UpSampling2D(size=(2, 1)),
        Conv2DTranspose(filters=2, kernel_size=3, strides=(1, 2), padding="same", activation=Tanh()),
        Conv2D(filters=1, kernel_size=3, padding="same"), shape=(4, 6, 1), optimizer=NAdam(learning_rate=0.0625, epsilon=1e-3), steps=(37,),
    )  # fmt: skip
    yield case(
        "model lstm", ("layer/lstm", "layer/bidirectional"), Bidirectional(layer=GRU(units=3, reset_after=False, return_sequences=True)),
        Dropout(rate=0.25), LSTM(units=4), Dense(units=3), shape=(5, 3), loss=entropy, targets="integer",
        optimizer=Adam(learning_rate=0.0625, epsilon=1e-3, global_clip_norm=0.125), steps=(37,),
    )  # fmt: skip
    layer_norm = LayerNormalization(epsilon=1e-5)
    block = (
        Residual(layers=(layer_norm, MultiHeadAttention(num_heads=2, causal=True), Dropout(rate=0.125))),
        Residual(layers=(layer_norm, Dense(units=8, activation=Gelu(approximate=True)), Dense(units=4), Dropout(rate=0.125))),
    )
    yield case(
        "model transformer", ("layer/multi_head_attention", "layer/tied_dense", "layer/repeat"),
        Embedding(input_dim=7, output_dim=4, name="words"), SinusoidalPositions(), Repeat(times=2, layers=block), layer_norm,
        TiedDense(to="words"), shape=(5,), loss=entropy, targets="integer", steps=(2,),
        optimizer=AdamW(learning_rate=0.0625, epsilon=1e-3, weight_decay=0.125, schedule=Warmup(over=8), gradient_accumulation_steps=2),
    )  # fmt: skip
    yield case(
        "model wide and deep", ("layer/add", "layer/concatenate"), Dense(units=6, activation=Relu(), name="deep"),
        Dense(units=4, activation=Relu(), name="deeper"), Dense(units=3, inputs=("input",), name="wide"),
        Concatenate(inputs=("deeper", "input"), name="both"), Dense(units=3, name="joint"), Add(inputs=("wide", "joint")),
        shape=(5,), loss=entropy, targets="integer", weighted=True,
    )  # fmt: skip
    yield case(
        "model attention", ("layer/multi_head_attention", "layer/global_average_pooling1d"), Embedding(input_dim=6, output_dim=4),
        SinusoidalPositions(), MultiHeadAttention(num_heads=2, num_kv_heads=1, rotary_base=10000.0), layer_norm, GlobalAveragePooling1D(),
        Dense(units=1), shape=(5,), optimizer=SGD(learning_rate=0.125, momentum=0.9, nesterov=True), steps=(37,),
    )  # fmt: skip
