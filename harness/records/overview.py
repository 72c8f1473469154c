"""Everything that is saved, a row each: from manifests and summaries, a few kilobytes a run; no tables and no tensors are read.

A folder that is damaged, or of a run that did not end, is a row that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from .store import REPORT_FILE, SUMMARY_FILE, read_document

#: folder of the results -> what lies in it, and the schema of its manifests
KINDS = {"runs": ("run", "harness.run/1"), "sweeps": ("sweep", "harness.sweep/1")}
#: exit code -> in a word
OUTCOMES: Mapping[int, str] = {0: "holds", 1: "differs", 3: "failed", 130: "interrupted"}
#: the end of a folder's name
STAMP = re.compile(r"-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{4}$")


@dataclass(frozen=True)
class Entry:
    """A run, a sweep or a committed reference in one row.

    Attributes:
        kind: run, sweep or reference.
        folder: where it is.
        state: complete, interrupted, in progress, incomplete (it did not end), damaged; of a reference committed or damaged.
        experiment, dtype: what was run.
        started: when, as ISO text in UTC; of a reference the day alone.
        arms: of each arm `arm` and `verdict` (its status where it failed), and where they are known `gradient_error`, `floor_ratio` and
            the other columns of a run's summary.
        exit_code: of a run that ended, once it is summarised.
        timing: how much was timed: smoke, standard, careful; "" where nothing was.
        fastest: the arms of the first tier, where the measurement ranks.
        machine: processor, cores, system.
        note: what is wrong with the folder, or else has to be said.
    """

    kind: str
    folder: Path
    state: str
    experiment: str = ""
    dtype: str = ""
    started: str = ""
    arms: Sequence[Mapping[str, Any]] = ()
    exit_code: int | None = None
    timing: str = ""
    fastest: str = ""
    machine: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """Its name, which no other of its kind has."""
        return self.folder.name

    @property
    def report(self) -> Path | None:
        """Its report, where one was made."""
        path = self.folder / REPORT_FILE
        return path if path.exists() else None

    @property
    def outcome(self) -> str:
        """How it ended, in a word; its state where it did not."""
        return self.state if self.exit_code is None or self.state != "complete" else OUTCOMES.get(self.exit_code, "failed")

    @property
    def verdicts(self) -> dict[str, list[str]]:
        """Verdict -> the arms that have it, in order."""
        found: dict[str, list[str]] = {}
        for row in self.arms:
            found.setdefault(row["verdict"] or "not judged", []).append(row["arm"])
        return found

    @property
    def gradient_error(self) -> float | None:
        """The largest relative gradient error of any arm; None where it is not known."""
        return max((row["gradient_error"] for row in self.arms if row.get("gradient_error") is not None), default=None)


def overview(results: Path) -> list[Entry]:
    """All runs and sweeps in a folder of results, newest first."""
    folders = [(kind, folder) for kind in KINDS for folder in (results / kind).glob("*") if folder.is_dir()]
    return sorted((entry(kind, folder) for kind, folder in folders), key=lambda found: (found.started, found.name), reverse=True)


def entry(kind: str, folder: Path) -> Entry:
    """One row.

    Args:
        kind: a key of KINDS.
        folder: of a run or a sweep, in whatever state.
    """
    word, schema = KINDS[kind]
    state = "in progress" if in_progress(folder) else "incomplete"
    plain = Entry(word, folder, state, experiment_of(folder.name), started=day_of(folder.name))
    try:
        if not (folder / "manifest.json").exists():
            note = "" if state == "in progress" else "it did not end"
            return replace(plain, arms=[judged(row) for row in heads(folder)], note=note)
        return summarised(plain, read_document(folder / "manifest.json", schema))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        return replace(plain, state="damaged", note=f"it cannot be read: {problem}")


def summarised(plain: Entry, manifest: Mapping[str, Any]) -> Entry:
    """The row of a run or sweep that ended.

    Raises:
        OSError, ValueError, LookupError, TypeError, AttributeError: a file is damaged.
    """
    path = plain.folder / SUMMARY_FILE
    summary: dict[str, Any] = read_document(path, "harness.summary/1") if path.exists() else {"arms": list(heads(plain.folder))}
    arms = [judged(row) for row in summary["arms"]]
    place = {arm: index for index, arm in enumerate(manifest["arms"])}
    arms.sort(key=lambda row: place.get(row["arm"], len(place)))
    return replace(
        plain, state="interrupted" if manifest["interrupted"] else "complete", experiment=str(manifest["experiment"]),
        dtype=str(manifest["dtype"]), started=str(manifest["started"]), arms=arms,
        exit_code=None if summary.get("exit_code") is None else int(summary["exit_code"]),
        timing=str((manifest.get("timing") or {}).get("preset", "")), fastest=str(summary.get("fastest", "")),
        machine=machine(manifest["environment"]),
    )  # fmt: skip


def judged(row: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's row of a summary.

    Raises:
        LookupError, TypeError, ValueError: it is none.
    """
    numbers = {name: None if row.get(name) is None else float(row[name]) for name in ("gradient_error", "floor_ratio")}
    return {**row, **numbers, "arm": str(row["arm"]), "verdict": str(row["verdict"] or "")}


def heads(folder: Path) -> Iterator[dict[str, Any]]:
    """What the arms' records say in their heads: verdict and the largest error in floors. For runs without a summary."""
    for path in sorted((folder / "arms").glob("*/record.json")):
        head = json.loads(path.read_text(encoding="utf-8"))
        if not head["arm"].startswith("reference"):
            facts = head["facts"]
            verdict = facts.get("verdict", "") if head["status"] == "ok" else head["status"]
            yield {"arm": head["arm"], "verdict": verdict, "floor_ratio": facts.get("largest_ratio"), "reason": head["reason"]}


def in_progress(folder: Path) -> bool:
    """Whether the process that writes a folder lives."""
    try:
        return bool(psutil.pid_exists(json.loads((folder / "running.json").read_text(encoding="utf-8"))["pid"]))
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return False


def machine(facts: Mapping[str, Any]) -> str:
    """A machine in a few words."""
    cores = facts.get("cores")
    words = (facts.get("cpu"), f"{cores} core{'' if cores == 1 else 's'}" if cores else None, facts.get("system"))
    return ", ".join(str(word) for word in words if word)


def experiment_of(name: str) -> str:
    """The experiment's name in a folder's name."""
    return STAMP.sub("", name) if STAMP.search(name) else ""


def day_of(name: str) -> str:
    """When a folder was made, by its name."""
    found = STAMP.search(name)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else ""
