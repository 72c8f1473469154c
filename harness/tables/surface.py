"""The loss over a plane, and the paths on it, as tidy DataFrames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from ..errors import UsageError
from ..records.store import read_document

SCHEMA = "harness.surface/1"


@dataclass(frozen=True)
class Surface:
    """A surface that was computed.

    Attributes:
        folder: where it is saved.
        manifest: what it is of, what its plane is, and of each arm how its path ends.
        grid: `x`, `y`, `loss`; NaN where it is not finite.
        paths: `arm`, `step`, `x`, `y`, `loss` at the path's own point, `off` (its distance from the plane), `shown` (whether it is drawn).
    """

    folder: Path
    manifest: dict[str, Any]
    grid: pandas.DataFrame
    paths: pandas.DataFrame

    @property
    def arms(self) -> pandas.DataFrame:
        """A row an arm, the references first: `arm`, `status`, `steps`, `first_loss`, `last_loss`, `x`, `y` (where it ends), `held` (how
        much of its movement lies in the plane), `apart` (its distance from the reference in its forms), `reason`."""
        return pandas.DataFrame(self.manifest["arms"])

    @property
    def exit_code(self) -> int:
        """0 every arm has a path, 3 one failed. Arms that are not installed, that a framework cannot express or that diverge do not
        count."""
        statuses = {row["status"] for row in self.manifest["arms"]}
        return 3 if self.manifest.get("unsaved") or statuses - {"ok", "missing", "unsupported", "diverged"} else 0


def load_surface(folder: Path) -> Surface:
    """A saved surface.

    Raises:
        UsageError: a file of it is damaged.
    """
    try:
        manifest = read_document(folder / "manifest.json", SCHEMA)
        return Surface(folder, manifest, *(pandas.read_csv(folder / f"{name}.csv") for name in ("grid", "paths")))
    except (OSError, ValueError) as problem:
        raise UsageError(f"cannot read the surface {folder}: {problem}") from None
