"""What is said of arms that compute rightly: before the numbers, where rounding is magnified, where a free training parts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy
import pytest

import backends.numpy as reference
import backends.torch as torch_adapter
import harness.execution.run as execution
from harness.interface import LIMIT, ZERO, Batch
from harness.numeric.flips import flips
from harness.numeric.parting import first_flip, parts_at, reach
from harness.report.words import causes
from harness.spec import SGD, Activation, Dense, ProgramSpec, wired
from harness.spec.layers import Relu
from harness.spec.losses import MeanSquaredError
from harness.worker.conformance.data import batch_of, generator, state_of
from harness.worker.numeric import patterns
from harness.worker.preflight import BITS, preflight

from .faults import faulty

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "faults"


# before the numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "bits"), [("", 24), ("dense_tf32", 11), ("dense_bf16", 8)])
def test_bits_of_products_are_measured(mode: str, bits: int) -> None:
    """Not believed from a flag: a dense layer that rounds its factors is seen, and said."""
    found = preflight(faulty, "float32", "cpu", mode, 1)
    assert found["bits"] == bits
    assert found["subnormals"] == "kept"
    assert any(f"right to {bits} of 24 bits" in text for text in found["problems"]) == (bits < 24)


@pytest.mark.parametrize("dtype", BITS)
def test_what_is_right_has_no_problem(dtype: str) -> None:
    """All bits; the reference has no threads to count. A variable that somebody has set is kept."""
    with patch.dict(os.environ, {"XLA_FLAGS": "--some"}):
        found = preflight(reference, dtype, "cpu", "", 1)
    assert (found["bits"], found["problems"]) == (BITS[dtype], [])
    assert found["variables"]["XLA_FLAGS"] == "--some"


def test_threads_are_counted() -> None:
    """An arm that uses others than it was told says so."""
    used = torch_adapter.versions()["threads"]
    assert preflight(torch_adapter, "float32", "cpu", "", used)["problems"] == []
    assert preflight(torch_adapter, "float32", "cpu", "", used + 1)["problems"] == [f"it uses {used} threads, not {used + 1}"]


# flips ----------------------------------------------------------------------------------------------------------------------


def test_flips_are_named() -> None:
    """The first tensor in the order of the computation, the smallest unit first; what float32 may flush is zero."""
    right = {
        "outputs/a": numpy.array([1.0, ZERO / 2, 3.0]), "outputs/b": numpy.array([[0.0, 2e-9, 1.0], [1e-3, 0.0, 0.0]]),
        "output_gradients/b": numpy.array([1.0]), "gradients/w": numpy.array([0.0]),
    }  # fmt: skip
    found = {**right, "outputs/a": numpy.array([1.0, 0.0, 3.0]), "gradients/w": numpy.array([1.0])}
    assert flips(found, right) == []
    found["outputs/b"] = numpy.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert [(row["node"], row["index"], row["found"], row["right"]) for row in flips(found, right)] == [
        ("b", [0, 1], 0.0, 2e-9), ("b", [1, 0], 0.0, 1e-3),
    ]  # fmt: skip
    assert flips({}, right) == []


def test_the_first_flip_of_a_training() -> None:
    """The earliest step; of one step what is computed first."""
    right = {"outputs/a": numpy.zeros((3, 2, 2), bool), "output_gradients/a": numpy.zeros((3, 2, 2), bool)}
    found = {name: array.copy() for name, array in right.items()}
    assert first_flip(found, right) is None
    found["outputs/a"][2, 1, 0] = True
    assert first_flip(found, right) == {"step": 2, "node": "a", "index": [1, 0], "off": True}
    found["output_gradients/a"][1, 0, 1] = True
    assert first_flip(found, right) == {"step": 1, "node": "a", "index": [0, 1], "off": True}


def test_patterns_of_a_training() -> None:
    """Where a rectifier is off, at every step; the program trains on meanwhile."""
    spec = ProgramSpec(wired((Dense(units=5), Activation(activation=Relu())), (3,)), MeanSquaredError(), SGD(learning_rate=0.5), "value")
    random = generator(3)
    state, batches = state_of(spec, random, 0), [batch_of(spec, random, 4) for _ in range(3)]

    class Task:
        """The batches."""

        def batch(self, step: int) -> Batch:
            """One of them."""
            return batches[step]

    program = reference.Program(spec, "float64", "cpu", "")
    program.load(state)
    found = patterns(program, Task(), 3)  # type: ignore[arg-type]
    program.load(state)
    for step, batch in enumerate(batches):
        off = program.probe(batch).outputs["activation_1"] == 0
        assert off.any()
        assert numpy.array_equal(found["outputs/activation_1"][step], off)
        assert found["output_gradients/dense_1"][step][off].all()
        program.train(program.stage([batch]), 1)


def test_where_a_loss_leaves_the_envelope() -> None:
    """Beyond LIMIT times the furthest that a replica has been; never for less than the rounding of the loss itself."""
    right, around = [1.0] * 5, [1e-6, 3e-6, 1e-6, 1e-6, 0.0]
    inside = [1 + LIMIT * edge * 0.99 for edge in (1e-6, 3e-6, 3e-6, 3e-6, 3e-6)]
    assert parts_at(inside, right, around, "float32") is None
    assert parts_at([*inside[:3], 1 + 1.3e-5, 1.0], right, around, "float32") == 3
    assert parts_at([1 + 1e-7] * 5, right, [0.0] * 5, "float32") is None
    assert parts_at([1 + 1e-7] * 5, right, [0.0] * 5, "float64") == 0
    assert parts_at(inside[:2], right, around, "float32") is None


def test_the_envelope_of_long_trainings_is_short() -> None:
    """As many steps as its arithmetic allows, at least one."""
    small = ProgramSpec(wired((Dense(units=5),), (3,)), MeanSquaredError(), SGD(learning_rate=0.5), "value")
    large = ProgramSpec(wired((Dense(units=5000),), (5000,)), MeanSquaredError(), SGD(learning_rate=0.5), "value")
    assert reach(small, 200, 8) == 200
    assert reach(large, 200, 8) == 1


# by the command -------------------------------------------------------------------------------------------------------------


def test_rounding_that_is_magnified_agrees(harness: Callable[..., Any], tmp_path: Path) -> None:
    """Dense layers that always round down: a line's residuals cancel, so that its gradients are off by thousands of floors, but every node
    is right by itself. Beside it one that computes in TF32, which is said before the numbers."""
    words = ("--arm", "biased,faulty:dense_tf32", "--no-timings", "-q", "--results", tmp_path, "--set", "train.epochs=20")
    plugins = ("--backend", FOLDER / "biased.py", "--backend", FOLDER / "faulty.py")
    done = harness("run", "experiments/line.toml", *plugins, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    before, after = done.stdout.split("Agreement with", maxsplit=1)
    assert "Before the numbers: faulty:dense_tf32: products in float32 are right to 11 of 24 bits (TF32 or float16)" in before
    assert "Before the numbers: biased: products in float32 are right to 21 of 24 bits" in before
    assert "by rounding alone" in after
    assert "every node is right by itself; rounding alone is magnified" in before
    facts = {arm["arm"]: arm["facts"] for arm in json.loads(harness("compare", "--json", "--results", tmp_path).stdout)["arms"]}
    assert facts["biased"]["verdict"] == "agrees"
    assert facts["biased"]["words"]["amplified rounding"] > 0
    assert facts["faulty:dense_tf32"]["verdict"] == "differs"
    told = harness("explain", "latest", "--results", tmp_path).stdout
    assert "every node is right by itself; rounding alone is magnified" in told
    assert "faulty:dense_tf32, from step 0 on, dense_1: its inputs and parameters have 11 bits (float16 or TF32)" in told


def test_an_arm_that_parts_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arm whose loss has left the envelope, as if this one had: both train again and are held against each other, unit by unit. It
    describes: the verdict stays."""
    monkeypatch.setattr(execution, "parts_at", lambda *_: 5)
    done = execution.run(ROOT / "experiments" / "xor.toml", arms=["numpy"], changes=["train.steps=8"], results=tmp_path, timing="none")
    assert done.arms[0].facts["verdict"] == "agrees"
    assert done.arms[0].facts["parted"] == {"step": 5, "flip": None}
    assert done.exit_code == 0
    assert len(done.losses.dropna(subset=["envelope"])) == len(done.losses) == 16
    said = "numpy: computes rightly, and parts by rounding alone: its loss leaves what rounding does to replicas at step 5"
    assert said in list(causes(done))


