"""Where a page's numbers come from: the command that repeats them, the machine, the versions, the experiment's text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..records.record import Record
from .formats import words
from .parts import Code, Part, Section, Table, Text, table

#: what the facts of a machine are called, where not by their own names
LABELS = {"memory_gib": "memory, GiB", "cpu": "processor", "load": "load before"}


def origin(manifest: Mapping[str, Any], folder: Path, records: Sequence[Record] = ()) -> list[Section]:
    """The sections at the end of a page."""
    facts = {**(manifest.get("environment") or manifest.get("machine") or {}), "load after": manifest.get("load_after")}
    rows = [{"what": LABELS.get(name, name), "value": str(value)} for name, value in facts.items() if value not in (None, "", {})]
    path = folder / "experiment.toml"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return [
        Section("environment", "Environment", [
            Code(manifest["command"], "The command that repeats it:") if manifest.get("command") else None,
            table(rows, {"what": words, "value": words}, {"what": "", "value": ""}), *versions(records), fingerprints(records),
        ]),
        Section("experiment", "Experiment", [Code(text, numbered=True)] if text else []),
    ]  # fmt: skip


def versions(records: Sequence[Record]) -> list[Part | None]:
    """What each arm is made of: what differs between arms, and folded away what they share."""
    found = {record.arm: flat(record.facts.get("versions") or {}) for record in records if record.facts.get("versions")}
    keys = dict.fromkeys(itertools.chain.from_iterable(found.values()))
    rows = [{"what": key, **{arm: each.get(key, "") for arm, each in found.items()}} for key in keys]
    alike = [row for row in rows if len(found) > 1 and len({row[arm] for arm in found}) == 1]
    shared = ", ".join(f"{row['what']} {next(found[arm][row['what']] for arm in found)}" for row in alike)
    return [
        arms_table([row for row in rows if row not in alike], list(found), "Versions and settings of each arm"),
        Text([f"The same in all arms: {shared}."]) if alike else None,
    ]


def arms_table(rows: Sequence[Mapping[str, Any]], arms: Sequence[str], caption: str) -> Table | None:
    """Facts down, arms to the right; folded."""
    heads = {"what": "", **{arm: arm for arm in arms}}
    return table(rows, {"what": words, **dict.fromkeys(arms, words)}, heads, caption=caption, folded=True, arms=arms)


def fingerprints(records: Sequence[Record]) -> Text | None:
    """What all arms were given, as read back from their frameworks."""
    known = {name: value for record in records for name, value in (record.facts.get("fingerprints") or {}).items() if value}
    text = ", ".join(f"{name} {value}" for name, value in known.items())
    return Text([f"Fingerprints, of what was read back from the frameworks' own tensors: {text}."]) if text else None


def flat(versions: Mapping[str, Any]) -> dict[str, str]:
    """Nested facts as text."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in versions.items()}
