"""The data of a run, as the parent left them: rows, order, masks, first weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import numpy

from ..interface import Batch, load_arrays
from ..spec import ProgramSpec


class Task:
    """Batches of a run by step."""

    def __init__(self, path: Path, spec: ProgramSpec) -> None:
        arrays = load_arrays(path)
        self.train_inputs, self.train_targets = arrays["train_inputs"], arrays["train_targets"]
        self.test_inputs, self.test_targets = arrays["test_inputs"], arrays["test_targets"]
        #: row numbers, `(steps, batch_size)`
        self.order = arrays["order"]
        #: sample weights, `(rows, *terms_shape)`, where the program has them
        self.weights = arrays["train_weights"] if spec.weighted else None
        self.random = spec.random_nodes
        #: of dropout packed bits `(steps, bytes)`, of noise float32 `(steps, batch_size, *draw_shape)`
        self.drawn = {node.name: arrays[f"masks/{node.name}"] for node in self.random}

    def batch(self, step: int, native_dropout: bool = False) -> Batch:
        """The batch of a step; with `native_dropout` it brings no masks."""
        rows = self.order[step]
        masks = None if native_dropout else self.masks(step)
        weights = None if self.weights is None else self.weights[rows]
        return Batch(self.train_inputs[rows], self.train_targets[rows], masks, weights)

    def masks(self, step: int) -> Dict[str, Any]:
        """The masks and the noise of a step, float32, already scaled."""
        found = {}
        for node in self.random:
            drawn = self.drawn[node.name][step]
            if node.layer.random == "noise":
                found[node.name] = drawn
                continue
            shape = (self.order.shape[1], *node.draw_shape)
            kept = numpy.unpackbits(drawn, count=int(numpy.prod(shape))).reshape(shape)
            found[node.name] = kept * numpy.float32(getattr(node.layer, "scale", 1.0))
        return found

    def splits(self) -> Dict[str, Batch]:
        """All training rows and all test rows, where there are any, as one batch each, all rows alike in weight."""
        pairs = {"train": (self.train_inputs, self.train_targets), "test": (self.test_inputs, self.test_targets)}
        return {name: Batch(x, y, weights=self.alike(len(x))) for name, (x, y) in pairs.items() if len(x)}

    def alike(self, rows: int) -> Any:
        """Sample weights of one; None where the program has none."""
        return None if self.weights is None else numpy.ones((rows, *self.weights.shape[1:]), numpy.float32)

    def resident(self, native_dropout: bool, budget: int = 64 << 20) -> List[Batch]:
        """The first batches of the run, at most 8 and at most `budget` bytes, for the timing lane."""
        first = self.batch(0, native_dropout)
        size = first.inputs.nbytes + sum(mask.nbytes for mask in (first.masks or {}).values())
        count = int(max(1, min(8, len(self.order), budget // max(size, 1))))
        return [first, *(self.batch(step, native_dropout) for step in range(1, count))]


def named(batch: Batch) -> "list[tuple[str, Any]]":
    """Inputs, targets and sample weights of a batch with names, for a fingerprint."""
    weights = [] if batch.weights is None else [("weights", batch.weights)]
    return [("inputs", batch.inputs), ("targets", batch.targets), *weights]


def named_masks(batch: Batch) -> "list[tuple[str, Any]]":
    """Masks of a batch with names, for a fingerprint."""
    return sorted((batch.masks or {}).items())
