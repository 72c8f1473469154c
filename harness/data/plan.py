"""The order of the rows and the dropout masks of a whole run, drawn by the harness."""

from __future__ import annotations

from typing import Any

import numpy

from ..spec import Dropout, Experiment, ProgramSpec, steps_per_epoch
from .draw import kept, permutation


def batch_order(experiment: Experiment, rows: int, steps: int) -> Any:
    """Row numbers of every step's batch, int32 `(steps, batch_size)`."""
    per_epoch = steps_per_epoch(experiment, rows)
    size = experiment.train.batch_size
    if isinstance(size, str):
        return numpy.tile(numpy.arange(rows, dtype=numpy.int32), (steps, 1))
    epochs = []
    for epoch in range(-(-steps // per_epoch)):
        order = permutation(experiment.compare.seed, "order", rows, epoch) if experiment.train.shuffle else numpy.arange(rows)
        epochs.append(order[: per_epoch * size].reshape(per_epoch, size))
    return numpy.concatenate(epochs)[:steps].astype(numpy.int32)


def mask_bits(spec: ProgramSpec, seed: int, batch_size: int, steps: int) -> dict[str, Any]:
    """What each dropout node keeps, packed bits: node -> uint8 `(steps, ceil(batch * size / 8))`."""
    found = {}
    for node in spec.nodes:
        if isinstance(node.layer, Dropout):
            shape = (batch_size, *node.output_shape)
            rows = [numpy.packbits(kept(seed, node.name, shape, node.layer.rate, step)) for step in range(steps)]
            found[node.name] = numpy.stack(rows)
    return found
