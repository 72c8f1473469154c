"""A committed reference: `results/reference/<name>/`, small and friendly to git.

experiment.toml   the experiment as it was run, and the file that its data come from, where that lies beside it
losses.csv metrics.csv tensors.csv timings.csv
manifest.json     versions, machine, fingerprints, and the checksum of every file above
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from ..errors import HarnessError, UsageError
from ..records.store import write_json, write_text
from ..tables import Run
from . import cells

SCHEMA = "harness.reference/1"
FILES = ("experiment.toml", *(f"{name}.csv" for name in cells.KEYS))


@dataclass(frozen=True)
class Reference:
    """A reference as it was read.

    Attributes:
        folder: where it is.
        manifest: versions, machine, fingerprints.
        tables: the committed tables.
        edited: files that are not as they were written.
    """

    folder: Path
    manifest: dict[str, Any]
    tables: dict[str, pandas.DataFrame]
    edited: list[str]

    @property
    def name(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def experiment(self) -> Path:
        """The experiment as it was run."""
        return self.folder / "experiment.toml"


def read(folder: Path) -> Reference:
    """Read a reference.

    Raises:
        UsageError: it is not there, or damaged.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest.get("schema") != SCHEMA:
            raise ValueError(f"schema {manifest.get('schema')!r}, not {SCHEMA!r}")
        edited = [name for name in {*FILES, *manifest["files"]} if checksum(folder / name) != manifest["files"].get(name)]
        return Reference(folder, manifest, cells.read(folder), edited)
    except (OSError, ValueError, KeyError) as problem:
        raise UsageError(f"cannot read the reference {folder}: {problem}") from None


def checksum(path: Path) -> str:
    """sha256 of a text file, whatever its line ends."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def data_file(text: str) -> list[str]:
    """The file that an experiment's data come from, where it lies beside it or below."""
    path = str(tomllib.loads(text).get("data", {}).get("path", ""))
    return [path] if path and not Path(path).is_absolute() and ".." not in Path(path).parts else []


def write(folder: Path, run: Run, experiment: Path) -> None:
    """Commit a run of an experiment as a reference.

    Raises:
        HarnessError: the run is not fit to be one: an arm failed or differs.
    """
    bad = [f"{record.arm} ({record.facts.get('verdict') if record.status == 'ok' else record.status})" for record in run.arms
           if record.status not in ("ok", "unsupported") or record.facts.get("verdict", "agrees") != "agrees"]  # fmt: skip
    if bad:
        raise HarnessError(f"{folder.name}: not fit to be a reference: {', '.join(bad)}")
    folder.mkdir(parents=True, exist_ok=True)
    text = experiment.read_text(encoding="utf-8")
    write_text(folder / "experiment.toml", text)
    for name in data_file(text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(experiment.parent / name, folder / name)
    cells.write(folder, cells.committed(run))
    write_json(folder / "manifest.json", manifest(folder, run, [*FILES, *data_file(text)]))


def manifest(folder: Path, run: Run, files: Sequence[str]) -> dict[str, Any]:
    """What else has to be known of a reference."""
    facts = run.manifest
    copied = (
        "experiment",
        "description",
        "dtype",
        "device",
        "threads",
        "seed",
        "rows",
        "batch_size",
        "steps",
        "parameters",
        "weights",
    )
    machine = ("cpu", "cores", "threads", "python", "system", "release", "harness", "load")
    return {
        "schema": SCHEMA,
        **{name: facts[name] for name in copied},
        "date": facts["started"][:10],
        "machine": {name: facts["environment"].get(name) for name in machine},
        "fingerprints": fingerprints(run),
        "arms": {record.arm: arm_facts(record) for record in run.arms},
        "files": {name: checksum(folder / name) for name in files},
    }


def arm_facts(record: Any) -> dict[str, Any]:
    """Status, reason, forms and versions of one arm."""
    versions = record.facts.get("versions") or {}
    kept = {name: version for name, version in versions.items() if isinstance(version, str)}
    return {
        "status": record.status,
        "reason": record.reason,
        "forms": record.facts.get("forms") if record.losses else None,
        "versions": kept,
    }


def fingerprints(run: Run) -> dict[str, str]:
    """Fingerprints of weights, batches and masks, the same for all arms."""
    reference = next(record for record in run.records if record.is_reference)
    found: dict[str, str] = reference.facts["fingerprints"]
    return found
