"""The three nets as plain data: sizes, loss, optimizer; weights and batches drawn with numpy from a seed, all float32."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Native = Any
"""Whatever a framework makes: tensor, model, optimizer, compiled step."""
Train = Callable[[int], tuple[list[float], list[int]]]
"""`train(steps)` goes on from the state it left: the loss as a Python float and `perf_counter_ns` after every step."""
Step = Callable[[Native, Native], Native]
"""One step on a batch, which keeps its state and returns the framework's loss."""
ITEM = operator.methodcaller("item")


@dataclass(frozen=True)
class Net:
    """A dense net and how it is trained; `momentum` belongs to SGD, the betas and epsilon are Adam's."""

    sizes: tuple[int, ...]
    activation: str
    last_activation: str | None
    loss: str
    optimizer: str
    learning_rate: float
    batch: int
    batches: int
    momentum: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    @property
    def activations(self) -> tuple[str | None, ...]:
        """The activation of each layer."""
        return (self.activation,) * (len(self.sizes) - 2) + (self.last_activation,)


NETS = {
    "xor": Net((3, 5, 8, 2), "sigmoid", "sigmoid", "mse", "sgd", 0.5, 4, 1),
    "digits-mlp": Net((64, 128, 64, 10), "relu", None, "softmax", "sgd", 0.05, 64, 8, momentum=0.9),
    "wide": Net((784, 1024, 1024, 10), "relu", None, "softmax", "adam", 1e-3, 128, 8),
}


def weights(net: Net, seed: int = 0) -> list[tuple[Array, Array]]:
    """Kernel (in, out) and bias of each layer; biases are not zero, so that a bias left out is seen."""
    rng = np.random.default_rng(seed)
    gain = 2.0 if net.activation == "relu" else 1.0
    drawn = []
    for inputs, outputs in zip(net.sizes[:-1], net.sizes[1:], strict=True):
        kernel = rng.standard_normal((inputs, outputs)) * np.sqrt(gain / inputs)
        drawn.append((kernel.astype(np.float32), rng.uniform(-0.1, 0.1, outputs).astype(np.float32)))
    return drawn


def batches(net: Net, seed: int = 1) -> list[tuple[Array, Array]]:
    """The resident batches: float inputs; one-hot floats for the squared error, int32 labels for the softmax.

    Only 64 different rows are drawn, and their labels disagree: the loss cannot reach zero, so that neither gradients nor
    Adam's slots sink into denormals, which some frameworks flush and others compute slowly.
    """
    if net.loss == "mse":
        inputs = np.array([[a, b, a and b] for a in (0, 1) for b in (0, 1)], np.float32)
        targets = np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]
        return [(inputs, targets)]
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((64, net.sizes[0])).astype(np.float32)
    labels = (rng.integers(0, net.sizes[-1], net.batch, np.int32) for _ in range(net.batches))
    return [(rows[rng.integers(0, 64, net.batch)], label) for label in labels]


def loop(step: Step, resident: list[tuple[Native, Native]], read: Callable[[Native], float] = ITEM) -> Train:
    """The loop round a step, over resident batches in turn; reading the loss is what waits for the step."""
    stream, clock = cycle(resident), time.perf_counter_ns

    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(stream, steps):
            losses.append(read(step(x, y)))
            stamps.append(clock())
        return losses, stamps

    return train
