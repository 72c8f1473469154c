"""The order of the rows, the dropout masks and the noise of a whole run, drawn by the harness."""

from __future__ import annotations

from typing import Any

import numpy

from ..spec import Experiment, ProgramSpec, steps_per_epoch
from .draw import kept, noise, permutation


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


def drawn(spec: ProgramSpec, seed: int, batch_size: int, steps: int) -> dict[str, Any]:
    """What each random node draws in a whole run: of dropout what it keeps, as packed bits, uint8 `(steps, ceil(batch * size / 8))`; noise
    as it is added, float32 `(steps, batch, *draw_shape)`."""
    found = {}
    for node in spec.random_nodes:
        layer: Any = node.layer
        shape = (batch_size, *node.draw_shape)
        if layer.random == "noise":
            each = [noise(seed, node.name, shape, layer.stddev, step) for step in range(steps)]
        else:
            each = [numpy.packbits(kept(seed, node.name, shape, layer.rate, step)) for step in range(steps)]
        found[node.name] = numpy.stack(each)
    return found
