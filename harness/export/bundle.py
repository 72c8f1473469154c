"""From a planned experiment to what scripts are written from."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..execution.layout import initial_state, lay_out
from ..execution.plan import Plan
from ..interface import Batch, State
from ..worker.task import Task
from .draft import Draft
from .write import written


def export(found: Plan, frameworks: Sequence[str], folder: Path, steps: int, command: str, force: bool = False) -> list[Path]:
    """Write an experiment as scripts; see `written`.

    Args:
        found: the experiment.
        frameworks: of FRAMEWORKS.
        folder: where the files go; made if it is not there.
        steps: at most so many of its steps.
        command: what the scripts say wrote them.
        force: whether files that are there may be written over.

    Raises:
        NotWritten: something in it is not written for one of the frameworks; nothing was written.
        UsageError: a file is there already.
        SpecError: its data cannot be read.
    """
    found = dataclasses.replace(found, steps=min(steps, found.steps))
    experiment = found.experiment
    draft = Draft(experiment.name, found.spec, experiment.compare.dtype, description=experiment.description, command=command)
    state, batches = gathered(found)
    folder.mkdir(parents=True, exist_ok=True)
    return written(draft, state, batches, frameworks, folder, force)


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
