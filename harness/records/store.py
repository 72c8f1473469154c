"""A run on disk. Every file is written beside and renamed; an arm is saved as it ends, `manifest.json` last.

results/runs/<name>-<UTC time>-<4 hex digits>/
    experiment.toml experiment.json environment.json
    arms/<arm>/record.json losses.parquet metrics.parquet agreement.parquet blocks.parquet final.npz log.txt
    manifest.json
    summary.json        made of what is above: what a list of many runs shows of it
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .record import SCHEMA, Record

TABLES = ("metrics", "agreement", "probes", "blocks")
#: what a list of many runs shows of one
SUMMARY_FILE = "summary.json"
#: the page about a run, where one was made
REPORT_FILE = "report.html"


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, see `write_bytes`; its lines end alike on every system."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: beside, then renamed."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON; numbers that are not finite become null."""
    write_text(path, json.dumps(finite(value), indent=1, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same tree with null for numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass
class Store:
    """Where a run is written.

    The first problem in writing (a full disk, say) is kept in `problem` and nothing more is written: the run goes on and its tables
    are still shown.

    Attributes:
        folder: of the run.
        problem: why something could not be saved; "" while all went well.
    """

    folder: Path
    problem: str = ""

    @classmethod
    def create(cls, results: Path, name: str, kind: str = "runs") -> Store:
        """Make a new run's folder, or one of another kind.

        Raises:
            UsageError: nothing can be written there.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        folder = results / kind / f"{name}-{stamp}-{secrets.token_hex(2)}"
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            (folder / "arms").mkdir(parents=True)
            write_json(folder / "running.json", {"pid": os.getpid()})
        except OSError as problem:
            shutil.rmtree(folder, ignore_errors=True)
            raise UsageError(
                f"cannot write results to {results}: {problem.strerror}", "choose another folder with --results FOLDER"
            ) from None
        return cls(folder)

    def discard(self) -> None:
        """Take the folder away again: nothing was run."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self, action: Any) -> None:
        """Do some writing, unless an earlier one failed."""
        if self.problem:
            return
        try:
            action()
        except OSError as problem:
            self.problem = problem.strerror or str(problem)

    def text(self, name: str, text: str) -> None:
        """Save a text file of the run."""
        self.save(lambda: write_text(self.folder / name, text))

    def json(self, name: str, value: Any) -> None:
        """Save a JSON file of the run."""
        self.save(lambda: write_json(self.folder / name, value))

    def record(self, record: Record, logs: Sequence[Path] = ()) -> None:
        """Save an arm."""
        self.save(lambda: save_record(self.folder / "arms" / file_name(record.arm), record, logs))

    def finish(self, manifest: dict[str, Any]) -> None:
        """Save the manifest: the run is complete."""
        self.json("manifest.json", manifest)
        self.save(lambda: (self.folder / "running.json").unlink(missing_ok=True))


def file_name(arm: str) -> str:
    """A name for an arm's files that every file system takes, another for another arm."""
    plain = re.sub(r"[^A-Za-z0-9_.@=-]+", "-", arm).rstrip("-")
    return plain if re.fullmatch(r"[A-Za-z0-9_.@=:-]+", arm) else f"{plain[:80]}-{hashlib.sha256(arm.encode()).hexdigest()[:6]}"


def save_record(folder: Path, record: Record, logs: Sequence[Path]) -> None:
    """Write one arm's folder, its `record.json` last."""
    folder.mkdir(exist_ok=True)
    around = [*record.envelope, *[None] * (len(record.losses) - len(record.envelope))]
    losses = [{"step": step, "loss": loss, "envelope": at} for step, (loss, at) in enumerate(zip(record.losses, around, strict=True))]
    write_parquet(folder / "losses.parquet", losses)
    for name in TABLES:
        write_parquet(folder / f"{name}.parquet", getattr(record, name))
    if record.final is not None and record.final.exists():
        shutil.copyfile(record.final, folder / "final.npz.part")
        (folder / "final.npz.part").replace(folder / "final.npz")
    printed = "".join(log.read_text("utf-8", "replace") for log in logs if log.exists())
    if printed:
        write_text(folder / "log.txt", printed)
    head = {"schema": SCHEMA, "arm": record.arm, "status": record.status, "reason": record.reason, "facts": record.facts}
    write_json(folder / "record.json", head)


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, if there are any."""
    if not rows:
        return
    import pyarrow
    from pyarrow import parquet

    beside = path.with_name(path.name + ".part")
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), beside)
    beside.replace(path)


def read_record(folder: Path) -> Record:
    """Read one arm's folder.

    Raises:
        UsageError: it is not what `save_record` wrote.
    """
    try:
        head = read_document(folder / "record.json", SCHEMA)
        rows = read_parquet(folder / "losses.parquet")
        losses, around = [row["loss"] for row in rows], [row["envelope"] for row in rows if row.get("envelope") is not None]
        tables = {name: read_parquet(folder / f"{name}.parquet") for name in TABLES}
        final = folder / "final.npz"
        return Record(
            head["arm"], head["status"], head["reason"], head["facts"], losses, around, final=final if final.exists() else None, **tables
        )
    except (OSError, ValueError, KeyError) as problem:
        raise UsageError(f"cannot read {folder}: {problem}") from None


def read_document(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON file that says what it is.

    Raises:
        ValueError: it is no JSON, or something else.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("schema") != schema:
        raise ValueError(f"{path.name} is not of schema {schema!r}")
    return found


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """Read rows; none where there is no file."""
    if not path.exists():
        return []
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows
