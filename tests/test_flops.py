"""FLOPs counted from the spec: by hand, against the reference's own sums, and against PyTorch's counter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

import backends.numpy
from harness.interface import Batch, State
from harness.pool.crew import Crew
from harness.registry import parse
from harness.spec import (
    SGD,
    Activation,
    Dense,
    Flatten,
    Layer,
    Node,
    ProgramSpec,
    Shape,
    family,
    forward_flops,
    predict_flops,
    step_flops,
    wired,
)  # fmt: skip
from harness.spec.activations import Step
from harness.spec.flops import PRODUCTS, WITHOUT
from harness.spec.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Composite,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv2D,
    Embedding,
    MultiHeadAttention,
    PositionEmbedding,
    Relu,
    Repeat,
    Residual,
    SeparableConv2D,
    SimpleRNN,
    Take,
    TiedDense,
)  # fmt: skip
from harness.spec.losses import MeanSquaredError, Perceptron
from tests.conftest import ROOT
from tests.counted import programs


def program(*layers: Layer, shape: Shape, **options: Any) -> ProgramSpec:
    """A program of some layers."""
    return ProgramSpec(wired(layers, shape), options.get("loss", MeanSquaredError()), SGD(learning_rate=0.5), "value")


def forward(*layers: Layer, shape: Shape) -> int:
    """FLOPs of the forward pass of one row."""
    return predict_flops(program(*layers, shape=shape), 1)


def test_every_layer_is_counted() -> None:
    """Every type of the registry that can be a node has its products, or none on purpose; composite ones never are nodes."""
    composite = {name for name, cls in family(Layer).items() if issubclass(cls, Composite)}
    assert set(PRODUCTS) | composite == set(family(Layer))
    assert not set(PRODUCTS) & composite
    counted = {node.layer.type for one in programs().values() for node in one.spec.nodes if forward_flops(node)}
    assert counted == set(PRODUCTS) - set(WITHOUT)


# by hand --------------------------------------------------------------------------------------------------------------------

#: what is counted, the shape of its input, and FLOPs of one row written out: 2, outputs, what each output reads
BY_HAND: dict[str, tuple[tuple[Layer, ...], Shape, int]] = {
    "dense": ((Dense(units=4),), (3,), 2 * 4 * 3),
    "dense of steps": ((Dense(units=4, activation=Relu()),), (5, 3), 2 * (5 * 4) * 3),
    "tied_dense": ((Embedding(input_dim=6, output_dim=3, name="words"), TiedDense(to="words")), (5,), 2 * (5 * 6) * 3),
    "conv1d": ((Conv1D(filters=5, kernel_size=3, strides=2),), (8, 2), 2 * (3 * 5) * (3 * 2)),
    "conv2d": ((Conv2D(filters=5, kernel_size=(3, 2)),), (7, 6, 4), 2 * (5 * 5 * 5) * (3 * 2 * 4)),
    "conv2d same": ((Conv2D(filters=5, kernel_size=3, padding="same"),), (7, 6, 4), 2 * (7 * 6 * 5) * (3 * 3 * 4)),
    "conv2d same strides": ((Conv2D(filters=5, kernel_size=3, strides=(2, 4), padding="same"),), (7, 6, 4), 2 * (4 * 2 * 5) * (3 * 3 * 4)),
    "conv2d groups": ((Conv2D(filters=6, kernel_size=(3, 2), strides=2, groups=2),), (7, 6, 4), 2 * (3 * 3 * 6) * (3 * 2 * 2)),
    "conv2d dilation": ((Conv2D(filters=5, kernel_size=(3, 2), dilation_rate=(2, 3)),), (7, 6, 4), 2 * (3 * 3 * 5) * (3 * 2 * 4)),
    "depthwise_conv2d": ((DepthwiseConv2D(kernel_size=(3, 2), depth_multiplier=3),), (7, 6, 4), 2 * (5 * 5 * 12) * (3 * 2)),
    "separable_conv2d": (
        (SeparableConv2D(filters=5, kernel_size=3, depth_multiplier=2),), (7, 6, 4), 2 * (5 * 4 * 8) * 9 + 2 * (5 * 4 * 5) * 8,
    ),
    # here inputs, and where each goes
    "conv2d_transpose": ((Conv2DTranspose(filters=5, kernel_size=(2, 3), strides=2),), (3, 4, 2), 2 * (3 * 4 * 2) * (2 * 3 * 5)),
    "conv2d_transpose same": (
        (Conv2DTranspose(filters=5, kernel_size=3, strides=2, padding="same"),), (3, 4, 2), 2 * (3 * 4 * 2) * (3 * 3 * 5),
    ),
    # steps, gates side by side, what each reads: features and units
    "simple_rnn": ((SimpleRNN(units=4),), (5, 3), 2 * 5 * 4 * (3 + 4)),
    "lstm": ((LSTM(units=4),), (5, 3), 2 * 5 * (4 * 4) * (3 + 4)),
    "gru": ((GRU(units=4, reset_after=True, return_sequences=True),), (5, 3), 2 * 5 * (3 * 4) * (3 + 4)),
    "gru reset before": ((GRU(units=4, reset_after=False, go_backwards=True),), (5, 3), 2 * 5 * (3 * 4) * (3 + 4)),
    "bidirectional": ((Bidirectional(layer=LSTM(units=4)),), (5, 3), 2 * (2 * 5 * (4 * 4) * (3 + 4))),
    # q, k and v; scores and weighted sum; output
    "attention": (
        (MultiHeadAttention(num_heads=2),), (5, 8), 2 * (5 * 8) * 8 + 2 * (2 * 5 * 8) * 8 + 2 * (2 * 5 * 5 * 8) + 2 * (5 * 8) * 8,
    ),
    "attention causal": (
        (MultiHeadAttention(num_heads=2, causal=True, rotary_base=100.0),), (5, 8),
        2 * (5 * 8) * 8 + 2 * (2 * 5 * 8) * 8 + 2 * (2 * 5 * 5 * 8) + 2 * (5 * 8) * 8,
    ),
    "attention grouped": (
        (MultiHeadAttention(num_heads=4, num_kv_heads=2, key_dim=3),), (5, 8),
        2 * (5 * 12) * 8 + 2 * (2 * 5 * 6) * 8 + 2 * (2 * 5 * 5 * 12) + 2 * (5 * 8) * 12,
    ),
    "attention cross": (
        (Take(indices=(0, 1), name="query"), PositionEmbedding(inputs=("input",), name="memory"),
         MultiHeadAttention(num_heads=2, key_dim=3, inputs=("query", "memory"))), (5, 8),
        2 * (2 * 6) * 8 + 2 * (2 * 5 * 6) * 8 + 2 * (2 * 2 * 5 * 6) + 2 * (2 * 8) * 6,
    ),
    "embedding": ((Embedding(input_dim=6, output_dim=3), PositionEmbedding()), (5,), 0),
    "repeat": ((Repeat(times=3, layers=(Residual(layers=(Dense(units=4, activation=Relu()),)),)),), (4,), 3 * (2 * 4 * 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_forward_by_hand(name: str) -> None:
    """Products of one row, counted by hand."""
    layers, shape, flops = BY_HAND[name]
    assert forward(*layers, shape=shape) == flops
    assert predict_flops(program(*layers, shape=shape), 7) == 7 * flops


@pytest.mark.parametrize(
    ("layers", "shape", "flops"),
    [
        # the first product once forward and once back (its kernel), later ones twice back
        ((Dense(units=4), Dense(units=2)), (3,), 2 * (2 * 4 * 3) + 3 * (2 * 2 * 4)),
        ((Flatten(), Dense(units=4)), (3, 2), 2 * (2 * 4 * 6)),
        ((BatchNormalization(epsilon=1e-3, momentum=0.9, scale=False, center=False), Dense(units=4)), (3,), 2 * (2 * 4 * 3)),
        ((BatchNormalization(epsilon=1e-3, momentum=0.9, scale=False), Dense(units=4)), (3,), 3 * (2 * 4 * 3)),
        ((Embedding(input_dim=6, output_dim=3), Dense(units=4)), (5,), 3 * (2 * (5 * 4) * 3)),
        ((Conv2D(filters=5, kernel_size=3), Conv2D(filters=2, kernel_size=3)), (6, 6, 1), 2 * (2 * 80 * 9) + 3 * (2 * 8 * 45)),
        # x W as any first product; h U three times, but at the first step, where h is zeros, twice
        ((LSTM(units=4),), (5, 3), 2 * (2 * 5 * 16 * 3) + 3 * (2 * 4 * 16 * 4) + 2 * (2 * 16 * 4)),
        ((GRU(units=4, reset_after=False),), (5, 3), 2 * (2 * 5 * 12 * 3) + 3 * (2 * 4 * 8 * 4) + 2 * (2 * 8 * 4) + 3 * (2 * 5 * 4 * 4)),
        # projections of the data twice, all else three times
        ((MultiHeadAttention(num_heads=2),), (5, 8), 2 * (3 * 2 * 5 * 8 * 8) + 3 * (2 * (2 * 5 * 5 * 8)) + 3 * (2 * 5 * 8 * 8)),
    ],
    ids=["dense", "flatten", "batch", "batch center", "embedding", "conv2d", "lstm", "gru", "attention"],
)
def test_steps_by_hand(layers: tuple[Layer, ...], shape: Shape, flops: int) -> None:
    """A training step: back costs twice as much as forward, but once where the data need no gradient."""
    assert step_flops(program(*layers, shape=shape), 1) == flops
    assert step_flops(program(*layers, shape=shape), 7) == 7 * flops


def test_no_gradient_comes_back_through_a_mask() -> None:
    """What only marks padding is computed forward alone, and a last step function is none of the training's."""
    one = programs()["learned mask"]
    scores = one.spec.nodes[0]
    assert forward_flops(scores) == 2 * 5 * 3 * 3
    shown = ProgramSpec(tuple(node for node in one.spec.nodes if node.name == "memory"), one.spec.loss, one.spec.optimizer, "value")
    query, seen, heads = 2, 5, 6
    attention = 2 * query * heads * 3, 2 * 2 * seen * heads * 4, 2 * 2 * query * seen * heads, 2 * query * heads * 3
    back = (1, 2, 2, 2)
    expected = forward_flops(scores) + step_flops(shown, 1) + sum(part * (1 + times) for part, times in zip(attention, back, strict=True))
    assert step_flops(one.spec, 1) == expected
    last = program(Dense(units=1), Activation(activation=Step()), shape=(3,), loss=Perceptron())
    assert step_flops(last, 1) == 2 * (2 * 1 * 3)


