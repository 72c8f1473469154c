"""The three nets as specs, with weights and batches drawn by numpy, all float32. Loops by hand get the weights by their canonical names."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy

from harness.interface import Batch, State
from harness.spec import SGD, Adam, Dense, Flatten, Optimizer, ProgramSpec, active_slots, wired
from harness.spec import layers as kinds
from harness.spec.losses import SoftmaxCrossEntropy

Train = Callable[[int], tuple[list[float], list[int]]]
"""`train(steps)` goes on from the state it left: the loss and `perf_counter_ns` after every step."""
ITEM = operator.methodcaller("item")
VOCABULARY, WIDTH, HEADS = 64, 64, 4

RELU = kinds.Relu()
BLOCK = (
    kinds.Residual(layers=(kinds.LayerNormalization(epsilon=1e-5), kinds.MultiHeadAttention(num_heads=HEADS, causal=True))),
    kinds.Residual(
        layers=(
            kinds.LayerNormalization(epsilon=1e-5),
            Dense(units=4 * WIDTH, activation=kinds.Gelu(approximate=True)),
            Dense(units=WIDTH),
        )
    ),
)
#: name -> layers, shape of an input, rows, optimizer
NETS: dict[str, tuple[tuple[kinds.Layer, ...], tuple[int, ...], int, Optimizer]] = {
    "cnn": (
        (
            kinds.Conv2D(filters=32, kernel_size=3, activation=RELU),
            kinds.Conv2D(filters=64, kernel_size=3, activation=RELU),
            kinds.MaxPooling2D(pool_size=2),
            Flatten(),
            Dense(units=128, activation=RELU),
            Dense(units=10),
        ),
        (28, 28, 1), 64, SGD(learning_rate=1e-4, momentum=0.9),
    ),
    "lstm": ((kinds.LSTM(units=64), Dense(units=10)), (32, 32), 32, Adam(learning_rate=1e-3, epsilon=1e-7)),
    "transformer": (
        (
            kinds.Embedding(input_dim=VOCABULARY, output_dim=WIDTH),
            kinds.PositionEmbedding(),
            kinds.Repeat(times=2, layers=BLOCK),
            kinds.LayerNormalization(epsilon=1e-5),
            Dense(units=VOCABULARY),
        ),
        (32,), 32, Adam(learning_rate=1e-3, epsilon=1e-7),
    ),
}  # fmt: skip


def spec(name: str) -> ProgramSpec:
    """A net as every adapter gets it."""
    layers, shape, _, optimizer = NETS[name]
    return ProgramSpec(wired(layers, shape), SoftmaxCrossEntropy(), optimizer, "integer")


def state(name: str) -> State:
    """First weights: normal, of variance 1 / inputs; gamma one."""
    random, found = numpy.random.default_rng(0), {}
    program = spec(name)
    for parameter in program.parameters:
        inputs = numpy.prod(parameter.shape[:-1]) or 1
        drawn = random.standard_normal(parameter.shape) / numpy.sqrt(inputs)
        found[parameter.name] = (numpy.ones(parameter.shape) if parameter.name.endswith("gamma") else drawn).astype(numpy.float32)
    slots = {slot: {key: numpy.zeros_like(array) for key, array in found.items()} for slot in active_slots(program.optimizer)}
    return State(found, slots, 0)


def batches(name: str) -> list[Batch]:
    """Four resident batches of random inputs and labels."""
    random, program, rows = numpy.random.default_rng(1), spec(name), NETS[name][2]
    shape, classes = (rows, *program.input_shape), program.output_shape[-1]
    found = []
    for _ in range(4):
        words = random.integers(0, VOCABULARY, shape)
        values = random.standard_normal(shape).astype(numpy.float32)
        targets = random.integers(0, classes, (rows, *program.target_shape))
        found.append(Batch(words if program.integer_inputs else values, targets))
    return found


def loop(step: Callable[[Any, Any], Any], resident: list[tuple[Any, Any]], read: Callable[[Any], float] = ITEM) -> Train:
    """The loop round a step, over resident batches in turn; reading the loss is what waits for the step."""
    stream, clock = cycle(resident), time.perf_counter_ns

    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(stream, steps):
            losses.append(read(step(x, y)))
            stamps.append(clock())
        return losses, stamps

    return train
