"""The textbook in NumPy, new arrays everywhere: what every other loop is checked against, and the slowest way of numpy_loop."""

from __future__ import annotations

import time
from itertools import cycle, islice

import numpy as np

from benchmarks.expert.nets import NETS, Array, Net, Train, batches, weights


def loss_and_gradient(net: Net, out: Array, targets: Array) -> tuple[float, Array]:
    """The loss and its gradient with respect to the output of the net."""
    if net.loss == "mse":
        difference = out - targets
        return float(np.mean(difference**2)), 2 / difference.size * difference
    rows = np.arange(len(out))
    shifted = out - out.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    gradient = np.exp(shifted) / total
    gradient[rows, targets] -= 1
    return float(np.mean(np.log(total[:, 0]) - shifted[rows, targets])), gradient / len(out)


def activate(name: str | None, z: Array) -> Array:
    """The activation by name."""
    return z if name is None else np.maximum(z, 0) if name == "relu" else 1 / (1 + np.exp(-z))


def gradients(net: Net, parameters: list[Array], x: Array, y: Array) -> tuple[float, list[Array]]:
    """The loss and the gradient of every parameter, kernel and bias in turn."""
    outs = [x]
    for i, name in enumerate(net.activations):
        outs.append(activate(name, outs[-1] @ parameters[2 * i] + parameters[2 * i + 1]))
    loss, d = loss_and_gradient(net, outs[-1], y)
    found: list[Array] = []
    for i in reversed(range(len(net.activations))):
        out = outs[i + 1]
        d = d * (out * (1 - out)) if net.activations[i] == "sigmoid" else d * (out > 0) if net.activations[i] else d
        found = [outs[i].T @ d, d.sum(axis=0), *found]
        d = d @ parameters[2 * i].T
    return loss, found


def build(name: str, dtype: str = "float32", hat: bool = False) -> Train:
    """The loop on a net; float64 shows how far rounding moves the losses; `hat` is Adam as Keras and TensorFlow compute it.

    Their epsilon is added to the root of the uncorrected second moment: larger by 1 / sqrt(1 - beta_2 ** step).
    """
    net = NETS[name]
    parameters = [p.astype(dtype) for pair in weights(net) for p in pair]
    resident = cycle([(x.astype(dtype), y) for x, y in batches(net)])
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    count = 0

    def update(p: Array, g: Array, m: Array, v: Array) -> None:
        if net.optimizer == "sgd":
            m[...] = net.momentum * m + g
            p -= net.learning_rate * m
            return
        m[...] = net.beta_1 * m + (1 - net.beta_1) * g
        v[...] = net.beta_2 * v + (1 - net.beta_2) * g * g
        m_hat, root = m / (1 - net.beta_1**count), np.sqrt(1 - net.beta_2**count)
        p -= net.learning_rate * m_hat / (np.sqrt(v) / root + net.epsilon / (root if hat else 1))

    def train(steps: int) -> tuple[list[float], list[int]]:
        nonlocal count
        losses, stamps = [], []
        for x, y in islice(resident, steps):
            count += 1
            loss, found = gradients(net, parameters, x, y)
            for p, g, m, v in zip(parameters, found, first, second, strict=True):
                update(p, g, m, v)
            losses.append(loss)
            stamps.append(time.perf_counter_ns())
        return losses, stamps

    return train
