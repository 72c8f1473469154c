"""What a list of many runs shows of one: saved beside it when it ends, so that hundreds are read in a second."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas

from ..errors import HarnessError
from ..records.overview import Entry, overview
from ..records.store import SUMMARY_FILE, write_json
from .run import Run, load
from .sweep import Sweep, load_sweep

#: columns of `runs`
COLUMNS = [
    "kind", "name", "experiment", "dtype", "started", "outcome", "arms", "agree", "gradient_error", "timing", "fastest", "machine", "note",
]  # fmt: skip


def summary_of(run: Run) -> dict[str, Any]:
    """A run's summary with reasons and tiers, as JSON."""
    tiers = run.timings.drop_duplicates("arm").set_index("arm")["tier"].dropna() if len(run.timings) else {}
    rows = [
        {**run.summary_row(record), "reason": record.reason, "tier": int(tiers[record.arm]) if record.arm in tiers else None}
        for record in run.arms
    ]
    fastest = ", ".join(row["arm"] for row in rows if row["tier"] == 1)
    return {"schema": "harness.summary/1", "exit_code": run.exit_code, "fastest": fastest, "arms": rows}


def summary_of_sweep(found: Sweep) -> dict[str, Any]:
    """A sweep's summary, as JSON: an arm agrees where it does in every program."""
    rows, fastest = [], []
    for arm, part in found.cells.groupby("arm", sort=False):
        bad = part[part["status"] != "ok"]
        worst = "differs" if "differs" in set(bad["status"]) else bad["status"].iloc[0] if len(bad) else "agrees"
        rows.append({"arm": arm, "verdict": worst, "reason": f"in {len(bad)} of {len(part)} programs" if len(bad) else ""})
        first = int((part["tier"] == 1).sum())
        fastest += [f"{arm} in {first} of {len(part)}"] if first else []
    return {"schema": "harness.summary/1", "exit_code": found.exit_code, "fastest": ", ".join(fastest), "arms": rows}


def lacking(entries: Iterable[Entry]) -> list[Entry]:
    """Those that ended and have no summary yet: earlier versions wrote none."""
    return [found for found in entries if found.state in ("complete", "interrupted") and not (found.folder / SUMMARY_FILE).exists()]


def summarise(found: Entry) -> None:
    """Write the summary of a run or sweep that has none, where it can be read and written: it is a convenience, and nothing is lost."""
    try:
        summary = summary_of(load(found.folder)) if found.kind == "run" else summary_of_sweep(load_sweep(found.folder))
        write_json(found.folder / SUMMARY_FILE, summary)
    except (HarnessError, OSError, ValueError, LookupError):
        return


def runs(results: str | Path = "results") -> pandas.DataFrame:
    """All saved runs and sweeps, newest first: kind, name, experiment, dtype, started, outcome (holds, differs, failed, interrupted; in
    progress, incomplete or damaged where there is none), arms, agree (how many of them), gradient_error (the largest of any arm), timing
    (how much was timed), fastest (the arms of the first tier), machine, note (what is wrong with it)."""
    rows = [
        {
            "kind": found.kind, "name": found.name, "experiment": found.experiment, "dtype": found.dtype, "started": found.started,
            "outcome": found.outcome, "arms": ", ".join(row["arm"] for row in found.arms), "agree": len(found.verdicts.get("agrees", ())),
            "gradient_error": found.gradient_error, "timing": found.timing, "fastest": found.fastest, "machine": found.machine,
            "note": found.note,
        }
        for found in overview(Path(results))
    ]  # fmt: skip
    return pandas.DataFrame(rows, columns=COLUMNS)
