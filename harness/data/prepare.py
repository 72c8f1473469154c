"""Rows made ready, once, for all arms: split, scaled, standardised, encoded and rounded to float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..spec import Data, Facts, ProgramSpec, SpecProblem, known_facts
from ..spec.datasets import File
from . import files
from .draw import permutation
from .facts import kept_back
from .generated import Rows, generate


@dataclass(frozen=True)
class Prepared:
    """Training and test rows. Inputs float32 `(rows, *shape)`, or int64 where they are whole numbers; targets int64 `(rows, *steps)` or
    float32 `(rows, ..., width)`; sample weights of the training rows float32 `(rows, *terms_shape)`, or None."""

    train_inputs: Any
    train_targets: Any
    test_inputs: Any
    test_targets: Any
    train_weights: Any = None

    def arrays(self) -> dict[str, Any]:
        """All that there are, by name."""
        return {name: array for name, array in vars(self).items() if array is not None}


def prepare(spec: Data, program: ProgramSpec, seed: int, folder: Path) -> Prepared:
    """Load, split, scale, standardise, encode.

    Args:
        spec: the data set.
        program: says how targets are written (harness.spec.datasets.ENCODINGS), and whether rows are weighted.
        seed: from which the split and generated rows are drawn.
        folder: what a file's path is relative to.

    Raises:
        SpecProblem: a file cannot be read, or its values are too large.
    """
    rows = files.load(spec, folder) if isinstance(spec, File) else generate(spec, seed)
    facts = known_facts(spec) or files.facts(rows, spec)  # rows may miss the last class
    test, train = split(spec, facts.rows, seed)
    inputs = standardised(rows.inputs / spec.scale, train) if spec.standardize else rows.inputs / spec.scale
    values = standardised(rows.targets, train) if spec.standardize_targets and facts.classes is None else rows.targets
    with numpy.errstate(over="ignore"):
        inputs = inputs.astype(numpy.int64 if spec.integer_inputs else numpy.float32).reshape(-1, *program.input_shape)
        targets = inputs if spec.targets == "inputs" else encoded(values, program.targets, facts)
    if not numpy.isfinite(inputs).all() or not numpy.isfinite(targets).all():
        raise SpecProblem(("data",), "the data have values that float32 cannot hold", "scale or standardize them", code="value")
    weights = weighted(program, rows, facts)
    return Prepared(inputs[train], targets[train], inputs[test], targets[test], None if weights is None else weights[train])


def weighted(program: ProgramSpec, rows: Rows, facts: Facts) -> Any:
    """Sample weights float32 `(rows, *terms_shape)`: those of the rows, times those of their classes; None where there are none."""
    if not program.weighted:
        return None
    weights = numpy.ones((facts.rows, *program.terms_shape))
    if rows.weights is not None:
        weights *= rows.weights.reshape(-1, *(1 for _ in program.terms_shape))
    of_classes = getattr(program.loss, "class_weights", None)
    return (weights if of_classes is None else weights * numpy.array(of_classes)[rows.targets]).astype(numpy.float32)


def split(spec: Data, rows: int, seed: int) -> tuple[Any, Any]:
    """Row numbers for testing and for training; each in their first order where nothing is kept back."""
    count = kept_back(spec, rows)
    if not count:
        return numpy.arange(0), numpy.arange(rows)
    order = permutation(seed, "data/split", rows)
    return order[:count], order[count:]


def standardised(values: Any, train: Any) -> Any:
    """Mean 0 and deviation 1 over the training rows (dividing by n); constant columns are only centred."""
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    return (values - mean) / numpy.where(deviation == 0, 1, deviation)


def encoded(targets: Any, encoding: str, facts: Facts) -> Any:
    """Targets in the encoding that the loss reads."""
    if encoding in ("integer", "value"):
        return targets.astype(numpy.int64 if encoding == "integer" else numpy.float32)
    if encoding == "binary" or (encoding == "sign" and facts.classes == 2):
        hot = targets[..., None]
    else:
        hot = numpy.eye(facts.classes or 0)[targets]
    return (2 * hot - 1 if encoding == "sign" else hot).astype(numpy.float32)
