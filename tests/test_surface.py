"""The loss over a plane and the paths on it are what a run computes and what formulas say; the picture is where its numbers are."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import harness as package
from harness.data.prepare import prepare
from harness.errors import UsageError
from harness.execution.plan import plan
from harness.interface import load_arrays, parameter_arrays, parameter_vector
from harness.landscape.descent import POINTS, Descent, marks
from harness.landscape.grid import FEWEST, MOST, ROWS, SECONDS, affordable, box
from harness.landscape.names import chosen, first_two
from harness.landscape.plane import along, at_random, over, random_directions
from harness.report.contours import HEIGHT, WIDTH, contours, steps
from harness.report.drawing import svg
from harness.report.surface_words import beside, landscape
from harness.tables.surface import SCHEMA, Surface, load_surface

from .conftest import ROOT, Command

LINE, XOR = ROOT / "experiments" / "line.toml", ROOT / "experiments" / "xor.toml"
#: a penalty, statistics, dropout, noise, class weights: all that the loss of all rows has to say something about
EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "data": {"type": "random", "rows": 12, "shape": [3], "classes": 2},
    "model": {"layers": [
        {"type": "dense", "units": 4, "kernel_regularizer": {"type": "l2", "l2": 0.125}},
        {"type": "batch_normalization", "epsilon": 1e-3, "momentum": 0.9}, {"type": "dropout", "rate": 0.5},
        {"type": "gaussian_noise", "stddev": 1.0}, {"type": "dense", "units": 2},
    ]},
    "train": {
        "loss": {"type": "softmax_cross_entropy", "class_weights": [1.0, 3.0]}, "optimizer": {"type": "sgd", "learning_rate": 0.1},
        "batch_size": 4, "steps": 3,
    },
    "compare": {"arms": ["numpy"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Surface:
    """A line through points, in two arms: its plane is the whole space."""
    folder = tmp_path_factory.mktemp("surface")
    found: Surface = package.surface(LINE, arms=["numpy", "torch"], changes=["train.steps=8"], grid=9, results=folder)
    return found


# numbers --------------------------------------------------------------------------------------------------------------------


def test_the_grid_is_the_formula(line: Surface) -> None:
    """mean((k x + b - y)^2) at every point of the grid."""
    found = plan(LINE)
    rows = prepare(found.experiment.data, found.spec, 0, found.folder)
    x, y = rows.train_inputs[:, 0].astype(float), rows.train_targets[:, 0].astype(float)
    right = [numpy.square(point.x * x + point.y - y).mean() for point in line.grid.itertuples()]
    assert len(right) == 81
    numpy.testing.assert_allclose(line.grid["loss"], right, rtol=1e-12)


def test_paths_are_a_runs(line: Surface, tmp_path: Path) -> None:
    """The reference's losses are a run's in every step; every arm ends where the run's training ends, to the last bit."""
    run = package.run(LINE, arms=["numpy", "torch"], changes=["train.steps=8"], timing="none", probes=False, results=tmp_path)
    losses = {record.arm: record.losses for record in run.records}
    path = line.paths[line.paths["arm"] == "reference"]
    assert list(path["step"]) == list(range(9))
    numpy.testing.assert_allclose(path["loss"].iloc[:8], losses["reference"], rtol=1e-12)
    for record in run.records:
        final = load_arrays(run.folder / "arms" / record.arm / "final.npz")
        end = line.paths[line.paths["arm"] == record.arm].iloc[-1]
        assert (end["x"], end["y"]) == (final["parameters/dense_1/kernel"][0, 0], final["parameters/dense_1/bias"][0])
    for row in line.arms.to_dict("records")[1:]:
        assert 0 < row["apart"] < 1e-6


