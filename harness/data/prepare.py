"""Rows made ready, once, for all arms: split, scaled, standardised, encoded and rounded to float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..spec import Data, Facts, SpecProblem, input_shape
from ..spec.datasets import File
from . import files
from .draw import permutation
from .facts import kept_back
from .generated import generate


@dataclass(frozen=True)
class Prepared:
    """Training and test rows. Inputs float32 `(rows, *shape)`; targets int64 `(rows,)` or float32 `(rows, width)`."""

    train_inputs: Any
    train_targets: Any
    test_inputs: Any
    test_targets: Any


def prepare(spec: Data, encoding: str, seed: int, folder: Path) -> Prepared:
    """Load, split, scale, standardise, encode.

    Args:
        spec: the data set.
        encoding: how targets are written (harness.spec.datasets.ENCODINGS).
        seed: from which the split and generated rows are drawn.
        folder: what a file's path is relative to.

    Raises:
        SpecProblem: a file cannot be read, or its values are too large.
    """
    rows = files.load(spec, folder) if isinstance(spec, File) else generate(spec, seed)
    facts = files.facts(rows)
    test, train = split(spec, facts.rows, seed)
    inputs = standardised(rows.inputs / spec.scale, train) if spec.standardize else rows.inputs / spec.scale
    values = standardised(rows.targets, train) if spec.standardize_targets and rows.targets.ndim == 2 else rows.targets
    with numpy.errstate(over="ignore"):
        inputs = inputs.astype(numpy.float32).reshape(-1, *input_shape(spec, facts))
        targets = encoded(values, encoding, facts)
    if not numpy.isfinite(inputs).all() or not numpy.isfinite(targets).all():
        raise SpecProblem(("data",), "the data have values that float32 cannot hold", "scale or standardize them", code="value")
    return Prepared(inputs[train], targets[train], inputs[test], targets[test])


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
        hot = targets.reshape(-1, 1)
    else:
        hot = numpy.eye(facts.classes or 0)[targets]
    return (2 * hot - 1 if encoding == "sign" else hot).astype(numpy.float32)
