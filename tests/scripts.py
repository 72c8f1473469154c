"""Exported scripts held against the reference: they are written to a folder, run in one real process a framework, and what they
computed is compared. Shared by tests/test_export.py and benchmarks/export.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from harness.export import FRAMEWORKS, Draft, NotWritten, written
from harness.interface import Batch, State, load_arrays, norm
from harness.registry.backends import load
from harness.spec import ProgramSpec, relevant_forms
from harness.worker.conformance import cases
from harness.worker.conformance.case import Case
from harness.worker.conformance.data import drawn
from harness.worker.numeric import trained

#: what an error in float64 may be, relative
EXACT = 1e-12
#: runs scripts, each as if it were alone but for the framework that is imported once: argv are scripts; a line of JSON for each
RUNNER = """
import json, runpy, sys
import numpy
for path in sys.argv[1:]:
    try:
        found = runpy.run_path(path)
        loss, gradients = found["first_gradients"]()
        losses = found["train"]()
        numpy.savez(path + ".npz", **{f"gradients/{name}": array for name, array in gradients.items()}, loss=loss, losses=losses)
        print("\\x1e" + json.dumps({"path": path, "problem": ""}), flush=True)
    except Exception as problem:
        import traceback
        traceback.print_exc()
        print("\\x1e" + json.dumps({"path": path, "problem": f"{type(problem).__name__}: {problem}"[:300]}), flush=True)
"""


@dataclass(frozen=True)
class Right:
    """What a script should compute: the loss of the first batch, the gradients there, the losses of all steps."""

    loss: float
    gradients: Mapping[str, Any]
    losses: Sequence[float]


def reference(spec: ProgramSpec, forms: Mapping[str, str], state: State, batches: Sequence[Batch]) -> Right:
    """The reference in some forms, float64."""
    program = load("backends.numpy").Program(spec.with_forms(relevant_forms(spec, forms)), "float64", "cpu", "")
    program.load(state)
    probe = program.probe(batches[0])
    return Right(probe.loss, probe.gradients, trained(program, program.stage(batches), len(batches)))


def start_of(case: Case, seed: int = 0) -> tuple[State, list[Batch]]:
    """The first state of a case, before any step, and its batches: twice the two that it has."""
    state, batches = drawn(case, seed)[0]
    return state, [*batches, *batches]


def write(case: Case, framework: str, folder: Path) -> Path | None:
    """The script of a case, in float64; None where it is not written for the framework."""
    state, batches = start_of(case)
    draft = Draft(case.name.replace(" ", "-"), case.spec, "float64")
    try:
        return written(draft, state, batches, [framework], folder, force=True)[1]
    except NotWritten:
        return None


def run(framework: str, scripts: Sequence[Path], timeout: float = 600) -> Iterator[tuple[Path, str]]:
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
    """How far off each number is that a script computed, relative to the size of what is right (of zeros: of the largest of its kind)."""
    found = load_arrays(script.with_name(script.name + ".npz"))
    largest = max((norm(array) for array in right.gradients.values()), default=0.0) or 1.0
    result = {"loss": relative(found["loss"], right.loss, 0.0)}
    for name, array in right.gradients.items():
        result[f"gradients/{name}"] = relative(found.get(f"gradients/{name}"), array, 1e-3 * largest)
    for step, loss in enumerate(right.losses):
        result[f"losses/{step}"] = relative(found["losses"][step], loss, 0.0)
    return result


def relative(found: Any, right: Any, least: float) -> float:
    """The distance of two arrays over the norm of the right one, or over `least` if that is more; infinite where shapes differ."""
    right = numpy.asarray(right, numpy.float64)
    if found is None or numpy.shape(found) != right.shape:
        return float("inf")
    size = max(norm(right), least) or 1.0
    return norm(numpy.asarray(found, numpy.float64) - right) / size


def forms_of(framework: str) -> Mapping[str, str]:
    """The forms of the framework that a script is in: those of its adapter, read in a process of its own."""
    name = FRAMEWORKS[framework].functions
    code = f"import json; from backends.{name} import FORMS; print('\\x1e' + json.dumps(dict(FORMS)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    forms: dict[str, str] = json.loads(done.stdout.partition("\x1e")[2])
    return forms


def try_cases(framework: str, names: Sequence[str], folder: Path) -> dict[str, Any]:
    """Cases by name: None where no script is written, a text where it failed, else the errors by tensor."""
    scripts = {name: write(cases()[name], framework, folder) for name in names}
    ran = [path for path in scripts.values() if path is not None]
    problems = dict(run(framework, ran)) if ran else {}
    forms = forms_of(framework)
    found: dict[str, Any] = {}
    for name, script in scripts.items():
        if script is None or problems[script]:
            found[name] = None if script is None else problems[script]
            continue
        state, batches = start_of(cases()[name])
        found[name] = errors(script, reference(cases()[name].spec, forms, state, batches))
    return found
