"""A saved run explained: what was measured before the numbers, what every difference is, where it begins and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..numeric.diagnosis import differing
from ..records.record import Record
from ..report.formats import Format, number, words
from ..report.parts import Part, Section, Table, Text, table
from ..report.words import departure, excess, parting, plain, verdict, why
from ..tables import Run, place
from .answer import Answer

error = number(2)


def answer(run: Run) -> Answer:
    """Everything that is known of why a run's arms agree or differ."""
    arms = [{"arm": record.arm, "facts": record.facts} for record in run.arms]
    located = [
        {"arm": record.arm, "step": entry["step"], "makers": entry["makers"], **tensor(row)}
        for record in run.arms for entry in record.facts.get("located") or [] for row in entry["tensors"]
    ]  # fmt: skip
    return Answer(
        lambda: list(sections(run)), lambda: {"schema": "harness.explain_run/1", "run": run.folder.name, "arms": arms},
        lambda: {"tensors": located},
    )  # fmt: skip


def sections(run: Run) -> Iterator[Section]:
    """For people."""
    yield Section("verdict", "", [Text([verdict(run)])])
    yield Section("arithmetic", "Before the numbers", [arithmetic(run)])
    yield Section("words", "Tensors of the forced steps and probes, by what their difference is", [words_of_tensors(run)])
    for record in run.arms:
        yield Section(record.arm, "", [*arm(record)])


def arithmetic(run: Run) -> Table | None:
    """What was measured before the numbers."""
    rows = []
    for record in run.arms:
        found = record.facts.get("preflight") or {}
        variables = ", ".join(f"{name}={value}" for name, value in found.get("variables", {}).items())
        problems = "; ".join([*found.get("problems", ()), *(record.facts.get("faults") or ())])
        rows.append({"arm": record.arm, "version": record.version, **found, "variables": variables, "problems": problems})
    columns = dict.fromkeys(("arm", "version", "bits", "subnormals", "variables", "problems"), words)
    return table(rows, columns, {"bits": "bits of products", "variables": "set in the environment"})


def words_of_tensors(run: Run) -> Table | None:
    """How many tensors are what."""
    rows = [{"arm": record.arm, **record.facts["words"]} for record in run.arms if "words" in record.facts]
    kinds = dict.fromkeys(word for row in rows for word in row if word != "arm")
    return table(rows, dict.fromkeys(("arm", *kinds), words))


def arm(record: Record) -> Iterator[Part | None]:
    """Where an arm goes wrong, in the order in which a step computes; nothing of one that agrees and does not part."""
    facts = record.facts
    lines = [f"{record.arm}: {record.status}: {record.reason}"] if record.status != "ok" else []
    if facts.get("verdict") not in (None, "agrees"):
        steps = differing([*record.agreement, *({**row, "step": row["probe"]} for row in record.probes)])
        lines.append(f"{record.arm} differs at {places(steps)}.")
    if "not_located" in facts:
        lines.append(f"Where it goes wrong could not be found: {facts['not_located']}")
    if lines:
        yield Text(lines)
    for count, entry in enumerate(facts.get("located") or []):
        behind = "" if count == 0 else "; independent of those before, since each node is computed from the arm's own numbers"
        yield Text([f"{record.arm}, from {place(entry['step'])} on, {' or '.join(entry['makers'])}: {why(entry['cause'])}{behind}"])
        yield table([tensor(row) for row in entry["tensors"]], COLUMNS, {"times": "/ ceiling", "worst": "worst: found, right"})
    lines = [
        f"{record.arm}, {place(entry['step'])}: every node is right by itself; {parting(entry['flips'])}"
        for entry in facts.get("amplified") or []
    ]
    if "parted" in facts:
        lines.append(f"{record.arm} computes rightly, and {departure(facts['parted'])}")
    if lines:
        yield Text(lines)


def places(steps: Sequence[int | str]) -> str:
    """Forced steps in words."""
    numbers, probes = [str(step) for step in steps if not isinstance(step, str)], [step for step in steps if isinstance(step, str)]
    return "; ".join(f"{name} {', '.join(some)}" for name, some in (("steps", numbers), ("probes", probes)) if some)


COLUMNS: Mapping[str, Format] = {"tensor": words, "error": error, "floor": error, "times": error, "worst": words}


def tensor(row: Mapping[str, Any]) -> dict[str, Any]:
    """A tensor that a node makes wrongly."""
    worst = "; ".join(f"{one['index']}: {plain(one['found'])}, {plain(one['right'])}" for one in row["worst"])
    return {**row, "times": excess(row), "worst": worst}
