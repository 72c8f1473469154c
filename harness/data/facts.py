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

        facts = files.facts(files.load(spec, folder))
    if spec.shape is not None and math.prod(spec.shape) != facts.features:
        raise SpecProblem(
            ("data", "shape"), f"shape {list(spec.shape)} has {math.prod(spec.shape)} values, the data have {facts.features} a row"
        )
    return facts


def train_rows(spec: Data, facts: Facts) -> int:
    """How many rows are left for training."""
    return facts.rows - int(facts.rows * spec.test_fraction)
