"""Finding runs: by id, its unique start or end, `latest`, `latest~1`, or a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil

from ..errors import UsageError
from .record import Record
from .store import read_document, read_record


def run_folders(results: Path) -> list[Path]:
    """Folders of all runs, oldest first by the time in their names."""
    folders = [path for path in (results / "runs").glob("*") if (path / "arms").is_dir()]
    return sorted(folders, key=lambda path: path.name.rsplit("-", 2)[-2:])


def find(name: str, results: Path) -> Path:
    """The folder of a run.

    Raises:
        UsageError: there is none of that name, or more than one.
    """
    if (Path(name) / "arms").is_dir():
        return Path(name)
    folders = run_folders(results)
    word, _, back = name.partition("~")
    if word == "latest" and back in ("", *map(str, range(len(folders)))):
        index = int(back or 0)
        if index < len(folders):
            return folders[-1 - index]
    fitting = [folder for folder in folders if folder.name.startswith(name) or folder.name.endswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UsageError(f'there is no run "{name}" in {results / "runs"}', "harness list runs")
    raise UsageError(f'"{name}" fits {len(fitting)} runs', ", ".join(folder.name for folder in fitting[-5:]))


def read_run(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    """Manifest (empty where the run did not end) and records of a run.

    Raises:
        UsageError: a file is damaged.
    """
    records = [read_record(path.parent) for path in sorted((folder / "arms").glob("*/record.json"))]
    return manifest(folder), records


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run; empty where it did not end."""
    try:
        return read_document(folder / "manifest.json", "harness.run/1")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise UsageError(f"cannot read {folder / 'manifest.json'}: {problem}") from None


def others_running(results: Path, own: Path) -> list[str]:
    """Names of other runs that are in progress here: timings disturb each other."""
    found = []
    for path in (results / "runs").glob("*/running.json"):
        try:
            pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
        except (OSError, ValueError, KeyError):
            continue
        if path.parent != own and psutil.pid_exists(pid):
            found.append(path.parent.name)
    return found
