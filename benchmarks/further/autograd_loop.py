"""HIPS autograd by hand: one differentiated function of all parameters, and the update in place in numpy."""

from __future__ import annotations

import autograd.numpy as np
from autograd import value_and_grad

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


def loss_of(parameters: Native, x: Array, y: Array) -> Native:
    """The loss of a batch."""
    for kernel, bias in parameters[:-1]:
        x = np.maximum(np.dot(x, kernel) + bias, 0)
    kernel, bias = parameters[-1]
    z = np.dot(x, kernel) + bias
    shifted = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - shifted[np.arange(len(y)), y])


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    differentiated = value_and_grad(loss_of)
    velocities = [[np.zeros_like(array) for array in pair] for pair in parameters]

    def step(x: Array, y: Array) -> Native:
        loss, gradients = differentiated(parameters, x, y)
        for layer, pair in enumerate(gradients):
            for which, gradient in enumerate(pair):
                velocity, array = velocities[layer][which], parameters[layer][which]
                velocity *= NET.momentum
                velocity += gradient
                array -= NET.learning_rate * velocity
        return loss

    return loop(step, batches, float)
