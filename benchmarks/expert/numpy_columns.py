"""NumPy with a sample in each column: activations are (features, batch), and the bias is the kernel's last row.

Every activation carries a last row of ones, so one BLAS call gives `kernel.T @ x + bias` and one the gradients of both: no
broadcast addition (0.8 us even on 4 x 8) and no sum over rows. The softmax then reduces over rows of `batch` contiguous
floats, 1.1 us instead of 3.6 for the maximum of 64 x 10.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.expert.nets import Array, Native, Net, batches, weights
from benchmarks.expert.numpy_update import ONE, ZERO, F, Parts, flatten, updater


def dense(kernel: Array, d_kernel: Array, activation: str | None, columns: int) -> tuple[Native, Native]:
    """Forward and backward of one layer; `kernel` is (inputs + 1, outputs)."""
    whole = np.ones((kernel.shape[1] + 1, columns), F)
    out, seen = whole[:-1], [whole]
    slope = np.empty_like(out) if activation == "sigmoid" else np.empty(out.shape, bool)
    d_inputs = np.empty((kernel.shape[0] - 1, columns), F)

    def forward(x: Array) -> Array:
        seen[0] = x
        kernel.T.dot(x, out)
        if activation == "relu":
            np.maximum(out, ZERO, out=out)
        elif activation == "sigmoid":
            np.reciprocal(np.add(np.exp(np.negative(out, out), out), ONE, out), out)
        return whole

    def backward(d: Array, wanted: bool) -> Array | None:
        if activation == "relu":
            np.multiply(d, np.greater(out, ZERO, slope), d)
        elif activation == "sigmoid":
            np.multiply(d, np.multiply(out, np.subtract(ONE, out, slope), slope), d)
        seen[0].dot(d.T, d_kernel)
        return kernel[:-1].dot(d, d_inputs) if wanted else None

    return forward, backward


def softmax(columns: int, height: int) -> Callable[[Array, Array], tuple[float, Array]]:
    """Cross-entropy from logits with integer labels, and its gradient."""
    d, total, top, picked = np.empty((height, columns), F), *(np.empty(columns, F) for _ in range(3))
    index, start, stride = np.empty(columns, np.int64), np.arange(columns), np.array(columns, np.int64)
    flat, ones, share = d.reshape(-1), np.ones(height, F), np.array(1 / columns, F)

    def loss(whole: Array, labels: Array) -> tuple[float, Array]:
        out = whole[:-1]
        np.subtract(out, np.maximum.reduce(out, 0, out=top), d)
        np.add(np.multiply(labels, stride, index), start, index)
        flat.take(index, out=picked, mode="clip")
        ones.dot(np.exp(d, d), total)
        np.multiply(d, np.divide(share, total, top), d)
        flat[index] -= share
        np.subtract(np.log(total, total), picked, picked)
        return float(np.add.reduce(picked)) / columns, d

    return loss


def mean_squared(columns: int, height: int) -> Callable[[Array, Array], tuple[float, Array]]:
    """The loss and its gradient, a mean over all elements."""
    d, scale = np.empty((height, columns), F), np.array(2 / (columns * height), F)
    flat = d.reshape(-1)

    def loss(whole: Array, targets: Array) -> tuple[float, Array]:
        np.subtract(whole[:-1], targets, d)
        value = float(flat.dot(flat)) / flat.size
        return value, np.multiply(d, scale, d)

    return loss


def parts(net: Net, piece: int | None) -> Parts:
    """Layers, loss, update and resident batches, for the loop in `numpy_loop`."""
    views, runs = flatten([np.vstack(pair) for pair in weights(net)], piece)
    layers = [dense(*view, activation, net.batch) for view, activation in zip(views, net.activations, strict=True)]
    loss = (mean_squared if net.loss == "mse" else softmax)(net.batch, net.sizes[-1])
    ones = np.ones((1, net.batch), F)
    resident = [(np.vstack([x.T, ones]), np.ascontiguousarray(y.T)) for x, y in batches(net)]
    return layers, loss, updater(net, runs), resident