def test_everything_else_is_held_still(tmp_path: Path) -> None:
    """Nothing is dropped, no noise is added, batches normalise themselves, class weights and penalties count: the loss by hand."""
    names = ["dense_1/kernel[0,1]", "dense_2/bias[1]"]
    found = package.surface(EVERYTHING, over=names, grid=3, x=(-1.0, 1.0), y=(-0.5, 0.5), results=tmp_path)
    planned = plan(EVERYTHING)
    rows = prepare(planned.experiment.data, planned.spec, 0, planned.folder)
    plane = load_arrays(found.folder / "plane.npz")
    weights = numpy.array([1.0, 3.0])[rows.train_targets]
    for point in found.grid.itertuples():
        p = parameter_arrays(planned.spec, plane["origin"] + numpy.array([point.x, point.y]) @ plane["directions"])
        assert (p["dense_1/kernel"][0, 1], p["dense_2/bias"][1]) == (point.x, point.y)
        h = rows.train_inputs.astype(float) @ p["dense_1/kernel"] + p["dense_1/bias"]
        h = (h - h.mean(0)) / numpy.sqrt(h.var(0) + float(numpy.float32(1e-3)))
        h = h * p["batch_normalization_1/gamma"] + p["batch_normalization_1/beta"]
        z = h @ p["dense_2/kernel"] + p["dense_2/bias"]
        terms = numpy.log(numpy.exp(z).sum(1)) - z[numpy.arange(12), rows.train_targets]
        right = (weights * terms).mean() + 0.125 * numpy.square(p["dense_1/kernel"]).sum()
        assert math.isclose(point.loss, right, rel_tol=1e-12)
    assert found.manifest["random"]
    assert found.manifest["statistics"]


# planes ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits-cnn", "depthwise-cnn", "tiny-transformer", "digits-rows-lstm"])
def test_random_directions_are_normalised_by_filters(name: str) -> None:
    """Every filter is moved by as much as it is long; biases, scales and shifts are not moved (Li et al. 2018)."""
    spec = plan(ROOT / "experiments" / f"{name}.toml").spec
    numbers = sum(math.prod(item.shape) for item in spec.parameters)
    base = numpy.random.default_rng(1).standard_normal(numbers)
    directions = random_directions(spec, 0, base)
    here, there = parameter_arrays(spec, base), [parameter_arrays(spec, each) for each in directions]
    assert not numpy.array_equal(*directions)
    assert numpy.array_equal(directions, random_directions(spec, 0, base))
    types = {item.name: node.layer.type for node in spec.nodes for item in node.parameters}
    for item in spec.parameters:
        axes = tuple(range(len(item.shape) - 1))
        if types[item.name] == "depthwise_conv2d":
            axes = (0, 1)
        elif "embeddings" in item.name:
            axes = (1,)
        for each in there:
            if item.name.endswith(("kernel", "embeddings")):
                lengths = [numpy.sqrt(numpy.square(arrays[item.name]).sum(axes)) for arrays in (each, here)]
                numpy.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-12)
            else:
                assert not each[item.name].any(), item.name
    plane = at_random(spec, 0, base)
    numpy.testing.assert_allclose(plane.coordinates(base + 0.5 * directions[:1] - 2 * directions[1:]), [[0.5, -2]], atol=1e-12)


