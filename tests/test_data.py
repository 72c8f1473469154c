"""Data and everything random: the same draws for ever, of the right distribution, independent of each other; rows that are split,
scaled and encoded once; the user's files in three formats, and what is wrong with them said where it is."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from pyarrow import parquet
from scipy import stats

from harness.data import draw, files
from harness.data.facts import data_facts, train_rows
from harness.data.plan import batch_order, drawn
from harness.data.prepare import Prepared, split
from harness.data.prepare import prepare as prepare_rows
from harness.errors import UsageError
from harness.interface import load_arrays, save_arrays
from harness.spec import (
    SGD,
    Compare,
    Data,
    Dense,
    Dropout,
    Experiment,
    Facts,
    Model,
    Parameter,
    ProgramSpec,
    SpecProblem,
    Train,
    family,
    input_shape,
    known_facts,
    steps_per_epoch,
    total_steps,
)
from harness.spec import datasets as kinds
from harness.spec import initializers as starts
from harness.spec import losses as loss_kinds
from harness.spec.graph import wired
from harness.spec.layers import LSTM, Conv2D, Embedding, GaussianNoise, SpatialDropout
from harness.worker.task import Task

NOWHERE = Path()


def prepare(spec: Data, encoding: str, seed: int, folder: Path, loss: Any = None) -> Prepared:
    """The rows of a program that reads them, its targets in an encoding."""
    facts = data_facts(spec, folder)
    layers = (Embedding(input_dim=facts.integers or 1, output_dim=2),) if spec.integer_inputs else ()
    width = (facts.classes or 1) if encoding in ("integer", "one_hot") else 1
    nodes = wired((*layers, Dense(units=width)), input_shape(spec, facts))
    weighted = facts.weighted or getattr(loss, "class_weights", None) is not None
    program = ProgramSpec(nodes, loss or loss_kinds.MeanSquaredError(), SGD(learning_rate=0.1), encoding, weighted=weighted)
    return prepare_rows(spec, program, seed, folder)


CHECKED = settings(max_examples=60, deadline=None, derandomize=True)

# draws ----------------------------------------------------------------------------------------------------------------------

SHAPE = (2, 3)
RANDOM: dict[str, starts.Initializer] = {
    "glorot_uniform": starts.GlorotUniform(),
    "glorot_normal": starts.GlorotNormal(),
    "he_uniform": starts.HeUniform(),
    "he_normal": starts.HeNormal(),
    "lecun_uniform": starts.LecunUniform(),
    "lecun_normal": starts.LecunNormal(),
    "random_uniform": starts.RandomUniform(minval=-1.0, maxval=3.0),
    "random_normal": starts.RandomNormal(mean=2.0, stddev=0.5),
    "orthogonal": starts.Orthogonal(gain=2.0),
}
#: first two weights of seed 7; other numbers are other experiments, and have to be announced in CHANGELOG.md
COMMITTED = {
    "glorot_uniform": [-0.202217996, -0.459317684],
    "glorot_normal": [-0.160093516, -0.377273828],
    "he_uniform": [-0.319734722, -0.726244986],
    "he_normal": [-0.253130078, -0.596522272],
    "lecun_uniform": [-0.226086587, -0.513532758],
    "lecun_normal": [-0.178989992, -0.421804965],
    "random_uniform": [0.630802155, 0.161404505],
    "random_normal": [1.883268, 1.72382033],
    "orthogonal": [-0.763452828, 0.0373623185],
}


def test_committed_weights() -> None:
    """Every initializer that draws gives the committed weights; the last digit is left to the system's log and exp."""
    assert {*RANDOM, "zeros", "ones", "array"} == set(family(starts.Initializer))
    for name, start in RANDOM.items():
        drawn = draw.weights(7, Parameter("dense_1/kernel", SHAPE, start))
        assert drawn.dtype == numpy.float32
        assert numpy.allclose(drawn.ravel()[:2], COMMITTED[name], rtol=1e-7), name


def test_committed_draws() -> None:
    """Bits, orders, masks, splits and generated rows are the committed ones."""
    assert draw.bits(7, "weights/dense_1/kernel", 2).tolist() == [0x685F0FEE0E97AC7C, 0x4A547389E2EE9487]
    assert draw.bits(7, "order", 2, step=3).tolist() == [0xE969B758A8E03128, 0xD92E9A6E501750C0]
    assert draw.permutation(7, "order", 8, step=3).tolist() == [5, 2, 4, 6, 7, 3, 1, 0]
    assert draw.kept(7, "dropout_1", (2, 6), 0.5, 3).astype(int).tolist() == [[0, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 1]]
    assert draw.uniform(7, "a", (2,)).tolist() == [0.8198417863123317, 0.4966350006013385]
    assert [rows.tolist() for rows in split(kinds.Iris(test_fraction=0.3), 10, 7)] == [[9, 3, 2], [4, 7, 8, 1, 6, 5, 0]]
    points = {
        kinds.Moons(rows=3): [1.90036297, -0.00678505655],
        kinds.Spirals(rows=3): [0.0317609049, 0.784823895],
        kinds.Blobs(rows=3): [-1.09415936, 1.75608623],
    }
    for spec, point in points.items():
        assert numpy.allclose(prepare(spec, "integer", 7, NOWHERE).train_inputs[1], point, rtol=1e-6), spec.type
    assert numpy.allclose(prepare(kinds.Line(rows=3), "value", 7, NOWHERE).train_targets[1], 0.595531523, rtol=1e-6)
    ready = prepare(kinds.Random(rows=3), "value", 7, NOWHERE)
    assert numpy.allclose([ready.train_inputs[1], ready.train_targets[1]], [[1.37770184], [-1.20698977]], rtol=1e-6)


