"""Replicas: arrays whose arithmetic rounds otherwise. Everything that a program computes is of their class, and off by rounding alone."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backends.numpy import Program
from backends.numpy.replica import EXACT, Replica, SequentialReplica, array_class
from backends.numpy.windows import block_size
from harness.interface import error
from harness.spec import SGD, ActivationFunction, Dense, Layer, ProgramSpec, family, is_step, layers, wired
from harness.spec import activations as functions
from harness.spec.layers import Activation, Composite
from harness.spec.losses import MeanSquaredError, SoftmaxCrossEntropy
from harness.worker.conformance.data import batch_of, state_of

from .measure import ALL, EPS, SMOOTH, Tried, all_gradients, alone, back, distances, generator, made, staged, tried, values

CHECKED = settings(max_examples=60, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "kind"), [(name, "replica") for name in ALL] + [(name, "sequential") for name in ALL if name.startswith("model")]
)
def test_everything_is_a_replica(name: str, kind: str) -> None:
    """Every value and every gradient, in the program's own number format; parameters, slots and statistics after a step too."""
    one = tried(name)
    program = made(one, "float32", f"{kind}-1")
    found = values(program, one.batch)
    gradients = back(program, one.batch, found)
    native = staged(program, one.batch)
    floats = [array for array in (*found, *gradients) if array is not None and array.dtype.kind == "f"]
    floats = [
        array for array in floats if not is_step(one.spec.nodes[-1].layer) or array is not found[-1]
    ]  # nothing is computed of it
    floats.append(program.loss(found[program.last], native.targets, native.weights)[0])
    program.train(program.stage(one.batches), 2)
    state = [
        *program.parameters.values(),
        *program.gradients.values(),
        *program.optimizer.slots.values(),
        *program.statistics.values(),
    ]
    for array in (*floats, *state):
        assert type(array) is program.array
        assert array.dtype == numpy.float32


#: cases in which rounding does not grow: no large means, no saturated exponentials
STEADY = tuple(name for name in SMOOTH if not name.startswith(("far", "small")))


@pytest.mark.parametrize("name", STEADY)
def test_replicas_round_alone(name: str) -> None:
    """Outputs and gradients are off by some units in the last place, in every tensor."""
    one = tried(name)
    plain, moved = (made(one, mode=mode).probe(one.batch) for mode in ("", "replica-1"))
    pairs = {**moved.outputs, **all_gradients(moved)}, {**plain.outputs, **all_gradients(plain)}
    sizes = distances(*pairs)
    assert max(sizes.values()) < 5e-13, sizes
    assert abs(moved.loss - plain.loss) <= 5e-13 * abs(plain.loss)


#: activations and layers that only choose, move or double numbers: no rounding forwards
UNROUNDED = {
    "linear", "step", "relu", "relu6", "flatten", "reshape", "permute", "take", "maximum", "concatenate", "max_pooling1d",
    "max_pooling2d", "global_max_pooling1d", "global_max_pooling2d", "zero_padding1d", "zero_padding2d", "cropping1d", "cropping2d",
    "up_sampling1d", "up_sampling2d",
}  # fmt: skip
#: those whose gradient is not rounded either; where several gradients meet, they are added up
SUMS = {"up_sampling1d", "up_sampling2d", "max_pooling1d", "max_pooling2d", "relu", "relu6"}
UNROUNDED_BACK = UNROUNDED - SUMS | {"add", "position_embedding", "sinusoidal_positions"}
OPTIONS: dict[str, Any] = {
    "dense": {"units": 3}, "reshape": {"target_shape": (4, 5, 6)}, "permute": {"dims": (2, 1, 3)},
    "conv1d": {"filters": 3, "kernel_size": 2},
    "take": {"indices": 1}, "conv2d": {"filters": 3, "kernel_size": 2}, "conv2d_transpose": {"filters": 3, "kernel_size": 2},
    "depthwise_conv2d": {"kernel_size": 2}, "max_pooling1d": {"pool_size": 3, "strides": 2}, "max_pooling2d": {"pool_size": 2},
    "average_pooling1d": {"pool_size": 3}, "average_pooling2d": {"pool_size": 2}, "zero_padding1d": {"padding": 1},
    "zero_padding2d": {"padding": 1}, "cropping1d": {"cropping": 1}, "cropping2d": {"cropping": 1},
    "batch_normalization": {"epsilon": 1e-3, "momentum": 0.5}, "layer_normalization": {"epsilon": 1e-3},
    "group_normalization": {"epsilon": 1e-3, "groups": 2}, "instance_normalization": {"epsilon": 1e-3},
    "rms_normalization": {"epsilon": 1e-3}, "simple_rnn": {"units": 4}, "lstm": {"units": 4}, "gru": {"units": 4},
    "multi_head_attention": {"num_heads": 2},
}  # fmt: skip
MERGES = ("add", "average", "multiply", "maximum", "concatenate")


