"""What both NumPy layouts share: parameters in one flat buffer, and the updates over runs of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.expert.nets import Array, Native, Net

F = np.float32
ONE, ZERO = np.ones((), F), np.zeros((), F)
Pair = tuple[Array, Array]
Pairs = list[Pair]
Parts = tuple[list[Native], Native, Callable[[], None], Pairs]
"""Layers as forward and backward, the loss, the update, the resident batches."""


def flatten(drawn: list[Array], piece: int | None) -> tuple[Pairs, Pairs]:
    """One buffer for the parameters and one for the gradients: views a layer works on, and runs of `piece` floats to update."""
    edges = np.cumsum([0, *(p.size for p in drawn)])
    values, gradients = np.concatenate([p.ravel() for p in drawn]), np.zeros(edges[-1], F)
    places = list(zip(drawn, edges[:-1], edges[1:], strict=True))
    views = [(values[i:j].reshape(p.shape), gradients[i:j].reshape(p.shape)) for p, i, j in places]
    run = piece or values.size
    return views, [(values[i : i + run], gradients[i : i + run]) for i in range(0, values.size, run)]


def updater(net: Net, pairs: Pairs) -> Callable[[], None]:
    """SGD or Adam over pairs of parameter and gradient.

    Adam's corrections are folded into two scalars (`size` and `epsilon`): twelve passes over the arrays, no temporary; it
    spends the gradient as its scratch space.
    """
    slots = [(p, g, np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p, g in pairs]
    rate, momentum = np.array(net.learning_rate, F), np.array(net.momentum, F)
    beta_1, beta_2, rest_1, rest_2 = (np.array(c, F) for c in (net.beta_1, net.beta_2, 1 - net.beta_1, 1 - net.beta_2))
    size, epsilon, count = np.empty((), F), np.empty((), F), 0

    def sgd() -> None:
        for p, g, v, _, t in slots:
            step = np.add(np.multiply(v, momentum, v), g, v) if net.momentum else g
            np.subtract(p, np.multiply(step, rate, t), p)

    def adam() -> None:
        nonlocal count
        count += 1
        root = math.sqrt(1 - net.beta_2**count)
        size[...], epsilon[...] = net.learning_rate * root / (1 - net.beta_1**count), net.epsilon * root
        for p, g, m, v, t in slots:
            np.add(np.multiply(m, beta_1, m), np.multiply(g, rest_1, t), m)
            np.multiply(np.multiply(g, g, g), rest_2, g)
            np.add(np.multiply(v, beta_2, v), g, v)
            np.add(np.sqrt(v, t), epsilon, t)
            np.subtract(p, np.multiply(np.divide(m, t, t), size, t), p)

    return adam if net.optimizer == "adam" else sgd
