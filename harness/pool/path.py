"""The import path of workers: a folder that holds `harness` and `backends` and nothing else of the parent's, so that a worker in
another environment finds none of this one's packages."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..registry import home


def import_path(folder: Path) -> Path:
    """Make such a folder inside `folder`, with links where the system allows them, else with copies."""
    path = folder / "path"
    path.mkdir()
    for package in (Path(__file__).resolve().parents[1], home()):
        link = path / package.name
        try:
            link.symlink_to(package, target_is_directory=True)
        except OSError:
            shutil.copytree(package, link, ignore=shutil.ignore_patterns("__pycache__"))
    return path
