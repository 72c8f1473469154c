"""Keras 3 by hand: a functional model, the Keras optimizer, our own train step on the engine that KERAS_BACKEND names.

What makes a step fast, measured with one thread on xor:

- tensorflow: the traced step called by the op, not through `tf.function`: 34 us instead of 179 (see `tensorflow_loop`).
  `apply` and `apply_gradients` trace to the same graph, and a loss object costs nothing once traced; `train_on_batch` 456 us.
- jax: `stateless_call` and `stateless_apply` in one donated jit, 27 us; loss objects and compiling ahead change nothing.
- torch: nothing is compiled, so what counts is how little of Keras runs: `layer.call` in place of the model's `__call__` takes
  a step from 682 us to 227, torch's own loss from 739 to 682; `torch.autograd.grad` needs no `zero_grad`.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from benchmarks.expert.keras_model import criterion_of, model_of, on_batch
from benchmarks.expert.nets import NETS, Native, Net, Train, batches, loop

ENGINE = keras.backend.backend()
WAYS: dict[str, Callable[[Net], Train]]
BEST: dict[str, str]
ORDINARY: dict[str, str]


def on_tensorflow(net: Net, how: str, xla: bool = False, loss_object: bool = False, pairs: bool = False) -> Train:
    """Tape, Keras optimizer, one traced step; `pairs` hands the gradients to `apply_gradients`."""
    (model, optimizer), criterion = model_of(net), criterion_of(net, loss_object)
    variables, resident = model.trainable_variables, tensorflow_loop.staged(net)

    def step(x: Native, y: Native) -> Native:
        with tf.GradientTape() as tape:
            loss = criterion(y, model(x, training=True))
        gradients = tape.gradient(loss, variables)
        if pairs:
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        else:
            optimizer.apply(gradients, variables)
        return loss

    return loop(tensorflow_loop.dispatch(step, resident[0], how, xla), resident, float)


def on_jax(net: Net, ahead: bool = False, donate: bool = True, loss_object: bool = False) -> Train:
    """The stateless step, jitted; the state is copied, since donation would take the model's own buffers."""
    (model, optimizer), criterion = model_of(net), criterion_of(net, loss_object)

    def loss_of(trainable: Native, other: Native, x: Native, y: Native) -> Native:
        out, other = model.stateless_call(trainable, other, x, training=True)
        return criterion(y, out), other

    def step(state: Native, x: Native, y: Native) -> Native:
        trainable, other, slots = state
        (loss, other), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, other, x, y)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, other, slots), loss

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state: Native = tuple([jax.numpy.array(v.value) for v in group] for group in groups)
    resident = [(jax.numpy.array(x), jax.numpy.array(y)) for x, y in batches(net)]
    jitted: Native = jax.jit(step, donate_argnums=0 if donate else ())
    if ahead:
        jitted = jitted.lower(state, *resident[0]).compile()

    def call(x: Native, y: Native) -> Native:
        nonlocal state
        state, loss = jitted(state, x, y)
        return loss

    return loop(call, resident)


def on_torch(net: Net, native: bool = True, layers: bool = False) -> Train:
    """Eager torch under Keras; `native`: torch's loss and `autograd.grad`; `layers`: `layer.call` in place of the model's."""
    (model, optimizer), criterion = model_of(net), criterion_of(net)
    variables, functional = model.trainable_variables, torch.nn.functional
    parameters, calls = [v.value for v in variables], [layer.call for layer in model.layers[1:]]
    if native:
        own = functional.mse_loss if net.loss == "mse" else functional.cross_entropy
        criterion = lambda y, out: own(out, y)  # noqa: E731

    def step(x: Native, y: Native) -> Native:
        if layers:
            for call in calls:
                x = call(x)
        loss = criterion(y, x if layers else model(x, training=True))
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            optimizer.apply(gradients, variables)
        return loss

    targets = torch.float32 if net.loss == "mse" else torch.int64
    return loop(step, [(torch.tensor(x), torch.tensor(y, dtype=targets)) for x, y in batches(net)])


if ENGINE == "tensorflow":
    import tensorflow as tf

    from benchmarks.expert import tensorflow_loop

    WAYS = {
        "function, apply": lambda net: on_tensorflow(net, "function"),
        "function, apply_gradients": lambda net: on_tensorflow(net, "function", pairs=True),
        "function, loss object": lambda net: on_tensorflow(net, "function", loss_object=True),
        "concrete": lambda net: on_tensorflow(net, "concrete"),
        "op": lambda net: on_tensorflow(net, "op"),
        "train_on_batch": lambda net: on_batch(net, False),
        "xla: function": lambda net: on_tensorflow(net, "function", xla=True),
        "xla: concrete": lambda net: on_tensorflow(net, "concrete", xla=True),
        "xla: op": lambda net: on_tensorflow(net, "op", xla=True),
        "xla: train_on_batch": lambda net: on_batch(net, True),
    }
    BEST = dict.fromkeys(NETS, "op") | dict.fromkeys((f"{net}:xla" for net in NETS), "xla: op")
    ORDINARY = dict.fromkeys(NETS, "function, apply") | dict.fromkeys((f"{net}:xla" for net in NETS), "xla: function")
elif ENGINE == "jax":
    import jax

    WAYS = {
        "jit": on_jax,
        "jit, not donated": lambda net: on_jax(net, donate=False),
        "jit, loss object": lambda net: on_jax(net, loss_object=True),
        "ahead of time": lambda net: on_jax(net, ahead=True),
        "train_on_batch": lambda net: on_batch(net, True),
    }
    BEST = {"xor": "jit", "digits-mlp": "ahead of time", "wide": "jit"}
    ORDINARY = dict.fromkeys(NETS, "jit")
else:
    import torch

    WAYS = {
        "keras loss": lambda net: on_torch(net, native=False),
        "torch loss": on_torch,
        "torch loss, layer.call": lambda net: on_torch(net, layers=True),
    }
    BEST = dict.fromkeys(NETS, "torch loss, layer.call")
    ORDINARY = dict.fromkeys(NETS, "keras loss")


def build(net: str, way: str) -> Train:
    """The loop of one way."""
    return WAYS[way](NETS[net])
