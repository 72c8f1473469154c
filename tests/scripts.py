"""Exported scripts held against the reference: they are written to a folder, run in one real process a framework, and what they
computed is compared. Shared by tests/test_export.py and benchmarks/export.py."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from harness.execution.plan import plan
from harness.export import FRAMEWORKS, Draft, NotWritten, written
from harness.export.bundle import gathered
from harness.interface import LIMIT, Batch, State, load_arrays
from harness.registry.backends import load
from harness.spec import ProgramSpec, relevant_forms
from harness.worker.conformance import cases
from harness.worker.conformance.case import Case
from harness.worker.conformance.data import drawn
from harness.worker.conformance.measure import EXACT, WITNESSES, distance, sizes_of
from harness.worker.numeric import trained

#: runs scripts, each as if it were alone but for the framework that is imported once: argv are scripts; a line of JSON for each
RUNNER = """
import json, runpy, sys
import numpy
def numbers(found):
    if "outputs" in found:
        return {"outputs": found["outputs"]()}
    loss, gradients = found["first_gradients"]()
    return {**{f"gradients/{name}": array for name, array in gradients.items()}, "loss": loss, "losses": found["train"]()}
for path in sys.argv[1:]:
    try:
        numpy.savez(path + ".npz", **numbers(runpy.run_path(path)))
        print("\\x1e" + json.dumps({"path": path, "problem": ""}), flush=True)
    except Exception as problem:
        import traceback
        traceback.print_exc()
        print("\\x1e" + json.dumps({"path": path, "problem": f"{type(problem).__name__}: {problem}"[:300]}), flush=True)
"""


#: scripts in a process
CHUNK = 100


@dataclass(frozen=True)
class Right:
    """What a script should compute: the loss and the gradients of the first batch, the losses of all steps.

    Attributes:
        numbers: name -> array, float64.
        sizes: name -> what an error is relative to: its own length, but the largest of its kind where it is zero in exact arithmetic.
        allowed: name -> how far off it may be: EXACT, or what the reference's own replicas in float64 cannot hold.
    """

    numbers: Mapping[str, Any]
    sizes: Mapping[str, float]
    allowed: Mapping[str, float]


def reference(spec: ProgramSpec, forms: Mapping[str, str], state: State, batches: Sequence[Batch]) -> Right:
    """The reference in some forms, float64."""
    spec = spec.with_forms(relevant_forms(spec, forms))
    right = computed(spec, "", state, batches)
    witnesses = [computed(spec, mode, state, batches) for mode in WITNESSES]
    sizes = sizes_of(right, witnesses)
    moved = {name: max(distance(found[name], right[name]) / sizes[name] for found in witnesses) for name in right}
    return Right(right, sizes, {name: max(EXACT, LIMIT * far) for name, far in moved.items()})


def computed(spec: ProgramSpec, mode: str, state: State, batches: Sequence[Batch]) -> dict[str, Any]:
    """What the reference, or a replica of it, makes of the first batch and of a training."""
    program = load("backends.numpy").Program(spec, "float64", "cpu", mode)
    with numpy.errstate(all="ignore"):
        program.load(state)
        probe = program.probe(batches[0])
        losses = trained(program, program.stage(batches), len(batches))
    numbers = {"loss/first": probe.loss, **{f"loss/{step}": loss for step, loss in enumerate(losses)}}
    gradients = {f"gradients/{name}": array for name, array in probe.gradients.items()}
    return {name: numpy.asarray(value, numpy.float64) for name, value in {**numbers, **gradients}.items()}


def start_of(case: Case, seed: int = 0) -> tuple[State, list[Batch]]:
    """A first state of a case, before any step, and its batches: twice the two that it has."""
    state, batches = drawn(dataclasses.replace(case, steps=(0,)), seed)[0]
    return state, [*batches, *batches]


@cache
def begun(name: str | Path) -> tuple[ProgramSpec, State, list[Batch]]:
    """A case by name, or the first three steps of an experiment: its program, first state and batches."""
    if isinstance(name, Path):
        found = plan(name, ["compare.dtype=float64", "train.steps=3"], ["numpy"])
        return (found.spec, *gathered(found))
    return (cases()[name].spec, *start_of(cases()[name]))


@cache
def right(name: str | Path, forms: tuple[tuple[str, str], ...]) -> Right:
    """What scripts of a case or an experiment have to compute; measured once for all frameworks of the same forms."""
    spec, state, batches = begun(name)
    return reference(spec, dict(forms), state, batches)


def write(name: str | Path, framework: str, folder: Path) -> Path | None:
    """The script of a case or an experiment, in float64; None where it is not written for the framework."""
    spec, state, batches = begun(name)
    stem = f"experiment-{name.stem}" if isinstance(name, Path) else name.replace(" ", "-")
    try:
        return written(Draft(stem, spec, "float64"), state, batches, [framework], folder, force=True)[1]
    except NotWritten:
        return None


def run(scripts: Sequence[Path], timeout: float = 600) -> Iterator[tuple[Path, str]]:
    """Run scripts in one process; each with what went wrong, "" if nothing."""
    variables = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "PJRT_NPROC": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, scripts)], capture_output=True, text=True, timeout=timeout, check=False,
        env={**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **variables}, cwd=scripts[0].parent,
    )  # fmt: skip
    answers = [json.loads(line[1:]) for line in done.stdout.split("\n") if line.startswith("\x1e")]
    found = {Path(answer["path"]): answer["problem"] for answer in answers}
    for script in scripts:
        yield script, found.get(script, f"did not come to it: {done.stderr[-300:]}")


def errors(script: Path, right: Right) -> dict[str, float]:
    """By how much of what is allowed each number is off that a script computed: beyond 1 it is wrong."""
    found = load_arrays(script.with_name(script.name + ".npz"))
    numbers = {name: found.get(name) for name in right.numbers if name.startswith("gradients/")}
    numbers |= {f"loss/{step}": loss for step, loss in enumerate(found["losses"])} | {"loss/first": found["loss"]}
    return {
        name: off(numbers.get(name), wanted, right.sizes[name]) / right.allowed[name] for name, wanted in right.numbers.items()
    }


def off(found: Any, right: Any, size: float) -> float:
    """How far off a number or an array is; infinite where it is missing, misshapen or finite in other places."""
    if found is not None and numpy.array_equal(found, right, equal_nan=True):
        return 0.0
    return distance(None if found is None else numpy.asarray(found, numpy.float64), right) / size


def forms_of(framework: str) -> Mapping[str, str]:
    """The forms of the framework that a script is in: those of its adapter, read in a process of its own."""
    name = FRAMEWORKS[framework].functions
    code = f"import json; from backends.{name} import FORMS; print('\\x1e' + json.dumps(dict(FORMS)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    forms: dict[str, str] = json.loads(done.stdout.partition("\x1e")[2])
    return forms


def tried(framework: str, names: Sequence[str | Path], folder: Path) -> dict[str | Path, Any]:
    """Cases by name and experiments by file: None where no script is written, a text where it failed, else what `errors` says."""
    scripts = {name: write(name, framework, folder) for name in names}
    ran = [path for path in scripts.values() if path is not None]
    problems: dict[Path, str] = {}
    for start in range(0, len(ran), CHUNK):
        problems.update(run(ran[start : start + CHUNK]))
    forms = forms_of(framework)
    found: dict[str | Path, Any] = {}
    for name, script in scripts.items():
        if script is None or problems[script]:
            found[name] = None if script is None else problems[script]
            continue
        found[name] = errors(script, right(name, tuple(sorted(relevant_forms(begun(name)[0], forms).items()))))
    return found
