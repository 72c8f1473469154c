"""What is known of data before they are loaded. Nothing heavy is imported where a data set is known by its name."""

from __future__ import annotations

import math
from pathlib import Path

from ..spec import Data, Facts, SpecProblem, known_facts
from ..spec.datasets import File


def data_facts(spec: Data, folder: Path) -> Facts:
    """Rows, features and classes, without loading more than needed: a file is read, a bundled set is known.

    Raises:
        SpecProblem: the file cannot be read, or `shape` does not fit it.
    """
    facts = known_facts(spec)
    if facts is None:
        if not isinstance(spec, File):
            raise TypeError(f"nothing known of {spec.type}")
        from . import files

        facts = files.facts(files.load(spec, folder), spec)
    if spec.integer_inputs and (facts.integers is None or spec.scale != 1 or spec.standardize):
        reason = "its values are no whole numbers" if facts.integers is None else "scale and standardize make them values"
        raise SpecProblem(("data", "integer_inputs"), f"the inputs cannot be whole numbers: {reason}", code="value")
    if spec.shape is not None and math.prod(spec.shape) != facts.features:
        size = math.prod(spec.shape)
        raise SpecProblem(("data", "shape"), f"shape {list(spec.shape)} has {size} values, the data have {facts.features} a row")
    return facts


def train_rows(spec: Data, facts: Facts) -> int:
    """How many rows are left for training."""
    return facts.rows - kept_back(spec, facts.rows)


def kept_back(spec: Data, rows: int) -> int:
    """How many rows are for testing: rounded down, but 0.7 of 10 are 7, though float32's 0.7 is a little less."""
    return int(rows * spec.test_fraction * (1 + 2.0**-23))