def rounding_layers() -> list[tuple[str, Layer, tuple[tuple[int, ...], ...]]]:
    """Every layer and activation that draws nothing, with shapes of its inputs: its name, itself, shapes."""
    found: list[tuple[str, Layer, tuple[tuple[int, ...], ...]]] = []
    for name, cls in family(Layer).items():
        if issubclass(cls, Composite) or cls.random or name in ("activation", "tied_dense", "embedding"):
            continue
        flat = name in (
            "conv1d",
            "simple_rnn",
            "lstm",
            "gru",
            "multi_head_attention",
            "position_embedding",
            "sinusoidal_positions",
        )
        shape = (6, 4) if flat or name.endswith("1d") else (5, 4, 6)
        found.append((name, cls(**OPTIONS.get(name, {})), (shape,) * (3 if name in MERGES else 1)))
    return found + [(name, Activation(activation=cls()), ((5, 4),)) for name, cls in family(ActivationFunction).items()]


LAYERS = rounding_layers()


@pytest.mark.parametrize(("name", "layer", "shapes"), LAYERS, ids=[name for name, _, _ in LAYERS])
def test_layers_round(name: str, layer: Layer, shapes: Any) -> None:
    """Layer by layer: two replicas of the same inputs differ, forwards, backwards and in every parameter's gradient, wherever something
    is rounded; where nothing is, they are equal to the bit."""
    ways = []
    for mode in ("replica-1", "replica-2"):
        one = alone(layer, *shapes, dtype="float32", mode=mode)
        y = one.layer.forward(*one.inputs)
        w = generator().standard_normal(y.shape).astype("float32").view(type(y))
        dx = one.layer.backward(w)
        ways.append(
            ([numpy.asarray(y)], [numpy.asarray(part) for part in (dx if isinstance(dx, tuple) else (dx,))], dict(one.gradients))
        )
    (ys, dxs, gradients), (others, other_dxs, other_gradients) = ways
    assert numpy.array_equal(ys, others) == (name in UNROUNDED)
    assert all(map(numpy.array_equal, dxs, other_dxs)) == (name in UNROUNDED_BACK)
    for short, gradient in gradients.items():
        assert not numpy.array_equal(gradient, other_gradients[short]), short


def errors(dtype: str, mode: str) -> dict[str, float]:
    """Errors of a replica of one small net."""
    layers = (Dense(units=16, activation=functions.Tanh()), Dense(units=3))
    spec, random = ProgramSpec(wired(layers, (8,)), SoftmaxCrossEntropy(), SGD(learning_rate=0.1), "integer"), generator(4)
    one = Tried(spec, state_of(spec, random, 0), [batch_of(spec, random, 20)], tried("sgd").case)
    right, found = made(one).probe(one.batch), made(one, dtype, mode).probe(one.batch)
    return {name: error(found.gradients[name], array) for name, array in right.gradients.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["replica", "sequential"])
