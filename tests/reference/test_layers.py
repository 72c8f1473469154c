"""Laws that hold whatever the numbers: invariances of softmax and normalisations, of recurrences and attention, of what only moves or
draws numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backends.numpy import Program
from harness.interface import Batch, State
from harness.spec import SGD, Activation, Dense, Dropout, Layer, ProgramSpec, wired
from harness.spec import layers as kinds
from harness.spec.losses import MeanSquaredError

from . import formulas
from .measure import alone, generator

CHECKED = settings(max_examples=20, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def near(found: Any, right: Any, limit: float = 1e-13) -> bool:
    """Whether arrays are equal but for rounding, measured by their largest number."""
    return bool(numpy.all(abs(found - right) <= limit * max(1.0, numpy.max(abs(right), initial=0.0))))


@CHECKED
@given(SHAPES, st.data())
def test_softmax(shape: tuple[int, ...], data: Any) -> None:
    """Softmax sums to one, does not see a shift, and its gradients sum to zero, along every axis; the other one is its logarithm."""
    axis = data.draw(st.sampled_from([-1, *range(1, len(shape) + 1)]))
    one, log = (alone(Activation(activation=function(axis=axis)), shape) for function in (kinds.Softmax, kinds.LogSoftmax))
    (x,) = one.inputs
    y, w = one.layer.forward(x), generator().standard_normal(x.shape)
    assert near(y.sum(axis), 1)
    assert near(one.layer.backward(w).sum(axis), 0)
    assert near(log.layer.forward(x), numpy.log(y))
    assert near(log.layer.backward(w).sum(axis), 0, 1e-12)
    assert near(one.layer.forward(x + 64), y)
    assert near(log.layer.forward(x + 64), numpy.log(y), 1e-12)


NORMALIZATIONS: list[tuple[Any, Any]] = [
    (kinds.BatchNormalization(epsilon=1e-30, momentum=0.5), lambda axes: (0, *axes[:-1])),
    (kinds.LayerNormalization(epsilon=1e-30), lambda axes: axes[-1:]),
    (kinds.GroupNormalization(epsilon=1e-30, groups=1), lambda axes: axes),
    (kinds.InstanceNormalization(epsilon=1e-30), lambda axes: axes[:-1]),
]


@pytest.mark.parametrize(("layer", "over"), NORMALIZATIONS, ids=lambda value: getattr(value, "type", ""))
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4)])
def test_normalizations(layer: Any, over: Any, shape: tuple[int, ...]) -> None:
    """Without epsilon they see neither a factor nor a shift; what they give has mean 0 and variance 1; its gradients sum to zero, alone
    and with what they give."""
    axes = over(tuple(range(1, len(shape) + 1)))
    bare = dataclasses.replace(layer, scale=False, center=False)
    one = alone(bare, shape, rows=6)
    (x,) = one.inputs
    y = one.layer.forward(x)
    assert near(y.mean(axes), 0)
    assert near(y.var(axes), 1)
    dx = one.layer.backward(generator().standard_normal(x.shape))
    assert near(dx.sum(axes), 0, 1e-12)
    assert near((dx * y).sum(axes), 0, 1e-12)
    assert near(one.layer.forward(8 * x - 3), y, 1e-12)
    learned = alone(layer, shape, rows=6)
    assert near(learned.layer.forward(x), y * learned.parameters["gamma"] + learned.parameters["beta"])


@pytest.mark.parametrize(
    "layer", [kinds.LayerNormalization(epsilon=1e-3), kinds.RMSNormalization(epsilon=1e-3)], ids=lambda layer: layer.type
)
def test_rows_are_normalised_alone(layer: Layer) -> None:
    """Each row by itself; rms_normalization sees no factor."""
    one = alone(layer, (5,), rows=6)
    whole = one.layer.forward(*one.inputs)
    assert near(numpy.concatenate([one.layer.forward(one.inputs[0][row : row + 1]) for row in range(6)]), whole)
    if layer.type == "rms_normalization":
        tiny = alone(dataclasses.replace(layer, epsilon=1e-30), (5,))  # type: ignore[call-arg]
        assert near(tiny.layer.forward(16 * tiny.inputs[0]), tiny.layer.forward(*tiny.inputs))


def test_moving_statistics() -> None:
    """Only `keep` moves them; momentum 1 holds them, momentum 0 takes the batch's; one value alone has no unbiased variance, and is
    taken as it is."""
    for momentum in (0.0, 0.25, 1.0):
        one = alone(kinds.BatchNormalization(epsilon=1e-3, momentum=momentum), (3,), rows=8)
        held, (x,) = one.layer.held.statistics, one.inputs
        mean, variance = held["moving_mean"].copy(), held["moving_variance"].copy()
        one.layer.forward(x)
        assert numpy.array_equal(held["moving_mean"], mean)
        one.layer.keep()
        assert near(held["moving_mean"], momentum * mean + (1 - momentum) * x.mean(0))
        assert near(held["moving_variance"], momentum * variance + (1 - momentum) * x.var(0))
        one.layer.training = False
        right = (x - held["moving_mean"]) / numpy.sqrt(held["moving_variance"] + 1e-3)
        assert near(one.layer.forward(x), right * one.parameters["gamma"] + one.parameters["beta"], 1e-6)
    for rows in (1, 2, 3):
        one = alone(kinds.BatchNormalization(epsilon=1e-3, momentum=0.0), (3,), rows=rows, batch_normalization__variance="unbiased")
        one.layer.forward(*one.inputs)
        one.layer.keep()
        variance = one.inputs[0].var(0, ddof=1) if rows > 1 else numpy.zeros(3)
        assert near(one.layer.held.statistics["moving_variance"], variance)


RECURRENCES: list[Any] = [
    kinds.SimpleRNN(units=3), kinds.SimpleRNN(units=2, activation="relu"), kinds.LSTM(units=3), kinds.GRU(units=3, reset_after=True),
    kinds.GRU(units=2, reset_after=False),
]  # fmt: skip


@pytest.mark.parametrize("layer", RECURRENCES, ids=lambda layer: layer.type)
def test_recurrences(layer: Any) -> None:
    """All outputs end with the last one; backwards is forwards over the mirrored sequence; values and gradients. A zero gradient at all
    but the last step is the gradient at the last output."""
    last, every = alone(layer, (4, 2)), alone(dataclasses.replace(layer, return_sequences=True), (4, 2))
    mirrored = alone(dataclasses.replace(layer, return_sequences=True, go_backwards=True), (4, 2))
    (x,) = last.inputs
    y, ys, back = last.layer.forward(x), every.layer.forward(x), mirrored.layer.forward(x[:, ::-1])
    assert near(ys[:, -1], y)
    assert near(back[:, ::-1], ys)
    w = generator().standard_normal(ys.shape)
    dx = every.layer.backward(w)
    assert near(mirrored.layer.backward(w[:, ::-1])[:, ::-1], dx)
    for short, gradient in every.gradients.items():
        assert near(mirrored.gradients[short], gradient)
    w[:, :-1] = 0
    assert near(last.layer.backward(w[:, -1]), every.layer.backward(w))
    for short, gradient in every.gradients.items():
        assert near(last.gradients[short], gradient)


@pytest.mark.parametrize("layer", RECURRENCES, ids=lambda layer: layer.type)
@CHECKED
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans(), st.booleans())
def test_scans(layer: Any, units: int, width: int, steps: int, sequences: bool, backwards: bool, bias: bool) -> None:
    """A recurrence is its formula's scan, in all sizes."""
    options = {"units": units, "return_sequences": sequences, "go_backwards": backwards, "use_bias": bias}
    one = alone(dataclasses.replace(layer, **options), (steps, width), rows=2)
    assert near(one.layer.forward(*one.inputs), formulas.LAYERS[layer.type](one.layer.node, one.parameters, *one.inputs))


