"""A run on the screen: verdict in words, then the tables of agreement, losses, gradients, timings and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..interface import LIMIT
from ..numeric.trajectory import INFINITE
from ..report.formats import Format, number, words
from ..report.words import before, causes, verdict
from ..tables import Run
from . import console
from .console import result
from .show_costs import COSTS, show_costs
from .show_native import as_rows, show_native

error = number(2)
#: columns of the table of losses
STEPS = 6
#: the row of the table of losses that says how far replicas of the reference come
ENVELOPE = "by rounding alone"


def show_run(run: Run, as_json: bool) -> None:
    """Everything about one run."""
    if as_json:
        console.document(as_document(run))
        return
    head(run)
    warned(run)
    summary(run)
    losses(run)
    gradients(run)
    probes(run)
    show_costs(run)
    show_native(run)
    result(verdict(run))
    for line in causes(run):
        result(line)
    for note in run.manifest.get("notes", []):
        result(f"Note: {note}.")


def as_document(run: Run) -> dict[str, Any]:
    """A run as one JSON document; its keys are a public interface."""
    return {
        "schema": "harness.run/1",
        "manifest": run.manifest,
        "exit_code": run.exit_code,
        "arms": [
            {"arm": record.arm, "status": record.status, "reason": record.reason, "facts": record.facts} for record in run.arms
        ],
        **{name: rows(getattr(run, name)) for name in ("summary", "losses", "metrics", "gradients", "probed", *COSTS)},
        **({"native": as_rows(run)} if "native" in run.manifest else {}),
    }


def rows(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as rows."""
    found: list[dict[str, Any]] = frame.astype(object).to_dict("records")
    return found


def head(run: Run) -> None:
    """What was run, in one line."""
    facts = run.manifest
    if not facts:
        result(f"{run.folder.name}: this run did not end; what was saved of it:")
        return
    result(f"{facts['experiment']}: {facts['description']}" if facts.get("description") else facts["experiment"])
    result(
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, batches of {facts['batch_size']}, {facts['steps']:,} steps, "
        f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}"
    )
    result()



def warned(run: Run) -> None:
    """What is wrong before any number is compared."""
    lines = [f"Before the numbers: {line}" for line in before(run)]
    for line in [*lines, ""] if lines else []:
        result(line)


def summary(run: Run) -> None:
    """Do they agree?"""
    found = rows(run.summary)
    reasons = {record.arm: record.reason for record in run.arms}
    for row in found:
        row["reason"] = reasons[row["arm"]]
    columns: Mapping[str, Format] = {
        "arm": words, "verdict": words, "form": words, "first_difference": words, "gradient_error": error, "floor_ratio": error,
        "final_loss": number(6), "metric": number(4), "reason": words,
    }  # fmt: skip
    names = {"gradient_error": "largest gradient error", "floor_ratio": "x floor", "metric": run.metric_name}
    console.table("Agreement with the float64 reference", found, columns, names)


def losses(run: Run) -> None:
    """Loss at chosen steps: the reference, and how far each arm is from it."""
    table = run.losses
    if table.empty:
        return
    found: list[dict[str, Any]] = []
    steps = shown(sorted(set(run.agreement["step"])) if len(run.agreement) else [0])
    for arm in dict.fromkeys(table["arm"]):
        part = table[table["arm"] == arm].set_index("step")
        if arm.startswith("reference"):
            found.insert(
                0, {"arm": arm, **{f"step {step}": number(6)(float(part["loss"][step])) for step in steps if step in part.index}}
            )
        else:
            found.append(
                {"arm": arm, **{f"step {step}": error(float(part["gap"][step])) for step in steps if step in part.index}}
            )
    around = table.drop_duplicates("step").set_index("step")["envelope"]
    measured = {f"step {step}": error(float(around[step])) for step in steps if step in around.index and around[step] == around[step]}
    if measured:
        found.append({"arm": ENVELOPE, **measured})
    columns: dict[str, Format] = {"arm": words, **{f"step {step}": text_number for step in steps}}
    console.table("Loss of the reference, and each arm's relative distance from it (training freely)", found, columns)


def shown(steps: list[int]) -> list[int]:
    """At most STEPS of the steps, the first and the last included."""
    if len(steps) <= STEPS:
        return steps
    return [steps[round(index * (len(steps) - 1) / (STEPS - 1))] for index in range(STEPS)]


def text_number(value: Any) -> str:
    """A number that is text already, set to the right."""
    return words(value)


def gradients(run: Run) -> None:
    """Largest gradient error of each parameter over the forced steps, with the floor."""
    table = run.gradients
    arms = [record.arm for record in run.arms if record.agreement]
    if table.empty or not arms:
        return
    worst = table.pivot_table(index="tensor", columns="arm", values="error", aggfunc="max", sort=False)
    floor = table[table["arm"] == arms[0]].groupby("tensor", sort=False)["floor"].max()
    seen = run.seen_from
    found = [
        {"tensor": tensor, "floor": float(floor[tensor]), "seen": seen.get(tensor), **{arm: float(worst[arm][tensor]) for arm in arms}}
        for tensor in floor.index
    ]
    columns: dict[str, Format] = {"tensor": words, "floor": error, "seen": error, **dict.fromkeys(arms, error)}
    title = "Gradients: largest relative error over the forced steps, beside what rounding alone does and from where on a fault is seen"
    console.table(title, found, columns, {"seen": "seen from", **{arm: arm for arm in arms}})


def probes(run: Run) -> None:
    """Steps that training does not bring."""
    table = run.probed
    if table.empty:
        return
    found = rows(table[table["probe"] != INFINITE])
    arms = [name for name in table.columns if name != "probe"]
    title = f"Directed probes: the largest error of any tensor, by what rounding alone can do; a fault from {LIMIT:g} on"
    console.table(title, found, {"probe": words, **dict.fromkeys(arms, error)}, {arm: arm for arm in arms})
    hiding = [record.arm for record in run.arms if record.facts.get("differs_at_infinity") and record.facts.get("verdict") == "agrees"]
    if hiding:
        result(f"Not judged: an infinite input gives a loss that is finite in {', '.join(hiding)} or in the reference, but not in both.")
        result()









