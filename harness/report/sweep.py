"""The report of a sweep: where the fastest changes, the curves, the table."""

from __future__ import annotations

from typing import Any

from ..tables.sweep import Sweep
from .crossovers import programs, said, troubles, value
from .formats import Format, fixed, number, words
from .growth import of_sweep
from .origin import origin
from .page import page
from .parts import Figure, Part, Section, Text, table

MOODS = {0: "good", 1: "bad", 3: "bad", 130: "calm"}


def sweep_page(found: Sweep) -> str:
    """The report of a sweep as one HTML file.

    Raises:
        UsageError: what draws is not installed.
    """
    facts = found.manifest
    lines = list(said(found))
    lead = [*(lines[:1] or ["No arm overtakes another."]), *([f"{facts['description'].rstrip('.')}."] if facts.get("description") else [])]
    threads = f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}"
    lead.append(f"{facts['dtype']}, {facts['device']}, {threads}, seed {facts['seed']}; {facts['started'][:10]}.")
    sections = [
        Section("growth", "How steps grow", [*sweep_figures(found), Text([*lines[1:], *troubles(found)])]),
        Section("cells", "All programs", [cells(found)]),
        *origin(facts, found.folder),
    ]
    return page(f"{facts['experiment']}: {', '.join(found.keys)}", lead, sections, facts["arms"], MOODS.get(found.exit_code, "calm"))


def sweep_figures(found: Sweep) -> list[Figure]:
    """The picture of a sweep."""
    chart = of_sweep(found)
    ranks = found.manifest["timing"]["preset"] != "smoke"
    caption = f"Median of a training step{'' if ranks else ', indicative'}; both axes are logarithmic. Dotted: where the fastest changes."
    return [] if chart is None else [Figure("growth", "Training step", caption, "Step time of each arm over the swept key", chart)]


def cells(found: Sweep) -> Part | None:
    """A row a program."""

    def step(each: Any) -> str:
        return fixed(1)(each) if isinstance(each, float) else words(each)

    columns: dict[str, Format] = {
        **dict.fromkeys(found.keys, value), "parameters": number(3), **dict.fromkeys(found.manifest["arms"], step), "fastest": words,
    }  # fmt: skip
    heads = {name: name for name in (*found.keys, *found.manifest["arms"])}
    return table(programs(found), columns, heads, caption="Training step, microseconds")

