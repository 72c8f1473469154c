"""What a loss surface is made of: an arm's path through its parameters, and the loss at points of a plane."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy

from ..interface import Batch, Program, State, load_arrays, parameter_arrays, parameter_vector, save_arrays
from ..spec import ProgramSpec
from .numeric import chunks, trained
from .task import Task

Progress = Callable[..., None]


def descend(
    program: Program, spec: ProgramSpec, task: Task, *, marks: Sequence[int], file: Path, progress: Progress
) -> Dict[str, Any]:
    """An arm trains on its own, as in the numeric lane, and leaves its parameters now and then.

    Args:
        program: loaded with the first state.
        spec: what it was built from.
        task: its data.
        marks: after how many steps the parameters are kept, ascending; the last one ends the training.
        file: gets `points`, float64 `(marks, numbers)`.
        progress: told (step, loss) now and then.

    Returns:
        `stopped`: the first step whose loss is not finite, None if there is none. What was kept ends before it.
    """
    steps, points, stopped = marks[-1], [], None
    if 0 in marks:
        points.append(parameter_vector(spec, program.state().parameters))
    for start, end in chunks(steps, marks):
        losses = trained(program, program.stage([task.batch(step) for step in range(start, end)]), end - start)
        progress(step=end, steps=steps, loss=losses[-1])
        stopped = next((start + index for index, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if stopped is not None:
            break
        if end in marks:
            points.append(parameter_vector(spec, program.state().parameters))
    save_arrays(file, {"points": numpy.stack(points)})
    return {"stopped": stopped}


def losses_at(
    program: Program, spec: ProgramSpec, batch: Batch, state: State, points: Any, progress: Progress
) -> List[Optional[float]]:
    """The loss at each of some points.

    Args:
        program: its state is replaced.
        spec: what it was built from.
        batch: see `rows_of`.
        state: everything that is not a parameter.
        points: vectors of all parameters, an iterable.
        progress: told (points) now and then: how many are done.

    Returns:
        The loss, penalties included; None where it is not finite.
    """
    found: List[Optional[float]] = []
    for point in points:
        program.load(replace(state, parameters=parameter_arrays(spec, point)))
        loss = float(program.probe(batch).loss)
        found.append(loss if math.isfinite(loss) else None)
        progress(points=len(found))
    return found


def on_plane(file: Path, coordinates: Sequence[Sequence[float]]) -> Any:
    """Points of a plane, one after the other: `origin (numbers,)` and `directions (2, numbers)` stand in a file."""
    plane = load_arrays(file)
    return (plane["origin"] + a * plane["directions"][0] + b * plane["directions"][1] for a, b in coordinates)


def rows_of(task: Task, spec: ProgramSpec, rows: int) -> Batch:
    """So many training rows, evenly spread, as one batch with their own weights; nothing is dropped, and no noise is added."""
    chosen = numpy.arange(rows) * len(task.train_inputs) // rows
    masks = {
        node.name: numpy.full((rows, *node.draw_shape), 1 if node.layer.random == "mask" else 0, numpy.float32)
        for node in spec.random_nodes
    }
    weights = None if task.weights is None else task.weights[chosen]
    return Batch(task.train_inputs[chosen], task.train_targets[chosen], masks, weights)