def test_the_plane_of_a_path_holds_it() -> None:
    """Of a path in a plane all, of a helix its two widest directions; the start lies left and up, and a straight path gets a random one."""
    spec = plan(XOR).spec
    numbers = sum(math.prod(item.shape) for item in spec.parameters)
    random = numpy.random.default_rng(2)
    frame = numpy.linalg.qr(random.standard_normal((numbers, 3)))[0].T
    turn = numpy.linspace(0, 3, 20)[:, None]
    base = random.standard_normal(numbers)
    flat = base + numpy.hstack([3 * numpy.cos(turn), 2 * numpy.sin(turn)]) @ frame[:2]
    plane = along(spec, flat, 0, flat[-1])
    assert math.isclose(plane.held(flat), 1.0, rel_tol=1e-12)
    numpy.testing.assert_allclose(plane.directions @ plane.directions.T, numpy.eye(2), atol=1e-12)
    start = plane.coordinates(flat[:1])[0]
    assert start[0] < 0 < start[1]
    helix = flat + 0.1 * turn @ frame[2:]
    held = along(spec, helix, 0, helix[-1]).held(helix)
    assert 0.98 < held < 1 - 1e-6
    straight = base + turn @ frame[:1]
    plane = along(spec, straight, 0, straight[-1])
    assert plane.labels == ("first principal direction", "random direction")
    assert math.isclose(plane.held(straight), 1.0, rel_tol=1e-12)
    two = over(spec, ["dense_1/kernel[2,4]", "dense_3/bias[1]"], base)
    assert plane.off(base + frame[2:])[0] > 0.5
    arrays = parameter_arrays(spec, base)
    assert two.coordinates(base[None]).tolist() == [[arrays["dense_1/kernel"][2, 4], arrays["dense_3/bias"][1]]]
    assert numpy.array_equal(parameter_vector(spec, arrays), base)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["dense_1/kernal[0,0]", "dense_1/bias[0]"], 'did you mean "dense_1/kernel"'),
        (["dense_1/kernel[3,0]", "dense_1/bias[0]"], "its numbers are dense_1/kernel[0,0] to dense_1/kernel[2,4]"),
        (["dense_1/kernel[0]", "dense_1/bias[0]"], "names no single number of dense_1/kernel"),
        (["dense_1/kernel", "dense_1/bias[0]"], "names no single number of dense_1/kernel"),
        (["weights", "dense_1/bias[0]"], "write LAYER/PARAMETER[INDEX,...]"),
        (["dense_1/bias[0]", "dense_1/bias[ 0 ]"], "two different numbers"),
        (["dense_1/bias[0]"], "two different numbers"),
    ],
)
def test_wrong_names_are_said(names: list[str], message: str) -> None:
    """One clear error that says what there is."""
    with pytest.raises(UsageError, match=re.escape(message)):
        chosen(plan(XOR).spec, names)


def test_first_numbers() -> None:
    """The first two numbers of a net, and where they are."""
    assert first_two(plan(XOR).spec) == ["dense_1/kernel[0,0]", "dense_1/kernel[0,1]"]
    assert chosen(plan(LINE).spec, ["dense_1/bias", "dense_1/kernel"]) == (["dense_1/bias[0]", "dense_1/kernel[0,0]"], [1, 0])


# how much -------------------------------------------------------------------------------------------------------------------


def test_what_is_computed_fits_the_time() -> None:
    """The finest grid where points are cheap, the coarsest and then fewer rows where they are not."""
    assert affordable(1e-5, 100, 400, 1) == (MOST, 100)
    side, rows = affordable(SECONDS / 1300, 100, 400, 1)
    assert (side, rows) == (30, 100)
    side, rows = affordable(SECONDS / 400, 1000, 0, 1)
    assert side == FEWEST
    assert rows == int(1000 * 400 / FEWEST**2)
    assert affordable(1e6, 1000, 0, 1) == (FEWEST, ROWS)
    assert box([numpy.array([[0.0, 1.0], [10.0, 1.0]])]) == ((-1.5, 11.5), (1 - 6.5 / 4, 1 + 6.5 / 4))
    assert box([numpy.zeros((1, 2))]) == ((-1, 1), (-1, 1))


def test_points_of_paths() -> None:
    """Every step of a short training; of a long one the start, the end and no more than POINTS."""
    spec = plan(XOR).spec
    assert marks(spec, 5, None) == [0, 1, 2, 3, 4, 5]
    long = marks(spec, 2000, None)
    assert (long[0], long[-1], len(long) <= POINTS) == (0, 2000, True)
    assert marks(spec, 10, 4) == [0, 4, 8, 10]


def test_a_path_that_diverges_is_cut() -> None:
    """It is drawn as long as its loss is at most ten times that of its start, and what is no number is no point."""
    path = Descent("reference")
    path.take([0, 1, 2, 3], numpy.array([[0.0], [1.0], [2.0], [numpy.inf]]), 4)
    assert (path.steps, path.status) == ([0, 1, 2], "diverged")
    path.measured([1.0, 50.0, 499.0])
    assert path.shown == 3
    path.measured([1.0, 50.0, 501.0])
    assert path.shown == 2
    path.measured([1.0, 2.0, None])
    assert path.shown == 2