def attention(**options: Any) -> Any:
    """An attention over five steps."""
    return alone(kinds.MultiHeadAttention(**{"num_heads": 2, "key_dim": 4, **options}), (5, 3))


def test_attention_and_order() -> None:
    """Without positions, steps in another order give outputs in that order; with a causal mask, later steps change nothing before; with
    turned positions it is not so."""
    order = [3, 0, 4, 1, 2]
    plain, causal, rotary = attention(), attention(causal=True), attention(rotary_base=100.0)
    (x,) = plain.inputs
    assert near(plain.layer.forward(x[:, order]), plain.layer.forward(x)[:, order])
    assert not near(rotary.layer.forward(x[:, order]), rotary.layer.forward(x)[:, order], 1e-3)
    y, later = causal.layer.forward(x).copy(), x.copy()
    later[:, 3:] += 1
    assert near(causal.layer.forward(later)[:, :3], y[:, :3])
    w = numpy.zeros(y.shape)
    w[:, 1] = 1
    assert not causal.layer.backward(w)[0][:, 2:].any()


def test_attention_to_one_step_alone() -> None:
    """Scores whose exponentials overflow: each step looks at the memory's step with the largest score, which is its own value's output."""
    one = attention(num_heads=1, use_bias=False)
    (x,) = one.inputs
    y = one.layer.forward(1e3 * x)
    q, k, v = (1e3 * x @ one.parameters[f"{name}_kernel"] for name in ("query", "key", "value"))
    seen = numpy.argmax(q @ k.swapaxes(1, 2), -1)
    assert near(y, numpy.take_along_axis(v, seen[..., None], 1) @ one.parameters["output_kernel"], 1e-12)


