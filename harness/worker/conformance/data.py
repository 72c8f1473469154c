"""Random states and batches, of numbers that float32 can hold."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

import numpy

from ...interface import Arrays, Batch, State
from ...spec import Loss, Node, ProgramSpec, active_slots
from ...spec.layers import Embedding
from ...spec.losses import KLDivergence, Poisson
from .case import Case

#: slots that are never negative
SQUARES = ("second_moment", "infinity_norm", "mean_square", "mean_square_update", "sum_of_squares")


def generator(seed: int) -> Any:
    """The source of everything random in a case."""
    return numpy.random.Generator(numpy.random.Philox(seed))


def drawn(case: Case, seed: int) -> List[Tuple[State, List[Batch]]]:
    """For each step of a case a state and two batches, the first as the case prepares it."""
    random, found = generator(seed), []
    for step in case.steps:
        state, batches = state_of(case.spec, random, step), [batch_of(case.spec, random, case.rows) for _ in range(2)]
        if case.prepare is not None:
            for batch in batches:
                case.prepare(state, batch, random)
        found.append((state, batches))
    return found


def single(values: Any) -> Any:
    """Values that float32 can hold."""
    return numpy.array(values, numpy.float32)


def state_of(spec: ProgramSpec, random: Any, step: int) -> State:
    """A random state after some steps."""
    parameters = {item.name: single(random.standard_normal(item.shape) * 0.5) for item in spec.parameters}
    slots = {
        slot: {item.name: slot_of(spec, slot, item.shape, random, step) for item in spec.parameters}
        for slot in active_slots(spec.optimizer)
    }
    statistics = {
        item.name: single(0.5 + random.random(item.shape) if item.start else random.standard_normal(item.shape) * 0.5)
        for item in spec.statistics
    }
    return State(parameters, slots, step, statistics)


def slot_of(spec: ProgramSpec, slot: str, shape: Any, random: Any, step: int) -> Any:
    """One slot: zero before the first update; squares positive; nothing accumulated where an update has just been made."""
    every = spec.optimizer.gradient_accumulation_steps
    values = random.standard_normal(shape) * 0.1
    if slot == "accumulated":
        return single(values * (step % every > 0))
    if step < every:
        return single(numpy.full(shape, getattr(spec.optimizer, "initial_accumulator_value", 0.0) if slot == "sum_of_squares" else 0.0))
    return single(numpy.abs(values) + 0.01 if slot in SQUARES else values)


def batch_of(spec: ProgramSpec, random: Any, rows: int) -> Batch:
    """A random batch."""
    shape = (rows, *spec.input_shape)
    inputs = random.integers(0, words(spec), shape) if spec.integer_inputs else single(random.standard_normal(shape))
    weights = None
    if spec.weighted:
        weights = single(0.125 + 2 * random.random((rows, *spec.terms_shape)))
        weights.flat[0] = 0
    return Batch(inputs, targets_of(spec, random, rows), masks_of(spec.random_nodes, random, rows), weights)


def arrays_of(batch: Batch) -> Mapping[str, Any]:
    """All arrays of a batch by name."""
    weights = {} if batch.weights is None else {"weights": batch.weights}
    masks = {f"masks/{name}": mask for name, mask in (batch.masks or {}).items()}
    return {"inputs": batch.inputs, "targets": batch.targets, **weights, **masks}


def words(spec: ProgramSpec) -> int:
    """How many words every embedding of a program knows."""
    return min(node.layer.input_dim for node in spec.nodes if isinstance(node.layer, Embedding))


def targets_of(spec: ProgramSpec, random: Any, rows: int) -> Any:
    """Random targets in a program's encoding."""
    shape = (rows, *spec.output_shape)
    if spec.targets == "value":
        return single(values_of(spec.loss, random, shape))
    width = shape[-1]
    classes = random.integers(0, max(width, 2), shape[:-1])
    if spec.targets == "integer":
        return classes
    hot = single(numpy.eye(width)[classes] if width > 1 else classes[..., None])
    return 2 * hot - 1 if spec.targets == "sign" else hot


def values_of(loss: Loss, random: Any, shape: Tuple[int, ...]) -> Any:
    """Values that a loss takes: counts, probabilities (some of them zero), or anything."""
    if isinstance(loss, Poisson):
        return random.poisson(2.0, shape)
    if isinstance(loss, KLDivergence):
        found = random.random(shape)
        found[..., 0] *= random.random(shape[:-1]) < 0.5
        return found / found.sum(-1, keepdims=True)
    return random.standard_normal(shape)


def masks_of(nodes: "Tuple[Node, ...]", random: Any, rows: int) -> Arrays:
    """What the random nodes draw."""
    found: Dict[str, Any] = {}
    for node in nodes:
        layer: Any = node.layer
        shape = (rows, *node.draw_shape)
        if layer.random == "noise":
            found[node.name] = single(random.standard_normal(shape) * layer.stddev)
        else:
            found[node.name] = single(random.random(shape) >= layer.rate) * numpy.float32(layer.scale)
    return found
