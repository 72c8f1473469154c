"""From a planned experiment to what scripts are written from."""

from __future__ import annotations

import dataclasses
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..execution.layout import initial_state, lay_out
from ..execution.plan import Plan
from ..interface import Batch, State, load_arrays, nested_state
from ..records.runs import read_run
from ..spec import ProgramSpec
from ..worker.task import Task
from .draft import Draft, Weights
from .write import written


def export(
    found: Plan,
    targets: Sequence[str],
    folder: Path,
    steps: int,
    command: str,
    force: bool = False,
    weights: Weights | None = None,
) -> list[Path]:
    """Write an experiment as scripts or as an ONNX file; see `written`.

    Args:
        found: the experiment.
        targets: of TARGETS.
        folder: where the files go; made if it is not there.
        steps: at most so many of its steps.
        command: what the scripts say wrote them.
        force: whether files that are there may be written over.
        weights: of the ONNX file; the first when not given.

    Raises:
        NotWritten: something in it is not written for one of the targets; nothing was written.
        UsageError: a file is there already, or the package onnx is not installed.
        SpecError: its data cannot be read.
    """
    found = dataclasses.replace(found, steps=min(steps, found.steps))
    experiment = found.experiment
    draft = Draft(experiment.name, found.spec, experiment.compare.dtype, description=experiment.description, command=command)
    state, batches = gathered(found)
    first = Weights(state, f"the first weights (seed {experiment.compare.seed})")
    folder.mkdir(parents=True, exist_ok=True)
    return written(draft, state, batches, targets, folder, force, weights or first)


def gathered(found: Plan) -> tuple[State, list[Batch]]:
    """The first state of an experiment, and the batches of all its steps.

    Raises:
        SpecError: its data cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        lay_out(found, Path(name))
        task = Task(Path(name) / "data.npz", found.spec)
        batches = [task.batch(step) for step in range(found.steps)]
    return initial_state(found.spec, found.experiment.compare.seed), batches


def trained(run: Path, spec: ProgramSpec, arm: str = "") -> Weights:
    """What an arm of a saved run has learned.

    Args:
        run: its folder.
        spec: its program.
        arm: the arm's name; the reference when not given, in the form that was run first.

    Raises:
        UsageError: no weights of that arm are there, or a file is damaged.
    """
    files = {record.arm: record.final for record in read_run(run)[1] if record.final is not None}
    name = arm or next((known for known in files if known.startswith("reference")), "reference")
    if name not in files:
        known = f"there are those of {', '.join(files)}; or" if files else "take"
        raise UsageError(f'the run {run.name} has no trained weights of "{name}"', f"{known} --weights first")
    try:
        state = nested_state(load_arrays(files[name]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise UsageError(f"cannot read {files[name]}: {problem}") from None
    shapes = {each: array.shape for each, array in {**state.parameters, **state.statistics}.items()}
    if shapes != {**{each.name: each.shape for each in spec.parameters}, **{each.name: each.shape for each in spec.statistics}}:
        raise UsageError(f"{files[name]} holds the weights of another model")
    return Weights(state, f"what {name} had learned in {state.step} steps (run {run.name})")
