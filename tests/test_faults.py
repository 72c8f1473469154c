"""Planted faults are caught, located and explained; what is right is not accused. All of them: `python -m benchmarks.faults`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import backends.numpy as reference
from harness.interface import errors
from harness.numeric import trajectory
from harness.numeric.diagnosis import common, joined, wrong_steps
from harness.numeric.trajectory import EXACT, INFINITE
from harness.spec import ProgramSpec, relevant_forms
from harness.worker.conformance import cases
from harness.worker.conformance.data import drawn as drawn_case
from harness.worker.diagnosis import Setting, located
from harness.worker.diagnosis.catalogue.precision import rounded
from harness.worker.numeric import forced_step
from harness.worker.probes import PROBES, applies, probe

from .faults import faulty
from .faults.models import MODELS, drawn

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "faults"
REPLICAS = [*(f"replica-{number}" for number in range(16)), *(f"sequential-{number}" for number in range(6))]
#: one of every kind, some with a cause and some without
TRIED = (
    "bn_epsilon", "bn_not_updated", "ln_unbiased", "gn_groups", "conv_padding_side", "conv_shuffled", "avg_pool_max", "global_sum",
    "dense_tf32", "gelu_quick", "relu_leaky", "silu_detached", "lstm_gates", "gru_gates", "rnn_state", "attention_scale", "tied_detached",
    "embedding_scaled", "dropout_unscaled", "dropout_one_bit", "add_averages", "loss_sum", "mse_half", "l2_half", "weights_ignored",
    "adam_hat", "adam_uncorrected", "adamw_coupled", "sgd_dampened", "clip_each", "schedule_late", "row_dropped", "relu_half",
    "max_pool_shares", "bn_cancels", "loss_overflows", "loss_cut",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """As in a worker, overflows are results."""
    with numpy.errstate(all="ignore"):
        yield


def own(spec: ProgramSpec) -> ProgramSpec:
    """A program in PyTorch's forms."""
    return spec.with_forms(relevant_forms(spec, faulty.FORMS))


def found_of(name: str, probed: str | None) -> list[dict[str, Any]]:
    """What is located of a fault, at an ordinary step or at a probe."""
    model = faulty.FAULTS[name].model
    spec, (state, batch) = MODELS[model], drawn(model)
    if probed is not None:
        state, batch = probe(probed, spec, state, batch)
    tensors = forced_step(faulty.Program(spec, "float32", "cpu", name), spec, batch, state)
    return located(reference, Setting(own(spec), state, batch, tensors), "float32", modes_of(probed))


def modes_of(probed: str | None) -> list[str]:
    """The replicas that a run has for an ordinary step, or for a probe."""
    half = [*REPLICAS[:8], *REPLICAS[16:19]]
    return REPLICAS if probed is None else [f"careful-{mode}" for mode in half] if probed == EXACT else half


def test_the_parent_knows_the_probes() -> None:
    """Their number, which has to fit on the disk, and those that it treats otherwise."""
    assert len(PROBES) == trajectory.PROBES
    assert {EXACT, INFINITE} < set(PROBES)
    assert {fault.probe for fault in faulty.FAULTS.values()} - {None} < set(PROBES)


def test_there_are_enough() -> None:
    """At least sixty, each a mode of the plug-in; a third of them outside of what is asked about."""
    assert set(faulty.MODES) == {"", *faulty.FAULTS}
    assert len(faulty.FAULTS) >= 60
    assert sum(fault.cause is None for fault in faulty.FAULTS.values()) >= len(faulty.FAULTS) / 3
    assert set(TRIED) <= set(faulty.FAULTS)


@pytest.mark.parametrize("name", TRIED)
def test_faults_are_found(name: str) -> None:
    """The first node that is wrong is the one with the fault, and its cause is named; where no meaning fits, none is. What ordinary data
    do not show, a directed probe does."""
    fault = faulty.FAULTS[name]
    entries = found_of(name, fault.probe)
    assert fault.probe is None or found_of(name, None) == []
    types = {**{node.name: node.layer.type for node in MODELS[fault.model].nodes}, "loss": "loss", "optimizer": "optimizer"}
    first = entries[0]
    assert fault.where in [types[maker] for maker in first["makers"]]
    texts = [] if first["cause"] is None else [first["cause"]["text"], *first["cause"]["or"]]
    assert (texts == []) if fault.cause is None else any(fault.cause in text for text in texts), texts
    assert first["tensors"][0]["worst"]


@pytest.mark.parametrize("name", MODELS)
def test_what_is_right_is_not_accused(name: str) -> None:
    """PyTorch's adapter as it is."""
    spec, (state, batch) = MODELS[name], drawn(name)
    tensors = forced_step(faulty.Program(spec, "float32", "cpu", ""), spec, batch, state)
    assert located(reference, Setting(own(spec), state, batch, tensors), "float32", REPLICAS) == []


@pytest.mark.parametrize("name", PROBES)
def test_no_probe_accuses_what_is_right(name: str) -> None:
    """On a net of convolutions, and on one of attention; and a probe changes nothing that it is given."""
    for model in ("cnn", "rotary"):
        spec, (state, batch) = MODELS[model], drawn(model)
        if name not in applies(spec):
            continue
        before = [array.copy() for array in (*state.parameters.values(), batch.inputs, batch.targets)]
        start, data = probe(name, spec, state, batch)
        assert all(numpy.array_equal(a, b) for a, b in zip(before, [*state.parameters.values(), batch.inputs, batch.targets], strict=True))
        tensors = forced_step(faulty.Program(spec, "float32", "cpu", ""), spec, data, start)
        if name != INFINITE:
            assert located(reference, Setting(own(spec), start, data, tensors), "float32", modes_of(name)) == []