# what is seen ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "length"), [("x", WIDTH), ("y", HEIGHT)])
def test_contours_lie_where_the_loss_is(axis: str, length: int, tmp_path: Path) -> None:
    """Of a loss that is a plane, every contour is a straight line at its place."""
    x, y = (array.ravel() for array in numpy.meshgrid(numpy.linspace(0, 4, 9), numpy.linspace(0, 8, 9)))
    grid = pandas.DataFrame({"x": x, "y": y, "loss": 5 + (x if axis == "x" else y / 2)})
    facts = {"side": 9, "plane": {"labels": ["a", "b"]}, "lowest": None}
    empty = pandas.DataFrame({name: [] for name in ("arm", "step", "x", "y", "loss", "off", "shown")})
    drawn = svg(contours(Surface(tmp_path, facts, grid, empty.astype({"shown": bool}))))
    _, levels = steps(grid["loss"].to_numpy())
    found = [each for each in re.findall(r"<path [^>]*>", drawn) if 'stroke-opacity="0.55"' in each]
    assert len(found) == len(levels)
    for level, shape in zip(levels, found, strict=True):
        corners = re.findall(r"(-?[\d.]+),(-?[\d.]+)", shape.partition(' d="')[2])
        inside = [(float(x), float(y)) for x, y in corners if 0 <= float(y if axis == "x" else x) <= min(WIDTH, HEIGHT)]
        place = (level - 5) / 4 * length
        edge = min(x for x, _ in inside) if axis == "x" else max(y for _, y in inside)
        assert math.isclose(edge, place if axis == "x" else length - place, abs_tol=0.01)


def test_an_arm_that_fails_is_a_line(harness: Command, tmp_path: Path) -> None:
    """The rest is drawn: numbers, picture and page; the exit code says that something is missing. `--json` is one document."""
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import backends.numpy as right\nREQUIRES = {}\nMODES = {'': {}}\nFORMS = {}\n"
        "supports, versions = right.supports, right.versions\n"
        "class Program(right.Program):\n    def train(self, staged, steps, read_every=1):\n"
        "        raise RuntimeError('<b>no way down</b>')\n"
    )
    picture = tmp_path / "made" / "line.png"
    words = ["--arm", "numpy,broken", "--backend", broken, "--steps", 5, "--grid", 5, "--x", "-1:3"]
    done = harness("surface", LINE, *words, "--results", tmp_path, "-o", picture, "--json")
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    assert (said["schema"], len(said["grid"]["loss"]), said["grid"]["x"][:5]) == (SCHEMA, 25, [-1, 0, 1, 2, 3])
    assert picture.read_bytes().startswith(b"\x89PNG")
    (folder,) = (tmp_path / "surfaces").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "arms", "experiment.toml", "grid.csv", "manifest.json", "paths.csv", "plane.npz", "surface.html", "surface.svg"
    }  # fmt: skip
    found = load_surface(folder)
    assert list(found.arms["status"]) == ["ok", "ok", "failed"]
    assert set(found.paths["arm"]) == {"reference", "numpy"}
    assert next(landscape(found)).startswith("numpy ends at a loss of 1.5")
    assert "broken: failed: RuntimeError: <b>no way down</b>." in beside(found)
    page = (folder / "surface.html").read_text("utf-8")
    assert "&lt;b&gt;no way down&lt;/b&gt;" in page
    assert "<b>no way" not in page
    assert page.count("<figure") == 1
    assert "dense_1/kernel[0,0]" in (folder / "surface.svg").read_text("utf-8")


def test_a_wrong_name_runs_nothing(harness: Command, tmp_path: Path) -> None:
    """One clear error, and no folder."""
    done = harness("surface", LINE, "--over", "dense_1/kernel", "--over", "dense_1/bais", "--results", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('error: "dense_1/bais" is no number of this net\n  did you mean "dense_1/bias"?')
    assert not (tmp_path / "surfaces").exists()