# against the reference: with ones everywhere, what a linear layer gives is how many products it added -------------------------


def added(layer: Layer, shape: Shape) -> float:
    """The sum of all outputs of the reference, inputs and kernel being ones: one for each multiply-add."""
    spec = program(layer, shape=shape)
    built = backends.numpy.Program(spec, "float64", "cpu", "")
    built.load(State({item.name: numpy.ones(item.shape, numpy.float32) for item in spec.parameters}))
    inputs = numpy.ones((1, *shape), numpy.float32)
    targets = numpy.zeros((1, *spec.output_shape), numpy.float32)
    return float(built.predict(built.stage([Batch(inputs, targets)]))[0].sum())


SMALL = some.integers(1, 3)
PAIR = some.tuples(SMALL, SMALL)


@some.composite
def linear(draw: Any) -> tuple[Layer, Shape]:
    """A layer without bias and without zeros around, and a shape for it."""
    sizes = draw(some.tuples(some.integers(1, 8), some.integers(1, 8)))
    groups, inputs, outputs = draw(SMALL), draw(SMALL), draw(SMALL)
    moved: dict[str, Any] = {"kernel_size": draw(PAIR), "strides": draw(PAIR), "dilation_rate": draw(PAIR), "use_bias": False}
    one = {name: value[0] if isinstance(value, tuple) else value for name, value in moved.items()}
    layers: list[tuple[Layer, Shape]] = [
        (Dense(units=outputs, use_bias=False), (*sizes, inputs)),
        (Conv1D(filters=groups * outputs, groups=groups, **one), (sizes[0], groups * inputs)),
        (Conv2D(filters=groups * outputs, groups=groups, **moved), (*sizes, groups * inputs)),
        (DepthwiseConv2D(depth_multiplier=outputs, **moved), (*sizes, inputs)),
        (Conv2DTranspose(filters=outputs, **moved), (*sizes, inputs)),
    ]
    chosen: tuple[Layer, Shape] = draw(some.sampled_from(layers))
    return chosen