def test_sizes(kind: str, dtype: str) -> None:
    """A replica is off by rounding's size, differs from seed to seed, and is the same again from the same seed."""
    found = [errors(dtype, f"{kind}-{seed}") for seed in range(8)]
    for sizes in found:
        assert all(size < 20 * EPS[dtype] for size in sizes.values()), sizes
        # three numbers, as of the last bias, may all hit the right float
        assert all(size > EPS[dtype] / 25 for name, size in sizes.items() if name.endswith("kernel")), sizes
    assert len({tuple(sizes.values()) for sizes in found}) == len(found)
    assert errors(dtype, f"{kind}-3") == found[3]


ROUNDED = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "exp",
    "expm1",
    "log",
    "log1p",
    "tanh",
    "sqrt",
    "power",
    "reciprocal",
    "cos",
    "sin",
)


@pytest.mark.parametrize("name", ROUNDED)
def test_rounded_operations(name: str) -> None:
    """Every rounded operation is moved by at most a unit in the last place, to both sides alike, also into a given array."""
    random, function, kind = generator(6), getattr(numpy, name), array_class("replica-1")
    plain = [numpy.asarray(random.uniform(0.5, 3, 20000), numpy.float32) for _ in range(function.nin)]
    exact, out = function(*plain), numpy.empty(20000, numpy.float32).view(kind)
    moved = function(*(array.view(kind) for array in plain), out=out)
    assert moved is out
    places = (numpy.asarray(moved, float) - exact) / numpy.spacing(abs(exact))
    assert abs(places).max() <= 1
    assert 0.1 < (places != 0).mean() < 0.6
    assert abs(places.mean()) < 5 * places.std() / numpy.sqrt(places.size)
    fresh = function(plain[0].view(kind), *plain[1:])
    assert type(fresh) is kind
    assert fresh.dtype == numpy.float32
    assert not numpy.array_equal(fresh, exact)


def test_exact_operations() -> None:
    """What numpy computes without rounding, a replica computes the same; truth values are plain; integers are left alone."""
    kind, plain = array_class("replica-1"), generator().standard_normal((4, 5))
    moved = plain.view(kind)
    for name in sorted(EXACT - {"bitwise_and", "bitwise_or", "invert"}):
        function = getattr(numpy, name)
        arguments = (plain, plain[::-1])[: function.nin]
        found = function(*(array.view(kind) for array in arguments))
        assert numpy.array_equal(found, function(*arguments)), name
        assert type(found) is (kind if found.dtype.kind == "f" else numpy.ndarray), name
    for found, right in (
        (numpy.where(moved > 0, moved, 0), numpy.where(plain > 0, plain, 0)),
        (numpy.concatenate([moved, moved]), numpy.concatenate([plain, plain])),
        (moved.max(0), plain.max(0)),
        (moved.reshape(-1), plain.reshape(-1)),
        (numpy.minimum.reduce(moved, 1), plain.min(1)),
    ):
        assert type(found) is kind
        assert numpy.array_equal(found, right)
    assert numpy.add(numpy.arange(3).view(kind), 1).tolist() == [1, 2, 3]


def test_modes() -> None:
    """A mode names a class and its seed; none is numpy's own."""
    assert array_class("") is numpy.ndarray
    modes = {"replica-3": Replica, "sequential-3": SequentialReplica}
    for mode, parent in {**modes, **{f"careful-{mode}": parent for mode, parent in modes.items()}}.items():
        assert issubclass(array_class(mode), parent)
        assert array_class(mode).careful == mode.startswith("careful")
        one, two, other = (array_class(name).random.random(3) for name in (mode, mode, mode + "1"))
        assert numpy.array_equal(one, two)
        assert not numpy.array_equal(one, other)


SHAPES = [((), ()), ((), (3,)), ((4,), ()), ((4,), (3,)), ((1,), (1,)), ((2, 4), (3,)), ((2, 4), (2, 3))]


def factors(seed: int, length: int, shapes: Any) -> tuple[Any, Any]:
    """Two arrays of whole numbers that can be contracted."""
    random = generator(seed)
    (left, right) = shapes
    a = random.integers(-50, 50, (*left, length))
    b = random.integers(-50, 50, (*right[:-1], length, *right[-1:]))
    return a.astype(numpy.float32), b.astype(numpy.float32)