def test_rotary_positions_are_relative() -> None:
    """Scores depend on distances alone: where the last step sees only itself and the one before, their places do not matter."""
    one = alone(kinds.MultiHeadAttention(num_heads=1, key_dim=4, rotary_base=50.0, mask="marks"), (5, 3), (5,), rows=1)
    x, marks = numpy.zeros((1, 5, 3)), numpy.zeros((1, 5))
    x[:, 1:3] = one.inputs[0][:, 1:3]
    marks[:, 1:3] = 1
    early = one.layer.forward(x, marks)[:, 2].copy()
    late = one.layer.forward(numpy.roll(x, 2, 1), numpy.roll(marks, 2, 1))[:, 4]
    assert near(late, early)


def test_padding_is_not_looked_at() -> None:
    """Masked steps change nothing elsewhere, get no gradient through keys and values, and the mask gets none at all."""
    one = alone(kinds.MultiHeadAttention(num_heads=2, key_dim=2, mask="marks"), (5, 3), (4, 3), (4,), rows=2)
    query, memory, _ = one.inputs
    marks = numpy.array([[1.0, 0, 1, 0], [1, 1, 1, 0]])
    y = one.layer.forward(query, memory, marks).copy()
    dq, dm, none = one.layer.backward(generator().standard_normal(y.shape))
    assert none is None
    assert dq.shape == query.shape
    assert not dm[marks == 0].any()
    assert dm[marks == 1].all()
    other = numpy.where(marks[..., None] == 0, 5.0, memory)
    assert near(one.layer.forward(query, other, marks), y)


def test_embeddings() -> None:
    """Words read several times collect their gradients; others get none."""
    one = alone(kinds.Embedding(input_dim=6, output_dim=2), (4,))
    words = numpy.array([[1, 1, 3, 5], [5, 1, 3, 3], [1, 5, 5, 5]])
    assert numpy.array_equal(one.layer.forward(words), one.parameters["embeddings"][words])
    w = generator().standard_normal((3, 4, 2))
    assert one.layer.backward(w) is None
    right = numpy.zeros((6, 2))
    numpy.add.at(right, words, w)
    assert near(one.gradients["embeddings"], right)


