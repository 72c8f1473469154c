"""Flax by hand: an nnx module and nnx.Optimizer, split once, and merged in a jitted step with donated state.

The `nnx.jit` of the tutorials walks through both objects in every call; its performance guide teaches this form instead.
"""

from __future__ import annotations

from functools import partial

import jax
import optax
from flax import nnx

from benchmarks.expert.nets import ITEM, NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


class Model(nnx.Module):
    """The layers, holding our weights."""

    def __init__(self, parameters: list[tuple[Array, Array]]) -> None:
        self.layers = nnx.List([nnx.Linear(*kernel.shape, rngs=nnx.Rngs(0)) for kernel, _ in parameters])
        for i, (kernel, bias) in enumerate(parameters):
            self.layers[i].kernel[...] = kernel
            self.layers[i].bias[...] = bias

    def __call__(self, x: Native) -> Native:
        """The logits."""
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    model = Model(parameters)
    optimizer = nnx.Optimizer(model, optax.sgd(NET.learning_rate, NET.momentum), wrt=nnx.Param)
    graph, state = nnx.split((model, optimizer))

    @partial(jax.jit, donate_argnums=0)
    def compiled(state: Native, x: Native, y: Native) -> Native:
        model, optimizer = nnx.merge(graph, state)

        def loss_of(model: Native) -> Native:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        loss, gradients = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, gradients)
        return nnx.state((model, optimizer)), loss

    def step(x: Native, y: Native) -> Native:
        nonlocal state
        state, loss = compiled(state, x, y)
        return loss

    return loop(step, [(jax.device_put(x), jax.device_put(y)) for x, y in batches], ITEM)
