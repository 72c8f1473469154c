"""The environments that have been created, and taking them away again."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from .environment import MARK, created_folder


@dataclass(frozen=True)
class Created:
    """One created environment.

    Attributes:
        name: of the environment it was made from.
        key: fingerprint of what decided its content.
        folder: where it lies.
        python: its version.
        packages: what is installed in it, `name==version`.
        megabytes: its size on disk; what it shares with a cache by hard links counts too.
    """

    name: str
    key: str
    folder: Path
    python: str
    packages: tuple[str, ...]
    megabytes: float

    @property
    def for_one_arm(self) -> bool:
        """Whether it was made for an arm that names its requirements, and not from a file."""
        return "[" in self.name


def created() -> list[Created]:
    """All of them, by name."""
    found = []
    for mark in created_folder().glob(f"*/{MARK}"):
        try:
            facts = json.loads(mark.read_text(encoding="utf-8"))
            packages = tuple(facts["packages"])
            found.append(Created(facts["name"], facts["key"], mark.parent, facts["python"], packages, facts["megabytes"]))
        except (OSError, ValueError, KeyError):
            continue
    return sorted(found, key=lambda item: (item.name, item.key))


def remove(folder: Path) -> None:
    """Take an environment away, its mark first, so that no half of it counts.

    Raises:
        OSError: it cannot be removed.
    """
    (folder / MARK).unlink(missing_ok=True)
    shutil.rmtree(folder)


def sweep() -> None:
    """Take away what creations that were killed have left."""
    for folder in created_folder().glob(".*.part"):
        maker = folder.name.split(".")[-2]
        if not maker.isdigit() or not psutil.pid_exists(int(maker)):
            shutil.rmtree(folder, ignore_errors=True)
