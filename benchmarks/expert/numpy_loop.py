"""NumPy by hand: layers are closures over buffers that every step reuses.

What makes a step fast, measured with one thread (us for 64 x 128 floats unless said otherwise):

- `x.dot(w, out)` 0.25, `np.dot` 0.45, `np.matmul` 0.88 on 4 x 5 x 8: the method goes to BLAS without ufunc dispatch.
- a sum over rows as `ones.dot(d, out)` 0.3, `np.add.reduce` 2.1.
- constants as 0-d float32 arrays: 0.24 against 0.5 for a Python float, which is converted at every call.
- ReLU's derivative as `multiply(d, mask, d)`: 27 on 128 x 1024; `copyto(where=)`, `putmask`, `d[mask] = 0` cost 520 (branches).
- one flat parameter and one flat gradient buffer, layers holding views: an update is a few calls, whatever the depth.
- for Adam on millions of parameters pieces that stay in the L2 cache: twelve passes then cost about one pass over memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np

from benchmarks.expert import plain
from benchmarks.expert.nets import NETS, Array, Net, Train, batches, weights

F = np.float32
ONE = np.ones((), F)
ZERO = np.zeros((), F)
Layer = tuple[Callable[[Array], Array], Callable[[Array, bool], Array | None]]


def dense(kernel: Array, bias: Array, d_kernel: Array, d_bias: Array, activation: str | None, rows: int) -> Layer:
    """Forward and backward of one layer; `backward` overwrites the upstream gradient it is given."""
    out = np.empty((rows, kernel.shape[1]), F)
    slope = np.empty_like(out) if activation == "sigmoid" else np.empty(out.shape, bool)
    d_inputs = np.empty((rows, kernel.shape[0]), F)
    ones, seen = np.ones(rows, F), [out]

    def forward(x: Array) -> Array:
        seen[0] = x
        x.dot(kernel, out)
        np.add(out, bias, out)
        if activation == "relu":
            return np.maximum(out, ZERO, out=out)
        if activation == "sigmoid":
            np.negative(out, out)
            np.exp(out, out)
            np.add(out, ONE, out)
            np.reciprocal(out, out)
        return out

    def backward(d: Array, wanted: bool) -> Array | None:
        if activation == "relu":
            np.multiply(d, np.greater(out, ZERO, slope), d)
        elif activation == "sigmoid":
            np.multiply(d, np.multiply(out, np.subtract(ONE, out, slope), slope), d)
        seen[0].T.dot(d, d_kernel)
        ones.dot(d, d_bias)
        return d.dot(kernel.T, d_inputs) if wanted else None

    return forward, backward


def mean_squared(rows: int, width: int) -> Callable[[Array, Array], tuple[float, Array]]:
    """The loss and its gradient, a mean over all elements."""
    d, scale = np.empty((rows, width), F), np.array(2 / (rows * width), F)
    flat = d.reshape(-1)

    def loss(out: Array, targets: Array) -> tuple[float, Array]:
        np.subtract(out, targets, d)
        value = float(flat.dot(flat)) / flat.size
        return value, np.multiply(d, scale, d)

    return loss


def softmax(rows: int, width: int) -> Callable[[Array, Array], tuple[float, Array]]:
    """Cross-entropy from logits with integer labels, and its gradient; labels are picked by flat index."""
    d, total, picked = np.empty((rows, width), F), np.empty((rows, 1), F), np.empty(rows, F)
    top, index = np.empty((rows, 1), F), np.empty(rows, np.int64)
    flat, sums, start, ones = d.reshape(-1), total.reshape(-1), np.arange(rows) * width, np.ones(width, F)

    def loss(out: Array, labels: Array) -> tuple[float, Array]:
        np.subtract(out, np.maximum.reduce(out, 1, None, top, True), d)
        np.add(start, labels, index)
        flat.take(index, out=picked, mode="clip")
        np.exp(d, d)
        d.dot(ones, sums)
        np.multiply(total, rows, top)
        np.divide(d, top, d)
        flat[index] -= F(1 / rows)
        np.subtract(np.log(sums, sums), picked, picked)
        return float(np.add.reduce(picked)) / rows, d

    return loss


def updater(net: Net, pairs: list[tuple[Array, Array]]) -> Callable[[], None]:
    """SGD or Adam (plain epsilon, folded into the step size) over pairs of parameter and gradient; Adam spends the gradient."""
    slots = [(p, g, np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p, g in pairs]
    rate, momentum = np.array(net.learning_rate, F), np.array(net.momentum, F)
    b1, b2, c1, c2 = (np.array(c, F) for c in (net.beta_1, net.beta_2, 1 - net.beta_1, 1 - net.beta_2))
    size, epsilon, count = np.empty((), F), np.empty((), F), [0]

    def sgd() -> None:
        for p, g, v, _, t in slots:
            if net.momentum:
                g = np.add(np.multiply(v, momentum, v), g, v)  # noqa: PLW2901
            np.subtract(p, np.multiply(g, rate, t), p)

    def adam() -> None:
        count[0] += 1
        root = math.sqrt(1 - net.beta_2 ** count[0])
        size[...], epsilon[...] = net.learning_rate * root / (1 - net.beta_1 ** count[0]), net.epsilon * root
        for p, g, m, v, t in slots:
            np.add(np.multiply(m, b1, m), np.multiply(g, c1, t), m)
            np.multiply(np.multiply(g, g, g), c2, g)
            np.add(np.multiply(v, b2, v), g, v)
            np.add(np.sqrt(v, t), epsilon, t)
            np.subtract(p, np.multiply(np.divide(m, t, t), size, t), p)

    return adam if net.optimizer == "adam" else sgd


def loop(name: str, flat: bool, piece: int | None) -> Train:
    """The loop; `flat` puts all parameters in one buffer, `piece` updates it in runs of that many floats."""
    net = NETS[name]
    drawn = [p for pair in weights(net) for p in pair]
    buffer, gradient = (np.empty(sum(p.size for p in drawn), F) for _ in range(2))
    edges = np.cumsum([0, *(p.size for p in drawn)])
    views = [[b[i:j].reshape(p.shape) for p, i, j in zip(drawn, edges, edges[1:], strict=False)] for b in (buffer, gradient)]
    for view, p in zip(views[0], drawn, strict=True):
        view[...] = p
    run = piece or buffer.size
    runs = [(buffer[i : i + run], gradient[i : i + run]) for i in range(0, buffer.size, run)]
    update = updater(net, runs if flat else list(zip(*views, strict=True)))
    layers = [
        dense(views[0][2 * i], views[0][2 * i + 1], views[1][2 * i], views[1][2 * i + 1], activation, net.batch)
        for i, activation in enumerate(net.activations)
    ]
    forwards = [forward for forward, _ in layers]
    backwards = [(backward, i > 0) for i, (_, backward) in enumerate(layers)][::-1]
    loss_of = (mean_squared if net.loss == "mse" else softmax)(net.batch, net.sizes[-1])
    resident = cycle(batches(net))
    clock = time.perf_counter_ns

    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(resident, steps):
            out = x
            for forward in forwards:
                out = forward(out)
            loss, d = loss_of(out, y)
            for backward, wanted in backwards:
                d = backward(d, wanted)
            update()
            losses.append(loss)
            stamps.append(clock())
        return losses, stamps

    return train


WAYS: dict[str, Callable[[str], Train]] = {
    "plain": plain.build,
    "buffers": lambda name: loop(name, False, None),
    "flat": lambda name: loop(name, True, None),
    "flat, pieces of 16 K": lambda name: loop(name, True, 1 << 14),
    "flat, pieces of 64 K": lambda name: loop(name, True, 1 << 16),
}


def build(net: str, way: str) -> Train:
    """The loop of one way."""
    return WAYS[way](net)
BEST: dict[str,str] = {}
