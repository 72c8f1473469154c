"""The index: every run, sweep and committed reference in a row, with its report. It is whole without scripts; one filters and sorts it."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ..errors import UsageError
from ..records.overview import Entry
from ..registry import parse
from .colours import colours
from .formats import number
from .page import page
from .parts import Choices, Line, Listing, Part, Section, Text
from .parts import table as plain_table

#: columns: key, heading, what it says where the heading does not
COLUMNS = (
    ("name", "run", "Its name, linked to its report where one was made."),
    ("experiment", "experiment", ""),
    ("day", "started", "UTC."),
    ("arms", "arms", "What each arm came to: whether its numbers agree with the reference, or why it has none. Sorted by how many do not."),
    ("gradient", "gradient error", "The largest relative error of any gradient of any arm; and of any tensor, over what rounding does."),
    ("timing", "timed", "How much was timed: smoke is indicative, standard and careful rank."),
    ("fastest", "fastest", "The arms of the first tier, where the measurement proves one."),
    ("ended", "ended", "How it ended: holds, differs, failed (an arm did, or none could be judged), interrupted; in progress; incomplete, "
     "where it did not end; damaged, where it cannot be read."),
    ("machine", "machine", ""),
)  # fmt: skip
#: timings by their length
TIMINGS = ("", "smoke", "standard", "careful")
#: outcomes that are nothing to look after
CALM = ("holds", "complete", "committed", "in progress")
PLURAL = {"holds": "hold", "differs": "differ"}
EMPTY = "None yet: python -m harness run makes the first."


def index_page(entries: Sequence[Entry], references: Sequence[Entry], home: Path) -> str:
    """The page.

    Args:
        entries: runs and sweeps, newest first.
        references: the committed ones.
        home: the folder that the page will lie in: its links are relative to it.

    Raises:
        UsageError: what makes pages is not installed.
    """
    everything = [*entries, *references]
    tints = tints_of(everything)
    sections = [
        Section("runs", "Runs and sweeps", [choices(everything), listing("runs and sweeps", entries, home, tints) or Text([EMPTY])]),
        Section("references", "Committed references", [listing("references", references, home, tints)]),
        Section("columns", "What the columns say", [legend()]),
    ]
    return page("harness: all results", lead(entries, references), sections, mood="calm")


def lead(entries: Sequence[Entry], references: Sequence[Entry]) -> list[str]:
    """How much there is, and how it ended."""
    kinds, outcomes = Counter(found.kind for found in entries), Counter(found.outcome for found in entries)
    many = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items()]
    ends = ", ".join(f"{count} {PLURAL.get(outcome, outcome) if count > 1 else outcome}" for outcome, count in outcomes.most_common())
    return [f"{' and '.join(many) or 'No runs'}{f': {ends}' if ends else ''}.", f"{len(references)} committed references."]


def choices(entries: Sequence[Entry]) -> Choices:
    """What rows are chosen by; those that nothing tells apart are left out."""
    values: Mapping[str, set[str]] = {
        "experiment": {found.experiment for found in entries}, "arm": {row["arm"] for found in entries for row in found.arms},
        "verdict": {verdict for found in entries for verdict in found.verdicts}, "ended": {found.outcome for found in entries},
    }  # fmt: skip
    return Choices({key: sorted(map(clean, found - {""})) for key, found in values.items()})


def listing(what: str, entries: Sequence[Entry], home: Path, tints: Mapping[str, str]) -> Listing | None:
    """A table; None where it has no row."""
    columns = [(column, title) for column, title, _ in COLUMNS]
    return Listing(what, columns, [line(found, home, tints) for found in entries]) if entries else None


def line(found: Entry, home: Path, tints: Mapping[str, str]) -> Line:
    """One row."""
    floors = max((row["floor_ratio"] for row in found.arms if row.get("floor_ratio") is not None), default=None)
    cells = {
        "experiment": found.experiment, "day": found.started[:16].replace("T", " "), "gradient": number(2)(found.gradient_error),
        "timing": found.timing, "fastest": found.fastest, "ended": found.outcome, "machine": found.machine,
    }  # fmt: skip
    order = {
        **cells, "name": found.name, "day": found.started, "arms": str(sum(row["verdict"] != "agrees" for row in found.arms)),
        "gradient": "" if found.gradient_error is None else repr(found.gradient_error),
        "timing": str(TIMINGS.index(found.timing)) if found.timing in TIMINGS[1:] else "",
    }  # fmt: skip
    beside = {
        "gradient": "" if floors is None else f"{floors:.3g} x floor",
        "ended": found.note or ("" if found.exit_code in (None, 0) else f"exit {found.exit_code}"),
    }
    return Line(
        anchor=f"{found.kind}-{quote(found.name, errors='replace')}", name=clean(found.name), kind="sweep" if found.kind == "sweep" else "",
        link="" if found.report is None else quote(os.path.relpath(found.report, home).replace(os.sep, "/"), errors="replace"),
        command=make(found), cells=cleaned(cells), beside=cleaned(beside), order=cleaned(order), bad=found.outcome not in CALM,
        arms=[(verdict, [(clean(arm), tints[arm]) for arm in arms]) for verdict, arms in found.verdicts.items()],
        pairs=json.dumps({row["arm"]: row["verdict"] or "not judged" for row in found.arms}),
    )  # fmt: skip


def make(found: Entry) -> str:
    """The command that makes a report; "" where there is one, or nothing to show."""
    if found.report is not None or not found.arms or found.state in ("in progress", "damaged"):
        return ""
    return f"python -m harness report {shlex.quote(clean(found.folder.as_posix()))}"


def legend() -> Part | None:
    """What the columns say."""
    return plain_table([{"column": title, "says": says} for _, title, says in COLUMNS if says], {"column": str, "says": str}, {"says": ""})


def tints_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Arm -> its framework's colour, the same in all rows."""
    arms = list(dict.fromkeys(row["arm"] for found in entries for row in found.arms))
    return dict(zip(arms, colours([backend(arm) for arm in arms]), strict=True))


def backend(arm: str) -> str:
    """The framework of an arm; a name that is none stands for itself."""
    try:
        return parse(arm).backend
    except UsageError:
        return arm


def cleaned(texts: Mapping[str, str]) -> dict[str, str]:
    """Each of some texts."""
    return {name: clean(text) for name, text in texts.items()}


def clean(text: str) -> str:
    """Text as UTF-8 can hold it: names of files may have bytes that are none."""
    return text.encode("utf-8", "replace").decode("utf-8")
