"""The plan of a saved run: its experiment, as it was run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..spec import decode
from ..spec.tree import tree_of
from .plan import Plan, plan


def saved_plan(folder: Path, arms: Sequence[str] = ()) -> Plan:
    """The experiment of the run in a folder.

    Raises:
        UsageError: a file of it is damaged.
        SpecError: it cannot be run here, e.g. since its data are not here.
    """
    try:
        experiment = decode(json.loads((folder / "experiment.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as problem:
        raise UsageError(f"cannot read {folder / 'experiment.json'}: {problem}") from None
    return plan(tree_of(experiment), arms=arms)