@settings(max_examples=200, deadline=None)
@given(linear())
def test_products_are_those_of_the_reference(one: tuple[Layer, Shape]) -> None:
    """2 for each multiply-add that the reference makes: strides, groups, dilation, windows of any shape."""
    layer, shape = one
    reach = getattr(layer, "reach", ())
    assume(layer.type == "conv2d_transpose" or all(window <= size for window, size in zip(reach, shape, strict=False)))
    assert forward(layer, shape=shape) == 2 * added(layer, shape)


# against PyTorch's counter --------------------------------------------------------------------------------------------------

#: operations that hold products, but that torch 2.13's counter has no formula for: name -> what is known of it. It reads them as 0
UNSEEN = {
    "aten.mkldnn_rnn_layer": "a whole LSTM in float32 on the CPU is one call of oneDNN's; in float64 it is seen, as products",
    "aten.mkldnn_rnn_layer_backward": "its way back",
    "aten._scaled_dot_product_flash_attention_for_cpu": "fused attention on the CPU (pytorch#195460); written out it is seen, as products",
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": "its way back",
}


def counted_too_often(node: Node) -> int:
    """FLOPs of one row that torch 2.13's counter finds too many in the gradient of a grouped convolution's kernel: it takes each filter
    to have met all channels, not those of its group (pytorch#183405)."""
    layer: Any = node.layer
    groups = node.input_shape[-1] if layer.type == "depthwise_conv2d" else getattr(layer, "groups", 1)
    return (groups - 1) * forward_flops(node) if layer.type in ("conv1d", "conv2d", "depthwise_conv2d") else 0