def test_the_reference_replays_itself() -> None:
    """Of its own numbers every node makes what it made, whether all are replayed or one."""
    tried = {name: case.spec for name, case in cases().items()}
    steps = {name: drawn_case(case, 1)[-1] for name, case in cases().items()}
    every = {
        **{name: (spec, steps[name][0], steps[name][1][0]) for name, spec in tried.items()},
        **{n: (s, *drawn(n)) for n, s in MODELS.items()},
    }
    for name, (spec, state, batch) in every.items():
        program = reference.Program(spec, "float64", "cpu", "")
        tensors = forced_step(program, spec, batch, state)
        found = reference.replay(program, state, batch, tensors)
        assert set(found) == set(tensors), name
        assert max(errors(found, tensors).values()) < 1e-12, name
        alone = reference.replay(program, state, batch, tensors, only={spec.nodes[0].name})
        first = f"outputs/{spec.nodes[0].name}"
        assert numpy.array_equal(alone[first], found[first]), name


def test_two_causes_at_once() -> None:
    """Another epsilon and other gates: both are named where they are at two nodes, and as a pair where they are at one."""
    spec, (state, batch) = MODELS["cnn"], drawn("cnn")
    nodes = [
        dataclasses.replace(node, layer=dataclasses.replace(node.layer, epsilon=1e-2, momentum=0.9))  # type: ignore[call-arg]
        if node.layer.type == "batch_normalization"
        else node
        for node in spec.nodes
    ]
    wrong = dataclasses.replace(spec, nodes=tuple(nodes))
    tensors = forced_step(reference.Program(wrong, "float32", "cpu", ""), wrong, batch, state)
    (entry,) = located(reference, Setting(spec, state, batch, tensors), "float32", REPLICAS)
    assert entry["makers"] == ["batch_normalization_1"]
    assert entry["cause"]["text"] == "epsilon 0.01 instead of 0.001, and momentum 0.9 instead of 0.75"
    assert entry["cause"]["explains"] > 0.999


def test_steps_and_causes_are_joined() -> None:
    """A cause that fits at one step alone falls away; a node is named once, from its first step on."""
    rows = [{"step": step, "verdict": word} for step, word in ((0, "rounding"), (4, "differs"), (9, "invalid"), (20, "bitwise"))]
    assert wrong_steps(rows) == [4, 9]
    assert wrong_steps(rows[:2]) == [4]
    assert wrong_steps(rows[:1]) == []
    probes = [{"step": name, "verdict": "differs"} for name in ("zeros", "far", "labels", INFINITE)]
    assert wrong_steps([*rows, *probes]) == [4, 9]
    assert wrong_steps(probes) == ["zeros", "labels"]
    assert wrong_steps(probes[3:]) == []
    one, two = {"text": "a", "or": ["b", "c"], "explains": 1.0}, {"text": "b", "or": ["c"], "explains": 0.9}
    assert common([one, two]) == {"text": "b", "or": ["c"], "explains": 0.9}
    assert common([one, None]) == {**one, "only": "at the first step"}
    assert common([None, one]) is None
    entries = joined(
        {4: [{"makers": ["x"], "cause": one}], 9: [{"makers": ["x"], "cause": two}, {"makers": ["y"], "cause": None}]}
    )
    assert [(entry["makers"], entry["step"]) for entry in entries] == [(["x"], 4), (["y"], 9)]


@pytest.mark.parametrize("bits", [8, 11, 24])
def test_rounding_to_bits(bits: int) -> None:
    """To nearest, ties to even, as the hardware does."""
    values = numpy.random.default_rng(1).standard_normal(1000) * 10.0 ** numpy.arange(-5, 5).repeat(100)
    found = rounded(values, bits)
    assert numpy.all(abs(found - values) <= abs(values) * 2.0**-bits)
    assert numpy.array_equal(rounded(found, bits), found)
    if bits == 24:
        assert numpy.array_equal(found, values.astype(numpy.float32))


NAMED = {
    "bn_epsilon": ("batch_normalization_1", "epsilon 0.01 instead of 0.001"),
    "lstm_gates": ("lstm_1", "gates f i g o instead of i f g o"),
    "dense_transposed": ("dense_1", "kernel transposed"),
    "adam_skipped": ("optimizer", "no update"),
    "dropout_one_bit": ("dropout_1", "no cause found"),
}


def test_they_are_named_by_the_command(harness: Callable[..., Any], tmp_path: Path) -> None:
    """A wrong epsilon, a swapped gate, a transposed square kernel, a skipped step and one wrong bit of a mask: in words, and in the record;
    the arm as it is agrees."""
    arms = ["torch", *(f"faulty:{name}" for name in NAMED)]
    words = ("--backend", FOLDER / "faulty.py", "--arm", ",".join(arms), "--no-timings", "-q", "--results", tmp_path)
    done = harness("run", FOLDER / "several.toml", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    page = (ROOT / "docs" / "agreement.md").read_text(encoding="utf-8")
    lines = re.findall(r"^faulty:.*$", page, re.MULTILINE)
    assert len(lines) == len(NAMED)
    assert set(lines) <= set(done.stdout.splitlines())
    for name, (node, cause) in NAMED.items():
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"faulty:{name}, step 0, "))
        assert node in line
        assert cause in line, line
    shown = json.loads(harness("compare", "--json", "--results", str(tmp_path)).stdout)
    facts = {arm["arm"]: arm["facts"] for arm in shown["arms"]}
    assert facts["torch"]["verdict"] == "agrees"
    assert "located" not in facts["torch"]
    assert facts["faulty:bn_epsilon"]["words"]["semantic"] > 0
    assert facts["faulty:bn_epsilon"]["located"][0]["tensors"][0]["tensor"] == "outputs/batch_normalization_1"
