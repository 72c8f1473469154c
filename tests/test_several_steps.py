"""Modes that take several steps in one call: the same numbers as the plain mode's, whatever the number of steps and the batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from harness.environments import launch
from harness.registry import backend, parse

from .conftest import ROOT

#: trains in the plain mode and in others; in a process of its own, where a framework may be
SCRIPT = """
import importlib, json, sys
from harness.worker.conformance import cases
from harness.worker.conformance.data import batch_of, generator, state_of

spec, random = cases()["sgd clip_norm accumulates"].spec, generator(1)
state, batches = state_of(spec, random, 2), [batch_of(spec, random, rows) for rows in (6, 6, 6, 5)]

def trained(adapter, program, count, steps, read_every):
    program.load(state)
    before = adapter.compilations()
    trace = program.train(program.stage(batches[:count]), steps, read_every)
    after = program.state()
    sums = [float(array.sum()) for arrays in (after.parameters, *after.slots.values()) for array in arrays.values()]
    return {"losses": trace.losses, "stamps": len(trace.stamps), "sums": [after.step, *sums], "new": adapter.compilations() - before}

def tried(module, mode, ways):
    adapter = importlib.import_module(module)
    programs = [adapter.Program(spec, "float64", "cpu", name) for name in ("", mode)]
    return [[trained(adapter, program, *way) for program in programs] for way in ways]

arms, ways = json.loads(sys.argv[1])
print(json.dumps([tried(*arm, ways) for arm in arms]))
"""
#: batches, steps, steps from one reading to the next: chunks that begin at any batch, steps behind the last reading, the same once
#: more, fewer steps than a chunk has, another chunk, batches of unequal shapes
WAYS = ((3, 11, 4), (3, 9, 4), (3, 3, 4), (3, 7, 2), (4, 6, 2))


@pytest.mark.parametrize("names", [("jax:scan",), ("keras:loop", "tensorflow:loop")], ids=" ".join)
def test_several_steps_are_the_same_steps(names: tuple[str, ...]) -> None:
    """Losses and states to 1e-12; a chunk is compiled when it first comes, and in TensorFlow one graph serves chunks of any length."""
    arms = [parse(name) for name in names]
    words = json.dumps([[(backend(arm).module, arm.mode) for arm in arms], WAYS])
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **launch(arms[0], "cpu", 1).variables}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, words], capture_output=True, text=True, cwd=ROOT, env=variables, check=True
    )
    for name, found in zip(names, json.loads(done.stdout), strict=True):
        for (_, steps, every), (plain, several) in zip(WAYS, found, strict=True):
            assert len(several["losses"]) == several["stamps"] - 1 == steps // every
            assert several["losses"] == pytest.approx(plain["losses"], rel=1e-12)
            assert several["sums"] == pytest.approx(plain["sums"], rel=1e-12)
        first, again, none, other, unequal = (several["new"] for _, several in found)
        assert first > 0 == again == none
        assert (other > 0) == (name == "jax:scan")
        assert unequal > 0