@CHECKED
@given(st.sampled_from([Replica, SequentialReplica]), st.integers(0, 2**32), st.integers(1, 40), st.sampled_from(SHAPES))
def test_contractions_of_integers(parent: Any, seed: int, length: int, shapes: Any) -> None:
    """Parted, shuffled and sequential products are exact where nothing is rounded: of integers, in every shape."""
    a, b = factors(seed, length, shapes)
    kind = array_class("replica-0" if parent is Replica else "sequential-0")
    found = numpy.empty(0, numpy.float32).view(kind).contraction(a, b)
    assert numpy.array_equal(found, a @ b)
    assert numpy.asarray(found).dtype == numpy.float32
    moved = a.view(kind) @ b
    assert moved.shape == (a @ b).shape
    assert numpy.allclose(moved, a @ b, rtol=2e-7, atol=0)


@CHECKED
@given(
    st.sampled_from(["replica-0", "sequential-0"]),
    st.integers(0, 2**32),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.booleans(),
    st.data(),
)
def test_sums_of_integers(mode: str, seed: int, shape: list[int], keepdims: bool, data: Any) -> None:
    """The same of sums over any axes."""
    values = generator(seed).integers(-50, 50, shape).astype(numpy.float32)
    axes = data.draw(
        st.one_of(st.none(), st.sampled_from([-1, 0]), st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple))
    )
    found = numpy.empty(0, numpy.float32).view(array_class(mode)).total(values, axes, keepdims=keepdims)
    reduce: Any = numpy.add.reduce
    assert numpy.array_equal(found, reduce(values, axes, keepdims=keepdims))
    moved = reduce(values.view(array_class(mode)), axes, keepdims=keepdims)
    assert moved.shape == found.shape
    assert numpy.allclose(moved, found, rtol=2e-7, atol=0)


@CHECKED
@given(
    st.sampled_from(["careful-replica-0", "careful-sequential-0"]), st.sampled_from(["float32", "float64"]), st.integers(0, 2**32),
    st.integers(1, 40), st.sampled_from(SHAPES),
)  # fmt: skip
def test_careful_replicas_leave_exact_results(mode: str, dtype: str, seed: int, length: int, shapes: Any) -> None:
    """Of whole numbers: products, sums and contractions are as they are, not off by a last place."""
    a, b = (array.astype(dtype) for array in factors(seed, length, shapes))
    one, other = (array.view(array_class(mode)) for array in (a, b))
    for found, right in ((one @ other, a @ b), (one * one, a * a), (one - 3, a - 3), (one.sum(-1), a.sum(-1)), (one.sum(), a.sum())):
        assert numpy.array_equal(found, right)
        assert numpy.asarray(found).dtype == dtype


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_careful_replicas_move_the_rest(dtype: str) -> None:
    """What is rounded is moved as by any replica, number by number; what is not finite stays."""
    random, kind = generator(4), array_class("careful-replica-1")
    a, b = (random.uniform(0.5, 3, 20000).astype(dtype) for _ in range(2))
    for function in (numpy.multiply, numpy.add, numpy.divide):
        places = (numpy.asarray(function(a.view(kind), b)) - function(a, b)) / numpy.spacing(function(a, b))
        assert abs(places).max() <= 1
        assert 0.1 < (places != 0).mean() < 0.6
    a[:3] = numpy.inf, -numpy.inf, numpy.nan
    moved = a.view(kind) * numpy.asarray(0.3, dtype)
    assert numpy.array_equal(numpy.isfinite(moved), numpy.isfinite(a))
    assert moved[0] == numpy.inf and moved[1] == -numpy.inf


