"""Directed probes: steps from states and batches that training does not bring, made of a run's first ones. Random data stay away from
kinks, ties and saturation; a fault that shows only there has to be looked for there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

import numpy

from ..interface import Batch, State, flat_state, load_arrays, save_arrays
from ..spec import ProgramSpec

#: factor that saturates: exp(-64 x) is nothing beside 1 in float32 for nearly every x of unit size
FAR = numpy.float32(64)
#: mean and deviation of inputs that are nearly constant: a variance that is made of a difference loses 16 of float32's 24 bits
MEAN, DEVIATION = numpy.float32(32), numpy.float32(1 / 8)
#: factor that makes inputs tiny beside biases of 1
CLOSE = numpy.float32(1 / 512)

Step = Tuple[State, Batch]
Change = Callable[[ProgramSpec, State, Batch], Step]


def with_inputs(change: Callable[[Any], Any]) -> Change:
    """Other inputs, everything else as it is."""
    return lambda spec, state, batch: (state, replace(batch, inputs=change(batch.inputs).astype(batch.inputs.dtype)))


def with_parameters(state: State, change: Callable[[Any], Any], names: Optional[Set[str]] = None) -> State:
    """Other parameters; all, or those named."""
    changed = {name: change(array) if names is None or name in names else array for name, array in state.parameters.items()}
    return replace(state, parameters=changed)


def ties(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """Whole inputs; a node's parameters are few multiples of one power of two: sums of products are exact, and many are equal, or zero."""
    grids: Dict[str, Any] = {}
    for node in spec.nodes:
        arrays = [state.parameters[parameter.name] for parameter in node.parameters]
        size = max((float(numpy.sqrt(numpy.mean(numpy.square(array)))) for array in arrays), default=0.0)
        grids.update({parameter.name: numpy.float32(2.0 ** numpy.ceil(numpy.log2(size or 1.0))) for parameter in node.parameters})
    parameters = {name: numpy.rint(array / grids[name]) * grids[name] for name, array in state.parameters.items()}
    return replace(state, parameters=parameters), replace(batch, inputs=numpy.rint(batch.inputs).astype(batch.inputs.dtype))


def close(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """Small inputs, biases around 1."""
    biases = {name for name in state.parameters if name.endswith("bias")}
    return with_parameters(state, lambda array: array + numpy.float32(1), biases), replace(batch, inputs=batch.inputs * CLOSE)


def alive(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """Nothing is negative."""
    return with_parameters(state, numpy.abs), replace(batch, inputs=numpy.abs(batch.inputs))


def saturated(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """Large outputs: the last parameters are."""
    last = next(node for node in reversed(spec.nodes) if node.parameters)
    return with_parameters(state, lambda array: FAR * array, {parameter.name for parameter in last.parameters}), batch


def labels(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """Every class in turn; of sample weights, none and four in turn."""
    rows = len(batch.targets)
    targets = batch.targets
    if spec.targets == "integer":
        targets = (numpy.arange(targets.size) % spec.nodes[-1].output_shape[-1]).reshape(targets.shape).astype(targets.dtype)
    elif spec.targets == "one_hot":
        targets = numpy.eye(targets.shape[-1], dtype=targets.dtype)[numpy.arange(rows) % targets.shape[-1]]
    weights = batch.weights
    if weights is not None:
        weights = (4 * (numpy.arange(weights.size) % 2)).reshape(weights.shape).astype(weights.dtype)
    return state, replace(batch, targets=targets, weights=weights)


def infinite(spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """The first number is infinite."""
    inputs = batch.inputs.copy()
    inputs.flat[0] = numpy.inf
    return state, replace(batch, inputs=inputs)


#: probe -> what it is good for, and how it is made of the first step
PROBES: Dict[str, Tuple[str, Change]] = {
    "zeros": ("inputs of zero: kinks, rows without a deviation, vectors without a length", with_inputs(numpy.zeros_like)),
    "ties": ("whole inputs, few different parameters: equal numbers where the largest is taken, exact kinks", ties),
    "far": ("inputs 64 times as large: gates and scores saturate, exponentials overflow", with_inputs(lambda x: FAR * x)),
    "close": ("inputs 512 times as small, biases of 1: differences cancel behind biases, epsilons count", close),
    "shifted": ("inputs of a large mean and a small deviation: variances cancel", with_inputs(lambda x: x * DEVIATION + MEAN)),
    "alive": ("nothing is negative: every unit is on, so every bit of every dropout mask shows", alive),
    "saturated": ("outputs 64 times as large: losses of logits that are far out", saturated),
    "labels": ("every class in turn, sample weights of 0 and 4 in turn", labels),
    "infinite": ("one infinite input: whether the loss shows it", infinite),
}  # fmt: skip


def applies(spec: ProgramSpec) -> Iterator[str]:
    """The probes that a program can take."""
    for name in PROBES:
        if name in ("ties", "far", "close", "shifted", "infinite") and spec.integer_inputs:
            continue
        if name == "saturated" and not spec.parameters:
            continue
        if name == "labels" and not (spec.weighted or spec.targets in ("integer", "one_hot")):
            continue
        yield name


def probe(name: str, spec: ProgramSpec, state: State, batch: Batch) -> Step:
    """State and batch of one probe; those given are not changed."""
    return PROBES[name][1](spec, state, batch)


def lay_out(spec: ProgramSpec, state: State, batch: Batch, folder: Path) -> List[str]:
    """Leave every probe that a program can take as `state-<name>.npz` and `batch-<name>.npz`; their names."""
    names = list(applies(spec))
    for name in names:
        start, data = probe(name, spec, state, batch)
        save_arrays(folder / f"state-{name}.npz", flat_state(start))
        masks = {f"masks/{node}": mask for node, mask in (data.masks or {}).items()}
        weights = {} if data.weights is None else {"weights": data.weights}
        save_arrays(folder / f"batch-{name}.npz", {"inputs": data.inputs, "targets": data.targets, **weights, **masks})
    return names


def load_batch(path: Path) -> Batch:
    """A probe's batch."""
    arrays = load_arrays(path)
    masks = {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith("masks/")}
    return Batch(arrays["inputs"], arrays["targets"], masks, arrays.get("weights"))
