"""A saved run explained: what was measured before the numbers, what every difference is, where it begins and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..numeric.diagnosis import differing
from ..records.record import Record
from ..report.formats import Format, number, words
from ..report.words import departure, excess, parting, plain, why
from ..tables import Run, place
from . import console
from .console import result

error = number(2)


def explain_run(run: Run, as_json: bool) -> None:
    """Everything that is known of why a run's arms agree or differ."""
    if as_json:
        arms = [{"arm": record.arm, "facts": record.facts} for record in run.arms]
        console.document({"schema": "harness.explain_run/1", "run": run.folder.name, "arms": arms})
        return
    arithmetic(run)
    words_of_tensors(run)
    for record in run.arms:
        arm(record)


def arithmetic(run: Run) -> None:
    """What was measured before the numbers."""
    rows = []
    for record in run.arms:
        found = record.facts.get("preflight") or {}
        variables = ", ".join(f"{name}={value}" for name, value in found.get("variables", {}).items())
        problems = "; ".join([*found.get("problems", ()), *(record.facts.get("faults") or ())])
        rows.append({"arm": record.arm, "version": record.version, **found, "variables": variables, "problems": problems})
    columns = dict.fromkeys(("arm", "version", "bits", "subnormals", "variables", "problems"), words)
    console.table("Before the numbers", rows, columns, {"bits": "bits of products", "variables": "set in the environment"})


def words_of_tensors(run: Run) -> None:
    """How many tensors are what."""
    rows = [{"arm": record.arm, **record.facts["words"]} for record in run.arms if "words" in record.facts]
    kinds = dict.fromkeys(word for row in rows for word in row if word != "arm")
    console.table("Tensors of the forced steps and probes, by what their difference is", rows, dict.fromkeys(("arm", *kinds), words))


def arm(record: Record) -> None:
    """Where an arm goes wrong, in the order in which a step computes; nothing of one that agrees and does not part."""
    facts = record.facts
    if record.status != "ok":
        result(f"{record.arm}: {record.status}: {record.reason}")
    if facts.get("verdict") not in (None, "agrees"):
        steps = differing([*record.agreement, *({**row, "step": row["probe"]} for row in record.probes)])
        result(f"{record.arm} differs at {places(steps)}.")
        result()
    if "not_located" in facts:
        result(f"Where it goes wrong could not be found: {facts['not_located']}")
    for count, entry in enumerate(facts.get("located") or []):
        behind = "" if count == 0 else "; independent of those before, since each node is computed from the arm's own numbers"
        result(f"{record.arm}, from {place(entry['step'])} on, {' or '.join(entry['makers'])}: {why(entry['cause'])}{behind}")
        result()
        console.table("", [tensor(row) for row in entry["tensors"]], COLUMNS, {"times": "/ ceiling", "worst": "worst: found, right"})
    for entry in facts.get("amplified") or []:
        result(f"{record.arm}, {place(entry['step'])}: every node is right by itself; {parting(entry['flips'])}")
    if "parted" in facts:
        result(f"{record.arm} computes rightly, and {departure(facts['parted'])}")


def places(steps: Sequence[int | str]) -> str:
    """Forced steps in words."""
    numbers, probes = [str(step) for step in steps if not isinstance(step, str)], [step for step in steps if isinstance(step, str)]
    return "; ".join(f"{name} {', '.join(some)}" for name, some in (("steps", numbers), ("probes", probes)) if some)


COLUMNS: Mapping[str, Format] = {"tensor": words, "error": error, "floor": error, "times": error, "worst": words}


def tensor(row: Mapping[str, Any]) -> dict[str, Any]:
    """A tensor that a node makes wrongly."""
    worst = "; ".join(f"{one['index']}: {plain(one['found'])}, {plain(one['right'])}" for one in row["worst"])
    return {**row, "times": excess(row), "worst": worst}