@pytest.mark.parametrize(
    "layer", [Dropout(rate=0.0), Dropout(rate=0.5), kinds.SpatialDropout(rate=0.5), kinds.GaussianNoise(stddev=1.0)], ids=str
)
def test_noise(layer: Layer) -> None:
    """Nothing in inference, nothing before something is drawn; dropout of nothing is the identity; what is drawn multiplies or is added,
    and the gradient is its map's."""
    one = alone(layer, (3, 4))
    computed: Any = one.layer
    (x,) = one.inputs
    w = generator().standard_normal(x.shape)
    assert numpy.array_equal(computed.forward(x), x)
    assert numpy.array_equal(computed.backward(w), w)
    computed.draw(3)
    drawn = computed.drawn
    assert drawn.shape == ((3, 1, 4) if layer.type == "spatial_dropout" else (3, 3, 4))
    adds = layer.type == "gaussian_noise"
    assert numpy.array_equal(computed.forward(x), x + drawn if adds else x * drawn)
    assert numpy.array_equal(computed.backward(w), w if adds else w * drawn)
    if getattr(layer, "rate", 1) == 0:
        assert numpy.array_equal(computed.forward(x), x)
    computed.training = False
    assert numpy.array_equal(computed.forward(x), x)
    assert numpy.array_equal(computed.backward(w), w)
    computed.draw(3)
    assert getattr(layer, "rate", 1) == 0 or not numpy.array_equal(computed.drawn, drawn)


def own_dropout(rate: float, rows: int, steps: int) -> float:
    """Mean of the masks that a program draws itself, for a batch without: one weight at zero on inputs of one moves by it."""
    layers = (Dropout(rate=rate), Dense(units=1, use_bias=False))
    program = Program(ProgramSpec(wired(layers, (1,)), MeanSquaredError(), SGD(learning_rate=1.0), "value"), "float64", "cpu", "")
    native = program.stage([Batch(numpy.ones((rows, 1)), numpy.full((rows, 1), -0.5))])
    for _ in range(steps):
        program.load(State({"dense_1/kernel": numpy.zeros((1, 1))}))
        program.train(native, 1)
    return -float(program.state().parameters["dense_1/kernel"][0, 0])


@pytest.mark.parametrize("rate", [0.125, 0.5, 0.875])
def test_own_dropout(rate: float) -> None:
    """Masks of the program's own keep the mean, have the right share of zeros by its spread, and are new in each step."""
    means = [own_dropout(rate, 2000, steps) for steps in range(1, 9)]
    spread = (rate / (1 - rate) / 2000) ** 0.5
    assert abs(numpy.array(means) - 1).max() < 4.5 * spread
    assert numpy.std(means) > spread / 4
    assert len(set(means)) > 4


@pytest.mark.parametrize("kind", [kinds.Add, kinds.Average, kinds.Multiply, kinds.Maximum], ids=lambda kind: kind.type)
def test_merges(kind: Any) -> None:
    """The order of the inputs does not matter, but for ties."""
    one = alone(kind(), (3, 2), (3, 2), (3, 2))
    a, b, c = one.inputs
    y = one.layer.forward(a, b, c)
    w = generator().standard_normal(y.shape)
    da, db, dc = one.layer.backward(w)
    assert near(one.layer.forward(c, a, b), y)
    for found, right in zip(one.layer.backward(w), (dc, da, db), strict=True):
        assert near(found, right)


def test_gradients_not_asked_for() -> None:
    """Where nothing before learns, layers leave the gradient at their inputs out, and those of their parameters are the same."""
    layers: list[tuple[Layer, tuple[int, ...]]] = [
        (Dense(units=2), (3,)), (kinds.Conv2D(filters=2, kernel_size=2), (3, 3, 2)), (kinds.DepthwiseConv2D(kernel_size=2), (3, 3, 2)),
        (kinds.Conv2DTranspose(filters=2, kernel_size=2), (3, 3, 2)), (kinds.BatchNormalization(epsilon=1e-3, momentum=0.5), (3,)),
        (kinds.LayerNormalization(epsilon=1e-3), (3,)), (kinds.RMSNormalization(epsilon=1e-3), (3,)),
        *((layer, (3, 2)) for layer in RECURRENCES),
    ]  # fmt: skip
    for layer, shape in layers:
        asked, spared = alone(layer, shape), alone(layer, shape)
        spared.layer.inputs_too = False
        w = generator().standard_normal(asked.layer.forward(*asked.inputs).shape)
        spared.layer.forward(*spared.inputs)
        assert asked.layer.backward(w) is not None
        assert spared.layer.backward(w) is None, layer.type
        for short, gradient in asked.gradients.items():
            assert numpy.array_equal(spared.gradients[short], gradient), layer.type