OVERFLOWING = """
name = "overflowing"
[data]
type = "digits"
[model]
layers = [{ type = "dense", units = 16, kernel_initializer = { type = "random_normal", stddev = 5.0 } }, { type = "dense", units = 10 }]
[train]
loss = "softmax_cross_entropy"
optimizer = { type = "sgd", learning_rate = 0.001 }
batch_size = 32
steps = 2
"""


def test_what_is_not_finite_is_shown_again(harness: Callable[..., Any], tmp_path: Path) -> None:
    """An infinite loss is located; JSON has no infinities, and the saved run is shown and explained all the same."""
    (tmp_path / "overflowing.toml").write_text(OVERFLOWING, encoding="utf-8")
    words = ("--backend", FOLDER / "faulty.py", "--arm", "faulty:loss_overflows", "--no-timings", "--no-probes", "-q")
    done = harness("run", tmp_path / "overflowing.toml", *words, "--results", tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    where = "loss/probe is finite in other places; most at []: a number that is not finite, where 747.68"
    assert where in done.stdout
    again, told = (harness(command, "latest", "--results", tmp_path) for command in ("compare", "explain"))
    assert (again.returncode, told.returncode) == (3, 0), again.stderr + told.stderr
    assert where in again.stdout
    assert "[]: a number that is not finite, 747.68" in told.stdout
