"""Keras by hand, on TensorFlow: its layers, losses and optimizers, its own train step inside a tf.function."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from benchmarks.deep.nets import HEADS, VOCABULARY, WIDTH, Train, batches, loop, state


class Places(layers.Layer):  # type: ignore[misc]
    """A learned vector for each step, added."""

    def build(self, shape: Any) -> None:
        """The vectors."""
        self.table = self.add_weight(shape=shape[1:])

    def call(self, x: Any) -> Any:
        """x + P."""
        return x + self.table


def cnn() -> Any:
    """Images."""
    return keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10),
    ])  # fmt: skip


def lstm() -> Any:
    """Sequences."""
    return keras.Sequential([keras.Input((32, 32)), layers.LSTM(64), layers.Dense(10)])


def transformer() -> Any:
    """Words."""
    inputs = keras.Input((32,), dtype="int32")
    x = Places()(layers.Embedding(VOCABULARY, WIDTH)(inputs))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)])
        y = layers.Dense(4 * WIDTH, activation=lambda z: keras.ops.gelu(z, approximate=True))(
            layers.LayerNormalization(epsilon=1e-5)(x)
        )
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    return keras.Model(inputs, layers.Dense(VOCABULARY)(layers.LayerNormalization(epsilon=1e-5)(x)))


def build(name: str) -> Train:
    """The loop. The weights stand in the same order, but in other shapes for the heads."""
    model = {"cnn": cnn, "lstm": lstm, "transformer": transformer}[name]()
    for variable, array in zip(model.trainable_variables, state(name).parameters.values(), strict=True):
        variable.assign(array.reshape(variable.shape))
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(1e-4, momentum=0.9) if name == "cnn" else keras.optimizers.Adam(1e-3, epsilon=1e-7)
    optimizer.build(model.trainable_variables)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    traced = tf.function(step, autograph=False)
    resident = [(tf.constant(batch.inputs), tf.constant(batch.targets)) for batch in batches(name)]
    return loop(traced, resident, float)