def philox(key: list[int], counter: list[int]) -> list[int]:
    """One block of Philox4x64-10 as its paper has it (Salmon et al. 2011)."""
    word = 2**64 - 1
    for turn in range(10):
        k0, k1 = ((key[i] + turn * weyl) & word for i, weyl in enumerate((0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)))
        one, two = counter[0] * 0xD2E7470EE14C6C93, counter[2] * 0xCA5A826395121157
        counter = [(two >> 64) ^ counter[1] ^ k0, two & word, (one >> 64) ^ counter[3] ^ k1, one & word]
    return counter


@CHECKED
@given(st.integers(0, 2**64 - 1), st.text(max_size=20), st.integers(0, 2**40))
def test_bits_are_philox(seed: int, purpose: str, step: int) -> None:
    """Bits are Philox of (seed, purpose) at counter (block, 0, 0, step), whatever the numbers: none goes through a float."""
    key = [seed, int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")]
    expected = philox(key, [1, 0, 0, step]) + philox(key, [2, 0, 0, step])
    assert draw.bits(seed, purpose, 8, step).tolist() == expected


def test_draws_are_independent() -> None:
    """Streams of other seeds, purposes and steps have nothing in common; a longer draw begins with the shorter one."""
    first = draw.uniform(7, "mask/dropout_1", (20000,), 0)
    assert numpy.array_equal(draw.uniform(7, "mask/dropout_1", (100,), 0), first[:100])
    others = [
        draw.uniform(7, "mask/dropout_1", (20000,), 1), draw.uniform(7, "mask/dropout_2", (20000,), 0),
        draw.uniform(8, "mask/dropout_1", (20000,), 0), draw.uniform(2**53, "weights/dense_1/kernel", (20000,)),
        draw.uniform(2**53 + 1, "weights/dense_1/kernel", (20000,)),
    ]  # fmt: skip
    streams = numpy.stack([first, *others])
    correlation = numpy.corrcoef(streams) - numpy.eye(len(streams))
    assert abs(correlation).max() < 4.5 / math.sqrt(20000)
    assert len(numpy.unique(streams)) == streams.size
    assert streams.min() > 0
    assert streams.max() < 1


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", [(200, 300), (400, 50)])
def test_distributions(name: str, shape: tuple[int, int]) -> None:
    """Weights have the mean, variance, bounds and shape that their initializer promises (Kolmogorov-Smirnov)."""
    inputs, outputs = shape
    fans = {"glorot": 2 / (inputs + outputs), "he": 2 / inputs, "lecun": 1 / inputs}
    start, drawn = RANDOM[name], draw.weights(3, Parameter("dense_1/kernel", shape, RANDOM[name])).astype(float).ravel()
    if isinstance(start, starts.RandomUniform):
        law = stats.uniform(-1, 4)
    elif isinstance(start, starts.RandomNormal):
        law = stats.norm(2, 0.5)
    elif isinstance(start, starts.Orthogonal):
        law = stats.norm(0, start.gain / math.sqrt(max(shape)))
    elif name.endswith("uniform"):
        bound = math.sqrt(3 * fans[name.split("_", maxsplit=1)[0]])
        law = stats.uniform(-bound, 2 * bound)
    else:
        cut = stats.truncnorm(-2, 2)
        law = stats.truncnorm(-2, 2, scale=math.sqrt(fans[name.split("_", maxsplit=1)[0]]) / cut.std())
    assert abs(drawn.mean() - law.mean()) < 4.5 * law.std() / math.sqrt(drawn.size)
    assert abs(drawn.var() / law.var() - 1) < 0.02
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4
    low, high = law.support()
    assert low - 1e-7 <= drawn.min()
    assert drawn.max() <= high + 1e-7


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 4), (1, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    """Rows or columns, whichever are fewer, have the length of the gain and stand at right angles; all axes but the last count as one."""
    drawn = draw.weights(3, Parameter("lstm_1/recurrent_kernel", shape, starts.Orthogonal(gain=2.0))).astype(float)
    matrix = drawn.reshape(-1, shape[-1])
    few = matrix if len(matrix) <= shape[-1] else matrix.T
    assert drawn.shape == shape
    assert numpy.allclose(few @ few.T, 4 * numpy.eye(len(few)), atol=1e-6)


def test_given_weights() -> None:
    """Zeros, ones, and values that an experiment names; of the wrong shape they are refused by name."""
    values = ((1.0, 2.0, 3.0), (4.0, 5.0, 0.1))
    assert not draw.weights(0, Parameter("b", (3,), starts.Zeros())).any()
    assert (draw.weights(0, Parameter("b", (3,), starts.Ones())) == 1).all()
    assert numpy.array_equal(
        draw.weights(0, Parameter("k", SHAPE, starts.Array(values=values))), numpy.array(values, numpy.float32)
    )
    with pytest.raises(UsageError, match=r"dense_1/kernel has shape \(2, 3\); it needs \(3, 2\)"):
        draw.weights(0, Parameter("dense_1/kernel", (3, 2), starts.Array(values=values)))


@CHECKED
@given(st.integers(0, 200), st.integers(0, 2**64 - 1), st.integers(0, 1000))
def test_permutations(count: int, seed: int, step: int) -> None:
    """A permutation holds every row once."""
    assert sorted(draw.permutation(seed, "order", count, step)) == list(range(count))


def test_permutations_are_fair() -> None:
    """Each of the 24 orders of four rows comes up equally often (chi square)."""
    seen = [tuple(draw.permutation(0, "order", 4, step)) for step in range(4800)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_mask_rate(rate: float) -> None:
    """A mask drops the share `rate`; none at rate zero; the mean of a scaled mask is one."""
    kept = draw.kept(5, "dropout_1", (400, 250), rate, 11)
    assert abs((~kept).mean() - rate) <= 4.5 * math.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() * Dropout(rate=rate).scale - 1) < 0.03


def test_masks_arrive_as_drawn(tmp_path: Path) -> None:
    """Masks that are packed into bits come out of a worker's task as they were drawn, scaled, in float32."""
    layers = (Dense(units=5), Dropout(rate=0.5), Dense(units=3), Dropout(rate=0.25))
    spec = ProgramSpec(wired(layers, (4,)), loss_kinds.MeanSquaredError(), SGD(learning_rate=0.1), "value")
    bits = drawn(spec, 9, 3, 6)
    assert {name: packed.shape for name, packed in bits.items()} == {"dropout_1": (6, 2), "dropout_2": (6, 2)}
    rows = {name: numpy.zeros((3, 1)) for name in ("train_inputs", "train_targets", "test_inputs", "test_targets")}
    order = numpy.zeros((6, 3), numpy.int32)
    save_arrays(tmp_path / "data.npz", {**rows, "order": order, **{f"masks/{name}": packed for name, packed in bits.items()}})
    task = Task(tmp_path / "data.npz", spec)
    for step in range(6):
        for node, rate in (("dropout_1", 0.5), ("dropout_2", 0.25)):
            width = 5 if node == "dropout_1" else 3
            mask = task.masks(step)[node]
            assert mask.dtype == numpy.float32
            wanted = draw.kept(9, node, (3, width), rate, step) * numpy.float32(Dropout(rate=rate).scale)
            assert numpy.array_equal(mask, wanted)


def test_noise_and_channel_masks_arrive_as_drawn(tmp_path: Path) -> None:
    """Noise comes as it is drawn, with its deviation; spatial dropout has one number for each sample and channel."""
    layers = (GaussianNoise(stddev=0.5), SpatialDropout(rate=0.5), Dense(units=1))
    spec = ProgramSpec(wired(layers, (4, 2)), loss_kinds.MeanSquaredError(), SGD(learning_rate=0.1), "value")
    arrays = drawn(spec, 9, 50, 3)
    assert arrays["gaussian_noise_1"].shape == (3, 50, 4, 2)
    assert arrays["gaussian_noise_1"].dtype == numpy.float32
    assert abs(arrays["gaussian_noise_1"].std() - 0.5) < 0.05
    rows = {name: numpy.zeros((50, 1)) for name in ("train_inputs", "train_targets", "test_inputs", "test_targets")}
    order = numpy.zeros((3, 50), numpy.int32)
    save_arrays(tmp_path / "data.npz", {**rows, "order": order, **{f"masks/{name}": array for name, array in arrays.items()}})
    masks = Task(tmp_path / "data.npz", spec).masks(2)
    assert numpy.array_equal(masks["gaussian_noise_1"], arrays["gaussian_noise_1"][2])
    assert masks["spatial_dropout_1"].shape == (50, 1, 2)
    assert set(numpy.unique(masks["spatial_dropout_1"])) == {0, 2}


def test_fans_of_convolutions_count_the_window() -> None:
    """A 3x3 kernel over 4 channels has 36 inputs and 9 x 8 outputs; a group's fan is its own; a forget gate's bias starts at 1."""
    (kernel, _) = wired((Conv2D(filters=8, kernel_size=3, groups=2, kernel_initializer=starts.GlorotUniform()),), (5, 5, 8))[
        0
    ].parameters
    assert kernel.fans == (36, 36)
    limit = math.sqrt(6 / 72)
    values = draw.weights(3, kernel)
    assert limit * 0.9 < abs(values).max() <= limit
    bias = wired((LSTM(units=3, unit_forget_bias=True),), (4, 2))[0].parameters[-1]
    assert draw.weights(3, bias).tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


# orders of rows -------------------------------------------------------------------------------------------------------------


def experiment(size: int | str, epochs: int = 1, steps: int | None = None, shuffle: bool = True, seed: int = 3) -> Experiment:
    """An experiment of which only the order of rows matters."""
    loss, optimizer = loss_kinds.MeanSquaredError(), SGD(learning_rate=0.1)
    train = Train(loss, optimizer, size, None if steps else epochs, steps, shuffle)
    return Experiment("test", kinds.Line(), Model((Dense(units=1),)), train, Compare(seed=seed))


@CHECKED
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 4), st.booleans())
def test_orders(rows: int, size: int, epochs: int, shuffle: bool) -> None:
    """Every row stands at most once in an epoch, and less than a batch of them not at all; epochs differ; a shorter run's
    order is the start of a longer one's."""
    if size > rows:
        with pytest.raises(SpecProblem, match=f"a batch of {size} rows is more than the {rows} training rows"):
            steps_per_epoch(experiment(size), rows)
        return
    tried = experiment(size, epochs, shuffle=shuffle)
    steps = total_steps(tried, rows)
    order = batch_order(tried, rows, steps)
    assert order.shape == (epochs * (rows // size), size)
    assert order.dtype == numpy.int32
    by_epoch = order.reshape(epochs, -1)
    for epoch in by_epoch:
        assert len(set(epoch)) == len(epoch) > rows - size
        assert set(epoch) <= set(range(rows))
        assert shuffle or list(epoch) == list(range(len(epoch)))
    assert not shuffle or rows < 8 or epochs == 1 or not numpy.array_equal(by_epoch[0], by_epoch[1])
    assert numpy.array_equal(batch_order(tried, rows, steps - 1 or 1), order[: steps - 1 or 1])


def test_full_batches_keep_their_order() -> None:
    """A full batch is every row in its first order, in each step."""
    tried = experiment("full", steps=3)
    assert total_steps(tried, 5) == 3
    assert batch_order(tried, 5, 3).tolist() == [[0, 1, 2, 3, 4]] * 3
    assert steps_per_epoch(tried, 5) == 1


# preparation ----------------------------------------------------------------------------------------------------------------


@CHECKED
@given(st.integers(2, 500), st.floats(0, 0.99), st.integers(0, 2**32))
def test_splits(rows: int, fraction: float, seed: int) -> None:
    """Test and training rows are disjoint and all; at least one is for training; as many as was foreseen."""
    spec = kinds.Moons(rows=rows, test_fraction=fraction)
    test, train = split(spec, rows, seed)
    assert sorted([*test, *train]) == list(range(rows))
    assert len(train) == train_rows(spec, data_facts(spec, NOWHERE)) > 0
    assert abs(len(test) - rows * fraction) < 1.001
    assert len(test) or list(train) == list(range(rows))


def test_split_of_tenths() -> None:
    """0.7 of ten rows are seven, though float32's 0.7 is less than 0.7."""
    for rows in (10, 20, 100, 1000):
        for tenths in range(10):
            assert len(split(kinds.Iris(test_fraction=tenths / 10), rows, 0)[0]) == rows * tenths // 10


def test_standardisation_uses_training_rows_only() -> None:
    """Training rows get mean 0 and deviation 1, with numbers that the test rows had no part in."""
    plain = prepare(kinds.Wine(test_fraction=0.3), "integer", 4, NOWHERE)
    ready = prepare(kinds.Wine(test_fraction=0.3, standardize=True), "integer", 4, NOWHERE)
    assert abs(ready.train_inputs.mean(axis=0)).max() < 1e-6
    assert abs(ready.train_inputs.std(axis=0) - 1).max() < 1e-6
    assert abs(ready.test_inputs.mean(axis=0)).max() > 0.01
    wanted = (plain.test_inputs - plain.train_inputs.mean(axis=0, dtype=float)) / plain.train_inputs.std(axis=0, dtype=float)
    assert numpy.allclose(ready.test_inputs, wanted, atol=1e-5)


def test_standardised_targets_and_constants(tmp_path: Path) -> None:
    """Targets of a regression are standardised too where it is asked for; a constant column becomes zeros, not NaN."""
    ready = prepare(kinds.Diabetes(standardize_targets=True, test_fraction=0.2), "value", 4, NOWHERE)
    assert abs(ready.train_targets.mean()) < 1e-6
    assert abs(ready.train_targets.std() - 1) < 1e-6
    (tmp_path / "a.csv").write_text("x,c,y\n1,5,0\n2,5,1\n3,5,0\n")
    constant = prepare(kinds.CSV(path="a.csv", target="y", standardize=True), "integer", 0, tmp_path)
    assert constant.train_inputs[:, 1].tolist() == [0, 0, 0]


def test_scale_and_shape() -> None:
    """Inputs are divided by `scale` and take `shape`, row by row."""
    ready = prepare(kinds.Digits(scale=16.0, shape=(8, 8, 1)), "integer", 0, NOWHERE)
    flat = prepare(kinds.Digits(), "integer", 0, NOWHERE)
    assert ready.train_inputs.shape == (1797, 8, 8, 1)
    assert ready.train_inputs.max() == 1
    assert numpy.array_equal(ready.train_inputs.reshape(1797, 64) * 16, flat.train_inputs)
    with pytest.raises(SpecProblem, match="has 63 values, the data have 64 a row"):
        data_facts(kinds.Digits(shape=(7, 9)), NOWHERE)


def test_encodings() -> None:
    """Classes as integers, one-hot, bits and signs, two classes and more; values as they are."""

    def targets(spec: Data, encoding: str) -> Any:
        return prepare(spec, encoding, 0, NOWHERE).train_targets

    three, two = kinds.Blobs(rows=6, classes=3), kinds.Xor()
    classes = targets(three, "integer")
    assert classes.tolist() == [0, 1, 2, 0, 1, 2]
    assert classes.dtype == numpy.int64
    assert targets(three, "one_hot").tolist() == numpy.eye(3)[classes].tolist()
    assert targets(three, "sign").tolist() == (2 * numpy.eye(3)[classes] - 1).tolist()
    assert targets(two, "integer").tolist() == [0, 1, 1, 0]
    assert targets(two, "binary").tolist() == [[0], [1], [1], [0]]
    assert targets(two, "one_hot").tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    assert targets(two, "sign").tolist() == [[-1], [1], [1], [-1]]
    values = targets(kinds.Line(rows=3, noise=0.0), "value")
    assert values.tolist() == [[-1.5], [0.5], [2.5]]
    for encoding in ("one_hot", "sign"):
        assert targets(three, encoding).dtype == numpy.float32


def test_gates() -> None:
    """The truth tables."""
    found = {
        name: prepare(spec, "integer", 0, NOWHERE)
        for name, spec in {"and": kinds.And(), "or": kinds.Or(), "xor": kinds.Xor()}.items()
    }
    assert {name: rows.train_targets.tolist() for name, rows in found.items()} == {
        "and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]
    }  # fmt: skip
    assert found["xor"].train_inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert prepare(kinds.Xor(and_input=True, repeat=2), "integer", 0, NOWHERE).train_inputs.tolist() == [
        [0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]
    ] * 2  # fmt: skip


# every data set -------------------------------------------------------------------------------------------------------------

TABLE = "a,b,y\n0.1,2,0\n0.25,-3,1\n1e-3,4.5,1\n7,0,0\n"


def write(folder: Path, name: str = "rows") -> None:
    """The same four rows as CSV, NPZ and Parquet."""
    a, b, y = [0.1, 0.25, 1e-3, 7.0], [2.0, -3.0, 4.5, 0.0], [0, 1, 1, 0]
    (folder / f"{name}.csv").write_text(TABLE)
    numpy.savez(folder / f"{name}.npz", x=numpy.stack([a, b], axis=1), y=numpy.array(y))
    parquet.write_table(pyarrow.table({"a": a, "b": b, "y": y}), folder / f"{name}.parquet")


def every_dataset() -> dict[str, Data]:
    """One of each type."""
    given: dict[str, dict[str, Any]] = {
        "csv": {"path": "rows.csv", "target": "y"},
        "parquet": {"path": "rows.parquet", "target": "y"},
        "npz": {"path": "rows.npz"},
        "text": {"path": "rows.csv", "length": 5},
    }
    return {name: cls(**given.get(name, {})) for name, cls in family(Data).items()}


@pytest.mark.parametrize("name", sorted(every_dataset()))
def test_every_dataset(name: str, tmp_path: Path) -> None:
    """Every data set loads, has the rows, features and classes that it declares, and only finite float32 inputs; the same seed
    gives the same rows."""
    write(tmp_path)
    spec = every_dataset()[name]
    facts = data_facts(spec, tmp_path)
    encoding = "value" if facts.classes is None else "integer"
    found, again = (prepare(spec, encoding, 5, tmp_path) for _ in range(2))
    assert found.train_inputs.shape == (facts.rows, *input_shape(spec, facts))
    assert math.prod(found.train_inputs.shape[1:]) == facts.features
    assert found.train_inputs.dtype == (numpy.int64 if spec.integer_inputs else numpy.float32)
    assert numpy.isfinite(found.train_inputs).all()
    assert same(found, again)
    if facts.classes is None:
        assert found.train_targets.shape == (facts.rows, facts.outputs)
    else:
        assert found.train_targets.shape == (facts.rows, *facts.steps)
        assert set(found.train_targets.flat) <= set(range(facts.classes))
        assert found.train_targets.max() == facts.classes - 1
    assert name in ("csv", "parquet", "npz", "text") or known_facts(spec) == facts


@pytest.mark.parametrize(
    "spec", [kinds.Spirals(classes=4, rows=50), kinds.Blobs(classes=5, rows=50), kinds.Or(repeat=3), kinds.Line(rows=9)]
)
def test_declared_facts_follow_parameters(spec: Data) -> None:
    """Facts that depend on parameters are those of the rows that are made."""
    facts = known_facts(spec)
    rows = prepare(spec, "value" if spec.type == "line" else "integer", 0, NOWHERE)
    assert facts is not None
    assert rows.train_inputs.shape == (facts.rows, facts.features)
    assert facts.classes is None or len(set(rows.train_targets)) == facts.classes


def test_sample_weights_and_class_weights(tmp_path: Path) -> None:
    """A column of weights, weights of classes, and both, which are multiplied."""
    (tmp_path / "a.csv").write_text("x,w,y\n1,0.5,0\n2,1,1\n3,2,1\n")
    spec = kinds.CSV(path="a.csv", target="y", sample_weight="w")
    ready = prepare(spec, "integer", 0, tmp_path)
    assert ready.train_weights.tolist() == [0.5, 1, 2]
    assert ready.train_inputs.tolist() == [[1], [2], [3]]
    loss = loss_kinds.SoftmaxCrossEntropy(class_weights=(2.0, 3.0))
    assert prepare(spec, "integer", 0, tmp_path, loss).train_weights.tolist() == [1, 3, 6]
    bare = kinds.CSV(path="a.csv", target="y", inputs=("x",))
    assert prepare(bare, "integer", 0, tmp_path, loss).train_weights.tolist() == [2, 3, 3]
    assert prepare(bare, "integer", 0, tmp_path).train_weights is None
    (tmp_path / "a.csv").write_text("x,w,y\n1,-1,0\n2,1,1\n3,2,1\n")
    check(lambda: prepare(spec, "integer", 0, tmp_path), ("data", "sample_weight"), "negative sample weights")
    missing = kinds.CSV(path="a.csv", target="y", sample_weight="v")
    check(lambda: prepare(missing, "integer", 0, tmp_path), ("data", "sample_weight"), 'has no column "v"')


def test_text(tmp_path: Path) -> None:
    """Letters in the order of their code points, each with the one behind it."""
    (tmp_path / "a.txt").write_text("abacab")
    ready = prepare(kinds.Text(path="a.txt", length=2), "integer", 0, tmp_path)
    assert ready.train_inputs.tolist() == [[0, 1], [0, 2]]
    assert ready.train_targets.tolist() == [[1, 0], [2, 0]]
    assert len(prepare(kinds.Text(path="a.txt", length=2, stride=1), "integer", 0, tmp_path).train_inputs) == 4
    (tmp_path / "a.txt").write_text("ab")
    check(
        lambda: prepare(kinds.Text(path="a.txt", length=2), "integer", 0, tmp_path),
        ("data", "path"),
        "do not make one piece of 2",
    )


def test_whole_numbers_and_the_inputs_as_targets(tmp_path: Path) -> None:
    """Grey values as words, which cannot be scaled; an autoencoder's targets are its inputs; classes of steps."""
    ready = prepare(kinds.Digits(integer_inputs=True), "integer", 0, NOWHERE)
    assert ready.train_inputs.dtype == numpy.int64
    assert ready.train_inputs.max() == 16
    for wrong in (
        kinds.Digits(integer_inputs=True, scale=16.0),
        kinds.Digits(integer_inputs=True, standardize=True),
        kinds.Iris(integer_inputs=True),
    ):
        with pytest.raises(SpecProblem, match="the inputs cannot be whole numbers"):
            data_facts(wrong, NOWHERE)
    own = prepare(kinds.Digits(shape=(8, 8, 1), scale=16.0, targets="inputs"), "value", 0, NOWHERE)
    assert numpy.array_equal(own.train_inputs, own.train_targets)
    numpy.savez(tmp_path / "steps.npz", x=numpy.zeros((4, 3)), y=numpy.array([[0, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1]]))
    assert data_facts(kinds.NPZ(path="steps.npz"), tmp_path).steps == (3,)


def test_random_rows() -> None:
    """Of any shape: values or classes for each step, whole numbers below a limit, sample weights; standard normal, or all equally likely.
    A class that no row has still counts."""
    values = prepare(kinds.Random(rows=4000, shape=(3, 2)), "value", 5, NOWHERE)
    for numbers in (values.train_inputs, values.train_targets):
        assert stats.kstest(numbers.ravel(), stats.norm.cdf).pvalue > 1e-4
    classes = prepare(kinds.Random(rows=4000, classes=3, weighted=True), "integer", 5, NOWHERE)
    assert stats.chisquare(numpy.bincount(classes.train_targets)).pvalue > 1e-4
    assert stats.kstest(classes.train_weights, stats.uniform(0, 2).cdf).pvalue > 1e-4
    facts = known_facts(kinds.Random(rows=4, shape=(5,), integer_inputs=True, below=7, target_shape=(5, 2)))
    assert facts == Facts(4, 5, None, 2, (5,), 7, False, (5,))
    words = kinds.Random(rows=4000, integer_inputs=True, below=7, classes=9, target_shape=(6,))
    ready = prepare(words, "integer", 5, NOWHERE)
    assert ready.train_targets.shape == (4000, 6)
    assert sorted(set(ready.train_inputs.ravel().tolist())) == list(range(7))
    assert prepare(kinds.Random(rows=1, classes=5), "one_hot", 5, NOWHERE).train_targets.shape == (1, 5)


def test_generated_rows_depend_on_the_seed() -> None:
    """Another seed gives other points; without noise moons lie on their circles."""
    one, two = (prepare(kinds.Moons(), "integer", seed, NOWHERE) for seed in (1, 2))
    assert not numpy.array_equal(one.train_inputs, two.train_inputs)
    bare = prepare(kinds.Moons(noise=0.0), "integer", 1, NOWHERE)
    centres = numpy.where(bare.train_targets[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    assert abs(numpy.linalg.norm(bare.train_inputs - centres, axis=1) - 1).max() < 1e-6


def same(left: Prepared, right: Prepared) -> bool:
    """Whether prepared rows are equal to the bit."""
    return all(numpy.array_equal(left.arrays()[name], right.arrays()[name]) for name in left.arrays())


# files ----------------------------------------------------------------------------------------------------------------------


def test_formats_agree(tmp_path: Path) -> None:
    """The same rows from CSV, NPZ and Parquet are the same arrays, to the bit, through every preparation."""
    write(tmp_path)
    preparations: list[dict[str, Any]] = [{}, {"standardize": True, "test_fraction": 0.25}]
    for options in preparations:
        text, table = (
            prepare(cls(path=f"rows.{cls.type}", target="y", **options), "integer", 2, tmp_path)
            for cls in (kinds.CSV, kinds.Parquet)
        )
        archive = prepare(kinds.NPZ(path="rows.npz", **options), "integer", 2, tmp_path)
        assert same(text, table)
        assert same(text, archive)


def test_regression_with_several_targets(tmp_path: Path) -> None:
    """Named inputs in their order; several targets, for a regression."""
    write(tmp_path)
    spec = kinds.CSV(path="rows.csv", target=("y", "a"), task="regression")
    rows = files.load(spec, tmp_path)
    assert rows.inputs.ravel().tolist() == [2, -3, 4.5, 0]
    assert rows.targets.tolist() == [[0, 0.1], [1, 0.25], [1, 1e-3], [0, 7]]
    assert data_facts(spec, tmp_path) == Facts(4, 1, None, 2)
    turned = files.load(kinds.CSV(path="rows.csv", target="y", inputs=("b", "a")), tmp_path)
    assert turned.inputs[0].tolist() == [2, 0.1]


def test_labels_of_any_kind(tmp_path: Path) -> None:
    """Classes may be text, or any numbers; they count from 0 in sorted order, numbers as numbers."""
    (tmp_path / "a.csv").write_text("x,y\n1,dog\n2,cat\n3,dog\n4,cat\n")
    (tmp_path / "b.csv").write_text("\ufeffx,y\n1,10\n2,9\n3,10\n4,9\n\n")
    assert files.load(kinds.CSV(path="a.csv", target="y"), tmp_path).targets.tolist() == [1, 0, 1, 0]
    assert files.load(kinds.CSV(path="b.csv", target="y"), tmp_path).targets.tolist() == [1, 0, 1, 0]
    for labels in (["dog", "cat", "dog", "cat"], [2, -1, 2, -1], [True, False, True, False], [[2], [1], [2], [1]]):
        numpy.savez(tmp_path / "a.npz", x=numpy.ones((4, 1)), y=numpy.array(labels))
        assert files.load(kinds.NPZ(path="a.npz"), tmp_path).targets.tolist() == [1, 0, 1, 0]


TextCase = tuple[str, dict[str, Any], tuple[str, ...], str]
#: text of a CSV file, what the experiment says besides, the place that is blamed, what the message and its hint say
TEXTS: dict[str, TextCase] = {
    "empty": ("", {}, ("data", "path"), "it is empty"),
    "no rows": ("x,y\n", {}, ("data", "path"), "has no rows"),
    "text": ("x,y\n1,0\nfoo,1\n", {}, ("data", "path"), "column \"x\" holds 'foo', which is no number"),
    "no value": ("x,y\n1,0\n,1\n", {}, ("data", "path"), "column \"x\" holds '', which is no number"),
    "nan": ("x,y\n1,0\nnan,1\n", {}, ("data", "path"), "values that are no finite numbers.*fill or drop"),
    "infinite": ("x,y\n1,0\n1e999,1\n", {}, ("data", "path"), "values that are no finite numbers"),
    "ragged": ("x,y\n1,0\n2\n", {}, ("data", "path"), "row 3 has 1 values, the header 2"),
    "twice": ("x,x,y\n1,2,0\n", {}, ("data", "path"), 'two columns are called "x"'),
    "only a target": ("y\n1\n", {}, ("data", "path"), "no column beside the target"),
    "no target": ("x,z\n1,0\n", {}, ("data", "target"), 'no column "y".*it has x, z'),
    "no input": ("x,y\n1,0\n", {"inputs": ("q",)}, ("data", "inputs"), 'no column "q".*it has x, y'),
    "label missing": ("x,y\n1,0\n2,\n3,1\n4,1\n5,0\n6,0\n", {}, ("data", "path"), "rows without a class.*fill or drop"),
    "label nan": ("x,y\n1,0\n2,nan\n3,1\n4,1\n5,0\n6,0\n", {}, ("data", "path"), "rows without a class"),
    "text label missing": ("x,y\n1,a\n2,\n3,b\n4,a\n5,a\n6,b\n", {}, ("data", "path"), "rows without a class"),
    "no classes": (
        "x,y\n" + "".join(f"1,{n / 7}\n" for n in range(9)),
        {},
        ("data",),
        "9 different values in 9 rows.*regression",
    ),
    "two targets": ("x,y,z\n1,0,1\n2,1,0\n", {"target": ("y", "z")}, ("data", "target"), "one target, not 2.*regression"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_wrong_csv(name: str, tmp_path: Path) -> None:
    """What is wrong with a CSV file is said at the key of the experiment that is to blame."""
    text, options, place, message = TEXTS[name]
    (tmp_path / "a.csv").write_text(text)
    check(lambda: files.load(kinds.CSV(**{"path": "a.csv", "target": "y", **options}), tmp_path), place, message)


def check(load: Callable[[], Any], place: tuple[str, ...], message: str) -> None:
    """That loading fails with a located problem."""
    with pytest.raises(SpecProblem) as found:
        load()
    problem = found.value
    assert problem.path == place
    assert re.search(message, f"{problem.message} {problem.hint}")


NpzCase = tuple[dict[str, Any], tuple[str, ...], str]
NPZS: dict[str, NpzCase] = {
    "pickled": ({"x": numpy.array([{}, 1], dtype=object), "y": [0, 1]}, ("data", "path"), "Object arrays cannot be loaded"),
    "no array": ({"a": [1.0], "y": [0]}, ("data", "inputs"), 'no array "x".*it has a, y'),
    "no target": ({"x": [1.0], "b": [0]}, ("data", "target"), 'no array "y".*it has x, b'),
    "rows": ({"x": [[1.0], [2.0]], "y": [0]}, ("data", "path"), "have not the same rows"),
    "no rows": ({"x": numpy.zeros((0, 2)), "y": numpy.zeros(0, int)}, ("data", "path"), "has no rows"),
    "one number": ({"x": 1.0, "y": 0}, ("data", "path"), "have not the same rows"),
    "text": ({"x": [["a"]], "y": [0]}, ("data", "path"), "not numbers"),
    "complex": ({"x": [[1j]], "y": [0]}, ("data", "path"), "not numbers"),
    "nan": ({"x": [[math.nan]], "y": [0]}, ("data", "path"), "no finite numbers"),
    "target nan": ({"x": [[1.0]], "y": [math.nan]}, ("data", "path"), "no finite numbers"),
    "one-hot classes": (
        {"x": [[1.0], [2.0]], "y": [[[0, 1]], [[1, 0]]]},
        ("data", "path"),
        r"targets of shape \(2, 1, 2\) are no classes",
    ),
}


@pytest.mark.parametrize("name", NPZS)
def test_wrong_npz(name: str, tmp_path: Path) -> None:
    """What is wrong with an archive is said at the key that is to blame; nothing in it is unpickled."""
    arrays, place, message = NPZS[name]
    numpy.savez(tmp_path / "a.npz", **arrays)
    check(lambda: files.load(kinds.NPZ(path="a.npz"), tmp_path), place, message)


def test_wrong_files(tmp_path: Path) -> None:
    """Files that are missing, or no tables or archives at all, are refused by name."""
    absent: list[kinds.File] = [
        kinds.CSV(path="no.csv", target="y"),
        kinds.NPZ(path="no.npz"),
        kinds.Parquet(path="no", target="y"),
    ]
    for spec in absent:
        check(lambda spec=spec: files.load(spec, tmp_path), ("data", "path"), f"no file .*{spec.path}.*looked for it in")  # type: ignore[misc]
    (tmp_path / "junk").write_bytes(b"\x80\x04\x95\xff\xfejunk")
    numpy.save(tmp_path / "bare.npy", numpy.ones(3))
    junk: list[kinds.File] = [kinds.CSV(path="junk", target="y"), kinds.Parquet(path="junk", target="y")]
    junk += [kinds.NPZ(path="junk"), kinds.NPZ(path="bare.npy")]
    for spec in junk:
        check(lambda spec=spec: files.load(spec, tmp_path), ("data", "path"), f'cannot read "{spec.path}"')  # type: ignore[misc]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1.0, None], "y": [0, 1]}, "no finite numbers"),
        ({"x": ["1", "b"], "y": [0, 1]}, "column \"x\" holds 'b', which is no number"),
        ({"x": [[1], [2]], "y": [0, 1]}, "which is no number"),
        ({"x": [1.0] * 6, "y": [0, None, 1, 1, 0, 0]}, "rows without a class"),
        ({"x": [1.0] * 6, "y": ["a", None, "b", "b", "a", "a"]}, "rows without a class"),
    ],
)
def test_wrong_parquet(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Missing values, text and lists in a Parquet file are refused."""
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    check(lambda: files.load(kinds.Parquet(path="a.parquet", target="y"), tmp_path), ("data", "path"), message)


def test_values_beyond_float32(tmp_path: Path) -> None:
    """Finite values that float32 cannot hold are refused, unless they are scaled to what it can."""
    (tmp_path / "a.csv").write_text("x,y\n1e100,0\n2e100,1\n")
    check(lambda: prepare(kinds.CSV(path="a.csv", target="y"), "integer", 0, tmp_path), ("data",), "float32 cannot hold")
    ready = prepare(kinds.CSV(path="a.csv", target="y", standardize=True), "integer", 0, tmp_path)
    assert ready.train_inputs.ravel().tolist() == [-1, 1]


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to the experiment, absolute, or from the home folder."""
    write(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in ("~/rows.csv", str(tmp_path / "rows.csv")):
        assert len(files.load(kinds.CSV(path=path, target="y"), NOWHERE).inputs) == 4


# arrays on disk -------------------------------------------------------------------------------------------------------------

NUMBERS = ("float32", "float64", "int32", "int64", "bool")
ARRAYS = some.arrays(st.sampled_from(NUMBERS), some.array_shapes(min_dims=0, min_side=0))


@settings(max_examples=25, deadline=None)
@given(arrays=st.dictionaries(st.text("ab/_1", min_size=1), ARRAYS), columns=st.booleans())
def test_arrays_come_back_as_they_were(arrays: dict[str, Any], columns: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of every shape, dtype and order, and writable."""
    path = tmp_path_factory.mktemp("arrays") / "arrays.npz"
    arrays = {name: numpy.asfortranarray(array) if columns else array for name, array in arrays.items()}
    arrays["large"] = numpy.arange(300_000.0)
    save_arrays(path, arrays)
    found = load_arrays(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.f_contiguous == array.flags.f_contiguous
        assert found[name].flags.writeable
        numpy.testing.assert_array_equal(found[name], array)


def test_objects_are_not_read(tmp_path: Path) -> None:
    """Nothing from a file is unpickled, be it small or large."""
    for count in (1, 200_000):
        numpy.savez(tmp_path / "objects.npz", x=numpy.array([None] * count))
        with pytest.raises(ValueError, match="object"):
            load_arrays(tmp_path / "objects.npz")