def test_weights_of_attention_are_computed_twice_by_some() -> None:
    """Sequential replicas take them once more for `backward`, from the logarithms of sums, as fused kernels do: the larger the scores, the
    larger the rounding, but no more than that."""
    layer = layers.MultiHeadAttention(num_heads=2)
    spec = ProgramSpec(wired((layer,), (5, 6)), MeanSquaredError(), SGD(learning_rate=0.5), "value")
    random = generator(7)
    state, batch = state_of(spec, random, 0), batch_of(spec, random, 8)
    name = next(parameter.name for parameter in spec.parameters if parameter.name.endswith("value_kernel"))
    found = {}
    for size in (1.0, 8.0):
        given_batch = dataclasses.replace(batch, inputs=batch.inputs * numpy.float32(size))
        right = probed(spec, "float64", "", state, given_batch)[name]
        for mode in ("replica-1", "sequential-1"):
            found[mode, size] = error(probed(spec, "float32", mode, state, given_batch)[name], right)
    assert found["sequential-1", 8.0] > 3 * found["sequential-1", 1.0]
    assert found["sequential-1", 8.0] > 2 * found["replica-1", 8.0]
    assert max(found.values()) < 1e-4


def probed(spec: ProgramSpec, dtype: str, mode: str, state: Any, batch: Any) -> Any:
    """The gradients of one batch."""
    program = Program(spec, dtype, "cpu", mode)
    program.load(state)
    return program.probe(batch).gradients


@pytest.mark.parametrize("shapes", list(itertools.product([(), (1,), (3,)], [(), (1,), (2,)])))
def test_sequential_products(shapes: Any) -> None:
    """Sequential sums add one term after the other: ones behind 2^24 are all lost in float32, in every shape of a product."""
    a, b = numpy.ones((*shapes[0], 1001), numpy.float32), numpy.ones((1001, *shapes[1]), numpy.float32)
    a[..., 0] = 2**24
    array = numpy.empty(0, numpy.float32).view(array_class("sequential-0"))
    assert numpy.all(array.contract(a, b) == 2**24)
    assert numpy.all(numpy.empty(0, numpy.float32).view(array_class("replica-0")).contract(a, b) > 2**24)
    assert array.add_up(a.T).tolist() == numpy.full(a.shape[:-1], 2.0**24).tolist()


def test_long_sequential_products() -> None:
    """Sums of any length add one term after the other where the product is small: here a batch of 40 000 rows, as XLA and PyTorch sum the
    gradient of a small kernel. In parts, ones behind 2^24 would add up."""
    a, b = numpy.ones((3, 40_000), numpy.float32), numpy.ones((40_000, 2), numpy.float32)
    a[:, 0] = 2**24
    assert numpy.all(numpy.empty(0, numpy.float32).view(array_class("sequential-0")).contract(a, b) == 2**24)


def test_orders_differ() -> None:
    """A sum's terms are taken in another order each time, by sequential replicas as they stand or back: in float32, a large one hides
    small ones that come after it."""
    values, ones = numpy.ones(400, numpy.float32), numpy.ones(400, numpy.float32)
    values[0] = 2**24
    orders = [tuple(numpy.empty(0, numpy.float32).view(array_class("replica-0")).order(9)) for _ in range(2)]
    assert orders[0] == orders[1] and len(set(orders[0])) == 9
    shuffled, array = (numpy.empty(0, numpy.float32).view(array_class(mode)) for mode in ("replica-0", "sequential-0"))
    assert len({tuple(shuffled.order(9)) for _ in range(20)}) > 10
    for found in (
        {float(array.total(values, 0)) for _ in range(20)},
        {float(array.contraction(values, ones)) for _ in range(20)},
    ):
        assert found == {2.0**24, 2.0**24 + 400}


def test_layers_of_every_type_are_tried() -> None:
    """Nothing is left out of `test_layers_round` but what draws or reads whole numbers."""
    left = {"activation", "tied_dense", "embedding", "dropout", "spatial_dropout", "gaussian_noise"}
    elementary = {name for name, cls in family(Layer).items() if not issubclass(cls, Composite)}
    assert {name for name, _, _ in LAYERS} == (elementary - left) | set(family(ActivationFunction))


def test_replicas_take_the_batch_at_once() -> None:
    """A convolution's sums over a batch are as long in a replica as in a framework; the reference works through a few samples."""
    for mode, least, most in (("replica-1", 64, 4096), ("", 1, 8)):
        like = numpy.zeros(1, numpy.float32).view(array_class(mode))
        assert least <= block_size(2**17, like) <= most
