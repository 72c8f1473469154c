"""Everything that workers read, laid out once: rows, order, masks, first weights."""

from __future__ import annotations

from pathlib import Path

import numpy

from ..data.draw import weights
from ..data.plan import batch_order, drawn
from ..data.prepare import Prepared, prepare
from ..interface import State, flat_state, save_arrays, state_fingerprint
from ..spec import ProgramSpec, SpecProblem, active_slots, first_slot
from .plan import Plan


def lay_out(found: Plan, folder: Path) -> str:
    """Load and draw everything and leave it where workers read it: `data.npz` and `initial.npz`.

    Returns:
        The fingerprint of the first weights.
    """
    experiment, seed = found.experiment, found.experiment.compare.seed
    try:
        rows: Prepared = prepare(experiment.data, found.spec, seed, found.folder)
    except SpecProblem as problem:
        raise found.source.error(problem) from None
    order = batch_order(experiment, len(rows.train_inputs), found.steps)
    masks = drawn(found.spec, seed, order.shape[1], found.steps)
    save_arrays(folder / "data.npz", {**rows.arrays(), "order": order, **{f"masks/{name}": bits for name, bits in masks.items()}})
    state = initial_state(found.spec, seed)
    save_arrays(folder / "initial.npz", flat_state(state))
    return state_fingerprint(state)


def initial_state(spec: ProgramSpec, seed: int) -> State:
    """The first state: drawn weights, slots and statistics as they start."""
    parameters = {parameter.name: weights(seed, parameter) for parameter in spec.parameters}
    slots = {
        slot: {name: numpy.full_like(array, first_slot(spec.optimizer, slot)) for name, array in parameters.items()}
        for slot in active_slots(spec.optimizer)
    }
    statistics = {item.name: numpy.full(item.shape, item.start, numpy.float32) for item in spec.statistics}
    return State(parameters, slots, 0, statistics)
