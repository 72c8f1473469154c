"""The numeric lane of one arm: the free pass and the forced pass. Tensors are captured; nothing here is timed."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple, Union

import numpy

from ..interface import (
    ZERO,
    Arrays,
    Batch,
    Program,
    State,
    changes,
    check_outputs,
    check_probe,
    check_trace,
    errors,
    fingerprint,
    flat_state,
    float32_state,
    load_arrays,
    nested_state,
    save_arrays,
)
from ..spec import ProgramSpec
from .metrics import metrics
from .probes import load_batch
from .task import Task, named, named_masks

#: steps that are staged at a time
CHUNK = 100
#: a forced step: its number, or the name of a probe
Step = Union[int, str]


def chunks(steps: int, stops: Sequence[int]) -> Iterator[Tuple[int, int]]:
    """Ranges of steps that end at each stop and are no longer than CHUNK."""
    ends = sorted({*range(CHUNK, steps, CHUNK), *(stop for stop in stops if 0 < stop < steps), steps})
    return zip([0, *ends], ends)


def free_pass(
    program: Program,
    task: Task,
    *,
    steps: int,
    evaluate: Sequence[int],
    keep: Sequence[int],
    names: Sequence[str],
    threshold: float,
    spec: ProgramSpec,
    folder: Path,
    progress: Callable[..., None],
) -> Dict[str, Any]:
    """The arm trains on its own.

    Args:
        program: loaded with the first state.
        task: its data.
        steps: how many.
        evaluate: after how many steps metrics are taken.
        keep: steps before which the state is saved in `folder` as `state-<step>.npz`, rounded to float32.
        names: metrics.
        threshold: see harness.worker.metrics.
        spec: what the program was built from.
        folder: where `final.npz` and the kept states go.
        progress: told (step, loss) now and then.

    Returns:
        `losses` of each step, `metrics` rows, fingerprints of what was read back, `stopped` at a loss that is not finite.
    """
    losses: List[float] = []
    rows: List[Dict[str, Any]] = []
    batches, masks = hashlib.sha256(), hashlib.sha256()
    splits = {name: (program.stage([batch]), batch.targets) for name, batch in task.splits().items()}
    for start, end in chunks(steps, [*evaluate, *keep]):
        if start in keep:
            save_arrays(folder / f"state-{start}.npz", flat_state(float32_state(program.state())))
        staged = program.stage([task.batch(step) for step in range(start, end)])
        for seen in program.unstage(staged):
            batches.update(fingerprint(named(seen)).encode())
            masks.update(fingerprint(named_masks(seen)).encode())
        losses += trained(program, staged, end - start)
        progress(step=end, steps=steps, loss=losses[-1])
        if not math.isfinite(losses[-1]):
            break
        if end in evaluate:
            for split, (inputs, targets) in splits.items():
                outputs = program.predict(inputs)[0]
                check_outputs(spec, len(targets), outputs)
                found = metrics(names, outputs, targets, spec.targets, threshold)
                rows += [{"step": end, "split": split, "metric": name, "value": value} for name, value in found.items()]
    save_arrays(folder / "final.npz", flat_state(program.state()))
    bad = next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
    return {
        "losses": losses,
        "metrics": rows,
        "stopped": bad,
        "fingerprints": {"batches": batches.hexdigest()[:16], "masks": masks.hexdigest()[:16] if task.random else ""},
    }


def trained(program: Program, staged: Any, steps: int) -> List[float]:
    """Train, and check what comes back."""
    trace = program.train(staged, steps)
    check_trace(steps, 1, trace)
    return [float(loss) for loss in trace.losses]


def forced_pass(
    program: Program,
    spec: ProgramSpec,
    task: Task,
    *,
    steps: Sequence[Step],
    states: Path,
    folder: Path,
    progress: Callable[..., None],
) -> None:
    """Each step from the reference's state: outputs, gradients and the update, saved in `folder` as `forced-<step>.npz`.

    Args:
        program: its own state is replaced.
        spec: what it was built from.
        task: its data.
        steps: which.
        states: folder with the reference's `state-<step>.npz`, and of probes `batch-<step>.npz`.
        folder: where the tensors go.
        progress: told (step) now and then.
    """
    for step in steps:
        state, batch = start_of(task, states, step)
        save_arrays(folder / f"forced-{step}.npz", forced_step(program, spec, batch, state))
        progress(forced=step)


def replica_errors(
    adapter: Any,
    spec: ProgramSpec,
    task: Task,
    *,
    dtype: str,
    modes: Sequence[str],
    steps: Sequence[Step],
    states: Path,
    progress: Callable[..., None],
) -> List[List[Dict[str, float]]]:
    """How far replicas of the reference are from it: by step and mode, the error of each tensor.

    Args:
        adapter: the reference's module.
        spec: what replicas are built from.
        task: its data.
        dtype: that they compute in.
        modes: which.
        steps: forced steps.
        states: folder with the reference's states and its `forced-<step>.npz`.
        progress: told (step) now and then.
    """
    found = []
    for step in steps:
        state, batch = start_of(task, states, step)
        right = load_arrays(states / f"forced-{step}.npz")
        programs = (adapter.Program(spec, dtype, "cpu", mode) for mode in modes)
        found.append([errors(forced_step(program, spec, batch, state), right) for program in programs])
        progress(replicas=step)
    return found


def patterns(program: Program, task: Task, steps: int) -> Arrays:
    """Where outputs, and gradients at them, are zero at each step of a free training: bool `(steps, rows, ...)` by name."""
    found: Dict[str, List[Any]] = {}
    for step in range(steps):
        batch = task.batch(step)
        probe = program.probe(batch)
        for group, arrays in (("outputs", probe.outputs), ("output_gradients", probe.output_gradients)):
            for name, array in arrays.items():
                found.setdefault(f"{group}/{name}", []).append(numpy.abs(array) < ZERO)
        trained(program, program.stage([batch]), 1)
    return {name: numpy.stack(each) for name, each in found.items()}


def start_of(task: Task, states: Path, step: Step) -> Tuple[State, Batch]:
    """State and batch of a forced step."""
    state = nested_state(load_arrays(states / f"state-{step}.npz"))
    return state, load_batch(states / f"batch-{step}.npz") if isinstance(step, str) else task.batch(step)


def forced_step(program: Program, spec: ProgramSpec, batch: Batch, state: State) -> Arrays:
    """All tensors of one step from one state, by name: `loss/...`, `outputs/...`, `gradients/...`, `updates/...`; of slots and
    statistics, as of parameters, what the step changed."""
    program.load(state)
    probe = program.probe(batch)
    check_probe(spec, len(batch.inputs), probe)
    (loss,) = trained(program, program.stage([batch]), 1)
    after = program.state()
    tensors: Arrays = {"loss/probe": numpy.float64(probe.loss), "loss/step": numpy.float64(loss)}
    groups = {"outputs": probe.outputs, "gradients": probe.gradients, "output_gradients": probe.output_gradients}
    for group, found in groups.items():
        tensors.update({f"{group}/{name}": array for name, array in found.items()})
    if probe.input_gradient is not None:
        tensors["output_gradients/input"] = probe.input_gradient
    return {**tensors, **changes(state, after)}
