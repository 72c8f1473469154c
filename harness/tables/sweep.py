"""A grid that was run, as a tidy DataFrame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas

from ..errors import UsageError
from ..records.store import read_document


@dataclass(frozen=True)
class Sweep:
    """A grid that was run.

    Attributes:
        folder: where it is saved.
        manifest: what it was.
        cells: a row for each program and arm: the swept keys, `parameters`, `arm`, `status`, `reason`, `verdict` of its numbers, and
            what was measured (harness.execution.sweep.MEASURED).
    """

    folder: Path
    manifest: dict[str, Any]
    cells: pandas.DataFrame

    @property
    def keys(self) -> list[str]:
        """What was swept."""
        return list(self.manifest["sweep"])

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The cells as dicts."""
        found: list[dict[str, Any]] = self.cells.astype(object).to_dict("records")
        return found

    @property
    def exit_code(self) -> int:
        """As a run's: 0 all agree, 1 something differs, 3 something failed, 130 interrupted."""
        if self.manifest["interrupted"]:
            return 130
        statuses = set(self.cells["status"])
        if statuses - {"ok", "missing", "unsupported", "differs"} or "ok" not in statuses | {"differs"}:
            return 3
        return 1 if "differs" in statuses else 0


def load_sweep(folder: Path) -> Sweep:
    """A saved sweep.

    Raises:
        UsageError: it did not end, or a file of it is damaged.
    """
    try:
        manifest = read_document(folder / "manifest.json", "harness.sweep/1")
        return Sweep(folder, manifest, pandas.read_csv(folder / "cells.csv", keep_default_na=False, na_values=[""]))
    except (OSError, ValueError) as problem:
        raise UsageError(f"cannot read the sweep {folder}: {problem}") from None