@pytest.fixture(scope="module")
def torch_found() -> dict[str, Any]:
    """What torch's counter says, in a process of its own."""
    variables = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.counted"], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **variables}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def differing(found: dict[str, Any]) -> Iterator[str]:
    """Programs of which torch counts something else than the spec says."""
    for name, counts in found.items():
        one = programs()[name]
        surplus = one.rows * sum(map(counted_too_often, one.spec.nodes))
        expected = (step_flops(one.spec, one.rows) + surplus, predict_flops(one.spec, one.rows))
        if (counts["step"], counts["predict"]) != expected:
            yield name


def test_torch_counts_the_same(torch_found: dict[str, Any]) -> None:
    """Of every program that the adapter supports, a step and a prediction, to the last one."""
    found = torch_found["written out"]
    refused = {name for name, one in programs().items() if one.spec.optimizer.type in ("lion", "lamb")}
    assert set(found) == set(programs()) - refused
    assert not [name for name, counts in found.items() if set(counts["operations"]) & set(UNSEEN)]
    assert list(differing(found)) == []


def test_torch_counts_less_where_it_does_not_see(torch_found: dict[str, Any]) -> None:
    """As torch computes by itself, the counts differ exactly where an operation is called that its counter does not know."""
    found = torch_found["as it is"]
    met = {name: set(counts["operations"]) & set(UNSEEN) for name, counts in found.items()}
    assert set().union(*met.values()) == set(UNSEEN)
    assert list(differing(found)) == [name for name, operations in met.items() if operations]


# what a count is a share of -------------------------------------------------------------------------------------------------


def test_peak_is_a_rate(tmp_path: Path) -> None:
    """A worker measures its own machine's best rate."""
    with Crew(tmp_path, "cpu", 1, 60).worker(parse("numpy")) as worker:
        for dtype in ("float32", "float64"):
            assert worker.ask("peak", dtype=dtype, seconds=0.01) > 0
