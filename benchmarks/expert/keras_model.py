"""What the Keras loops share on every engine: the functional model, the optimizer, the loss, and what `fit` would call."""

from __future__ import annotations

import keras

from benchmarks.expert.nets import Native, Net, Train, batches, loop, weights


def model_of(net: Net) -> tuple[Native, Native]:
    """The functional model with our weights, and its optimizer."""
    inputs = x = keras.Input((net.sizes[0],), batch_size=net.batch)
    for units, activation in zip(net.sizes[1:], net.activations, strict=True):
        x = keras.layers.Dense(units, activation=activation)(x)
    model = keras.Model(inputs, x)
    model.set_weights([p for pair in weights(net) for p in pair])
    if net.optimizer == "adam":
        optimizer = keras.optimizers.Adam(net.learning_rate, net.beta_1, net.beta_2, net.epsilon)
    else:
        optimizer = keras.optimizers.SGD(net.learning_rate, net.momentum)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def criterion_of(net: Net, loss_object: bool = False) -> Native:
    """The loss as a Keras loss object, or in two Keras ops."""
    if loss_object:
        return keras.losses.MeanSquaredError() if net.loss == "mse" else keras.losses.SparseCategoricalCrossentropy(True)
    ops = keras.ops
    if net.loss == "mse":
        return lambda y, out: ops.mean(ops.square(out - y))
    return lambda y, out: ops.mean(ops.sparse_categorical_crossentropy(y, out, from_logits=True))


def on_batch(net: Net, xla: bool) -> Train:
    """What `fit` calls: compile, then `train_on_batch`."""
    model, optimizer = model_of(net)
    model.compile(optimizer, criterion_of(net, loss_object=True), jit_compile=xla)
    return loop(model.train_on_batch, [tuple(map(keras.ops.convert_to_tensor, batch)) for batch in batches(net)], float)
