"""NumPy by hand: layers are closures over buffers that every step reuses; samples are rows here, columns in `numpy_columns`.

What makes a step fast, measured with one thread:

- `x.dot(w, out)` 0.25 us, `np.dot` 0.45, `np.matmul` 0.88 on 4 x 5 x 8: the method goes to BLAS without ufunc dispatch.
- a sum over rows as `ones.dot(d, out)` 0.3 us, `np.add.reduce` 2.1, on 64 x 128.
- constants as 0-d float32 arrays: 0.24 us against 0.5 for a Python float, which is converted at every call.
- `np.maximum(a, b, out=c)`, not `np.maximum(a, b, c)`: the positional form is deprecated and costs 0.6 us more.
- ReLU's derivative as `multiply(d, mask, d)`: 27 us on 128 x 1024; `copyto(where=)`, `putmask`, `d[mask] = 0` cost 520.
- one flat parameter and one flat gradient buffer, layers holding views: an update is a few calls, whatever the depth.
- for millions of parameters an update in pieces that stay in the L2 cache: 4 % of a step.

OpenBLAS 0.3.31 takes a Zen 5 core for a Haswell; OPENBLAS_CORETYPE=SkylakeX makes digits-mlp and wide 30 % faster there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from benchmarks.expert import numpy_columns, plain
from benchmarks.expert.nets import NETS, Array, Native, Net, Train, batches, weights
from benchmarks.expert.numpy_update import ONE, ZERO, F, Pair, Parts, flatten, updater


def dense(kernels: Pair, biases: Pair, activation: str | None, rows: int) -> tuple[Native, Native]:
    """Forward and backward of one layer; `backward` overwrites the upstream gradient it is given."""
    (kernel, d_kernel), (bias, d_bias) = kernels, biases
    out, d_inputs = np.empty((rows, kernel.shape[1]), F), np.empty((rows, kernel.shape[0]), F)
    slope = np.empty_like(out) if activation == "sigmoid" else np.empty(out.shape, bool)
    ones, seen = np.ones(rows, F), [out]

    def forward(x: Array) -> Array:
        seen[0] = x
        np.add(x.dot(kernel, out), bias, out)
        if activation == "relu":
            np.maximum(out, ZERO, out=out)
        elif activation == "sigmoid":
            np.reciprocal(np.add(np.exp(np.negative(out, out), out), ONE, out), out)
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
    d, total, top, picked = np.empty((rows, width), F), *(np.empty((rows, 1), F) for _ in range(2)), np.empty(rows, F)
    index, start, ones, share = np.empty(rows, np.int64), np.arange(rows) * width, np.ones(width, F), np.array(1 / rows, F)
    flat, sums = d.reshape(-1), total.reshape(-1)

    def loss(out: Array, labels: Array) -> tuple[float, Array]:
        np.subtract(out, np.maximum.reduce(out, 1, None, top, keepdims=True), d)
        flat.take(np.add(start, labels, index), out=picked, mode="clip")
        np.exp(d, d).dot(ones, sums)
        np.multiply(d, np.divide(share, total, top), d)
        flat[index] -= share
        np.subtract(np.log(sums, sums), picked, picked)
        return float(np.add.reduce(picked)) / rows, d

    return loss


def rows(
    net: Net, piece: int | None, flat: bool = True
) -> tuple[list[Native], Native, Callable[[], None], list[tuple[Array, Array]]]:
    """Layers, loss, update and resident batches; not `flat`: every parameter is updated by itself."""
    views, runs = flatten([p for pair in weights(net) for p in pair], piece)
    pairs = zip(views[::2], views[1::2], net.activations, strict=True)
    layers = [dense(kernels, biases, activation, net.batch) for kernels, biases, activation in pairs]
    loss = (mean_squared if net.loss == "mse" else softmax)(net.batch, net.sizes[-1])
    return layers, loss, updater(net, runs if flat else views), batches(net)


def loop(parts: Parts) -> Train:
    """The loop, whatever the layout."""
    layers, loss_of, update, resident = parts
    forwards = [forward for forward, _ in layers]
    backwards = [(backward, i > 0) for i, (_, backward) in enumerate(layers)][::-1]
    stream, clock = cycle(resident), time.perf_counter_ns

    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(stream, steps):
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


PIECE = 1 << 16
WAYS: dict[str, Callable[[str], Train]] = {
    "plain": plain.build,
    "rows, each parameter": lambda net: loop(rows(NETS[net], None, flat=False)),
    "rows, flat": lambda net: loop(rows(NETS[net], None)),
    "rows, flat in pieces": lambda net: loop(rows(NETS[net], PIECE)),
    "columns, flat": lambda net: loop(numpy_columns.parts(NETS[net], None)),
    "columns, flat in pieces": lambda net: loop(numpy_columns.parts(NETS[net], PIECE)),
}
BEST: dict[str, str] = {
    "xor": "columns, flat",
    "digits-mlp": "columns, flat",
    "wide": "columns, flat in pieces",
}
ORDINARY: dict[str, str] = {"xor": "rows, flat", "digits-mlp": "rows, flat", "wide": "rows, flat in pieces"}


def build(net: str, way: str) -> Train:
    """The loop of one way."""
    return WAYS[way](net)
