"""The index: every run, sweep and committed reference in a row, with its report. A whole table without scripts; `index.js` filters and sorts
it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ..records.overview import Entry
from ..registry import parse
from .colours import colours
from .page import escaped

#: columns: key of the sort order, heading, what it is
COLUMNS = (
    ("name", "run", "its name, and its report where one was made"),
    ("experiment", "experiment", ""),
    ("day", "day", "when it was started, UTC"),
    ("arms", "arms", "what each arm came to; sorted by how many do not agree"),
    ("gradient", "gradient error", "the largest relative error of any gradient of any arm, and in units of what rounding alone does"),
    ("timing", "timed", "how much was timed"),
    ("fastest", "fastest", "the arms of the first tier, where the measurement proves one"),
    ("ended", "ended", "how it ended"),
    ("machine", "machine", ""),
)
#: choices above the tables: key, label
CHOICES = (("experiment", "experiment"), ("arm", "arm"), ("verdict", "verdict"), ("ended", "ended"))
#: how timings rank by their length
TIMINGS = ("", "smoke", "standard", "careful")


def index(entries: Sequence[Entry], references: Sequence[Entry], home: Path) -> str:
    """The content of the page.

    Args:
        entries: runs and sweeps, newest first.
        references: the committed ones.
        home: the folder that the page lies in: links are relative to it.
    """
    shown = Rows(home, [*entries, *references])
    return "\n".join(
        [
            filters([*entries, *references]),
            section("runs", "Runs and sweeps", shown.table("runs", entries), "None yet: <code>python -m harness run</code> makes the first."),
            section("references", "Committed references", shown.table("references", references), "There are none here."),
        ]
    )


def section(key: str, title: str, table: str, empty: str) -> str:
    """A table under its heading, or what is to be said where there is none."""
    return f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{title}</h2>{table or f"<p>{empty}</p>"}</section>'


def filters(entries: Sequence[Entry]) -> str:
    """What chooses rows; shown where scripts run, since it does nothing without them."""
    values: Mapping[str, list[str]] = {
        "experiment": [found.experiment for found in entries],
        "arm": [row["arm"] for found in entries for row in found.arms],
        "verdict": [verdict for found in entries for verdict in found.verdicts],
        "ended": [found.outcome for found in entries],
    }
    chosen = "".join(choice(key, label, values[key]) for key, label in CHOICES)
    return (
        '<form id="filters" role="search" aria-label="Choose rows" hidden>'
        '<label>text <input type="search" name="text" autocomplete="off" spellcheck="false"></label>'
        f'{chosen}<button type="reset">all</button><output id="count" aria-live="polite"></output></form>'
    )


def choice(key: str, label: str, values: Sequence[str]) -> str:
    """One list of values to choose from."""
    options = "".join(f"<option>{escaped(value)}</option>" for value in sorted(set(values) - {""}))
    return f'<label>{label} <select name="{key}"><option value="">any</option>{options}</select></label>'


class Rows:
    """The tables of one page.

    Attributes:
        home: the folder that links are relative to.
        colours: arm -> its framework's colour, the same in all rows.
    """

    def __init__(self, home: Path, entries: Sequence[Entry]) -> None:
        self.home = home
        arms = list(dict.fromkeys(row["arm"] for found in entries for row in found.arms))
        self.colours = dict(zip(arms, colours([backend(arm) for arm in arms]), strict=True))

    def table(self, key: str, entries: Sequence[Entry]) -> str:
        """A table; "" where it has no row. Roles are written out: laid out as cards, rows lose their own in some browsers."""
        if not entries:
            return ""
        heads = "".join(
            f'<th scope="col" role="columnheader" data-sort="{column}"{f' title="{about}"' if about else ""}>{title}</th>'
            for column, title, about in COLUMNS
        )
        body = "\n".join(self.row(key, found) for found in entries)
        return (
            f'<table role="table" class="index" aria-labelledby="{key}-title"><thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n'
            f'<tbody role="rowgroup">\n{body}\n</tbody></table>'
        )

    def row(self, key: str, found: Entry) -> str:
        """One run."""
        cells = {
            "name": (found.name, self.name(found)),
            "experiment": (found.experiment, escaped(found.experiment)),
            "day": (found.started, self.day(found)),
            "arms": (str(sum(row["verdict"] != "agrees" for row in found.arms)), "".join(self.arms(found))),
            "gradient": ("" if found.gradient_error is None else repr(found.gradient_error), gradient(found)),
            "timing": (str(TIMINGS.index(found.timing)) if found.timing in TIMINGS[1:] else "", escaped(found.timing)),
            "fastest": (found.fastest, escaped(found.fastest)),
            "ended": (found.outcome, ended(found)),
            "machine": (found.machine, escaped(found.machine)),
        }
        pairs = escaped(json.dumps({row["arm"]: row["verdict"] or "not judged" for row in found.arms}))
        drawn = "".join(
            f'<td role="cell" data-head="{title}" data-value="{escaped(cells[column][0])}">{cells[column][1]}</td>'
            for column, title, _ in COLUMNS
        )
        return f'<tr role="row" id="{key}-{quote(found.name, errors="replace")}" data-arms="{pairs}">{drawn}</tr>'

    def name(self, found: Entry) -> str:
        """Its name, linked to its report, or with what makes one."""
        name = f'<span class="name">{escaped(found.name)}</span>'
        kind = ' <span class="kind">sweep</span>' if found.kind == "sweep" else ""
        if found.report is None:
            return f"{name}{kind}{make(found)}"
        link = quote(found.report.relative_to(self.home).as_posix(), errors="replace")
        return f'<a href="{link}">{name}</a>{kind}'

    def day(self, found: Entry) -> str:
        """Day and minute."""
        return f'<time datetime="{escaped(found.started)}">{escaped(found.started[:16].replace("T", " "))}</time>' if found.started else ""

    def arms(self, found: Entry) -> Iterator[str]:
        """The arms by their verdict: colour says which framework, words say what it came to."""
        for verdict, arms in found.verdicts.items():
            marks = ", ".join(f'<span class="arm" style="--arm:{self.colours[arm]}">{escaped(arm)}</span>' for arm in arms)
            yield f'<span class="verdict"><b class="{"" if verdict == "agrees" else "bad"}">{escaped(verdict)}</b> {marks}</span>'


def make(found: Entry) -> str:
    """The command that makes a report, where a run has something to show and none was made."""
    if not found.arms or found.state in ("in progress", "damaged"):
        return ""
    return f'<details class="make"><summary>make its report</summary><code>python -m harness report {escaped(found.word)}</code></details>'


def gradient(found: Entry) -> str:
    """The largest gradient error, and in floors."""
    floors = max((row["floor_ratio"] for row in found.arms if row.get("floor_ratio") is not None), default=None)
    text = "" if found.gradient_error is None else f"{found.gradient_error:.1e}"
    return text if floors is None else f'{text} <small>{floors:.3g} x floor</small>'


def ended(found: Entry) -> str:
    """How it ended, in words."""
    bad = "" if found.outcome in ("holds", "complete", "in progress") else ' class="bad"'
    code = f" <small>exit {found.exit_code}</small>" if found.exit_code is not None and found.state == "complete" else ""
    note = f'<br><small class="note">{escaped(found.note)}</small>' if found.note else ""
    return f"<b{bad}>{escaped(found.outcome)}</b>{code}{note}"


def backend(arm: str) -> str:
    """The framework of an arm; what cannot be read stands for itself."""
    try:
        return parse(arm).backend
    except ValueError:
        return arm
