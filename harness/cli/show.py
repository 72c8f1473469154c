"""A run in every form: verdict in words, then the tables of agreement, losses, gradients, timings and memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..interface import LIMIT
from ..numeric.trajectory import INFINITE
from ..report.comment import comment
from ..report.formats import Format, number, words
from ..report.parts import Part, Section, Table, Text, table
from ..report.words import before, causes, verdict
from ..tables import Run
from .answer import Answer
from .show_costs import COSTS, costs, rows
from .show_native import as_rows, native

error = number(2)
#: columns of the table of losses
STEPS = 6
#: the row of the table of losses that says how far replicas of the reference come
ENVELOPE = "by rounding alone"
#: the tables of `--json`, and of `--format csv`
TABLES = ("summary", "losses", "metrics", "gradients", "probed", *COSTS)


def answer(run: Run) -> Answer:
    """Everything about one run."""
    return Answer(lambda: list(sections(run)), lambda: as_document(run), lambda: tables(run), lambda: as_comment(run))


def as_document(run: Run) -> dict[str, Any]:
    """A run as one JSON document; its keys are a public interface."""
    return {
        "schema": "harness.run/1",
        "manifest": run.manifest,
        "exit_code": run.exit_code,
        "verdict": verdict(run),
        "arms": [
            {"arm": record.arm, "status": record.status, "reason": record.reason, "facts": record.facts} for record in run.arms
        ],
        **tables(run),
    }


def tables(run: Run) -> dict[str, list[dict[str, Any]]]:
    """All tables with all columns."""
    found = {name: rows(getattr(run, name)) for name in TABLES}
    return {**found, "native": as_rows(run)} if "native" in run.manifest else found


def sections(run: Run) -> Iterator[Section]:
    """For people."""
    yield Section("verdict", "", [Text([*head(run), verdict(run)]), *said([*warnings(run), *causes(run)])])
    yield Section("summary", "Agreement with the float64 reference", [summary(run)])
    yield Section("losses", "Loss of the reference, and each arm's relative distance from it (training freely)", [losses(run)])
    seen = "Gradients: largest relative error over the forced steps, beside what rounding alone does and from where on a fault is seen"
    yield Section("gradients", seen, [gradients(run)])
    limit = f"Directed probes: the largest error of any tensor, by what rounding alone can do; a fault from {LIMIT:g} on"
    yield Section("probed", limit, [probes(run), *said(unjudged(run))])
    yield from costs(run)
    yield from native(run)
    yield Section("notes", "", said(f"Note: {note}." for note in run.manifest.get("notes", [])))


def said(lines: Any) -> list[Part]:
    """Sentences as a part, or none."""
    found = list(lines)
    return [Text(found)] if found else []


def head(run: Run) -> list[str]:
    """What was run."""
    facts = run.manifest
    if not facts:
        return [f"{run.folder.name}: this run did not end; what was saved of it:"]
    return [
        f"{facts['experiment']}: {facts['description']}" if facts.get("description") else facts["experiment"],
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, batches of {facts['batch_size']}, {facts['steps']:,} steps, "
        f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}",
    ]


def warnings(run: Run) -> Iterator[str]:
    """What is wrong before any number is compared."""
    yield from (f"Before the numbers: {line}" for line in before(run))


def summary(run: Run) -> Table | None:
    """Do they agree?"""
    return summary_of(run, summary_rows(run))


def summary_rows(run: Run) -> list[dict[str, Any]]:
    """A row an arm, with the reason where it failed."""
    reasons = {record.arm: record.reason for record in run.arms}
    return [{**row, "reason": reasons[row["arm"]]} for row in rows(run.summary)]


def summary_of(run: Run, found: Sequence[Mapping[str, Any]]) -> Table | None:
    """Some rows of the summary."""
    columns: Mapping[str, Format] = {
        "arm": words, "verdict": words, "form": words, "first_difference": words, "gradient_error": error, "floor_ratio": error,
        "final_loss": number(6), "metric": number(4), "reason": words,
    }  # fmt: skip
    names = {"gradient_error": "largest gradient error", "floor_ratio": "x floor", "metric": run.metric_name}
    return table(found, columns, names)


def losses(run: Run) -> Table | None:
    """Loss at chosen steps: the reference, and how far each arm is from it."""
    everything = run.losses
    if everything.empty:
        return None
    found: list[dict[str, Any]] = []
    steps = shown(sorted(set(run.agreement["step"])) if len(run.agreement) else [0])
    for arm in dict.fromkeys(everything["arm"]):
        part = everything[everything["arm"] == arm].set_index("step")
        if arm.startswith("reference"):
            found.insert(
                0, {"arm": arm, **{f"step {step}": number(6)(float(part["loss"][step])) for step in steps if step in part.index}}
            )
        else:
            found.append(
                {"arm": arm, **{f"step {step}": error(float(part["gap"][step])) for step in steps if step in part.index}}
            )
    around = everything.drop_duplicates("step").set_index("step")["envelope"]
    measured = {f"step {step}": error(float(around[step])) for step in steps if step in around.index and around[step] == around[step]}
    if measured:
        found.append({"arm": ENVELOPE, **measured})
    return table(found, {"arm": words, **{f"step {step}": text_number for step in steps}})


def shown(steps: list[int]) -> list[int]:
    """At most STEPS of the steps, the first and the last included."""
    if len(steps) <= STEPS:
        return steps
    return [steps[round(index * (len(steps) - 1) / (STEPS - 1))] for index in range(STEPS)]


def text_number(value: Any) -> str:
    """A number that is text already, set to the right."""
    return words(value)


def gradients(run: Run) -> Table | None:
    """Largest gradient error of each parameter over the forced steps, with the floor."""
    everything = run.gradients
    arms = [record.arm for record in run.arms if record.agreement]
    if everything.empty or not arms:
        return None
    worst = everything.pivot_table(index="tensor", columns="arm", values="error", aggfunc="max", sort=False)
    floor = everything[everything["arm"] == arms[0]].groupby("tensor", sort=False)["floor"].max()
    seen = run.seen_from
    found = [
        {"tensor": tensor, "floor": float(floor[tensor]), "seen": seen.get(tensor), **{arm: float(worst[arm][tensor]) for arm in arms}}
        for tensor in floor.index
    ]
    columns: dict[str, Format] = {"tensor": words, "floor": error, "seen": error, **dict.fromkeys(arms, error)}
    return table(found, columns, {"seen": "seen from", **{arm: arm for arm in arms}})


def probes(run: Run) -> Table | None:
    """Steps that training does not bring."""
    everything = run.probed
    if everything.empty:
        return None
    arms = [name for name in everything.columns if name != "probe"]
    columns: dict[str, Format] = {"probe": words, **dict.fromkeys(arms, error)}
    return table(rows(everything[everything["probe"] != INFINITE]), columns, {arm: arm for arm in arms})


def unjudged(run: Run) -> Iterator[str]:
    """Which arms hide an infinite input, or the reference does."""
    hiding = [record.arm for record in run.arms if record.facts.get("differs_at_infinity") and record.facts.get("verdict") == "agrees"]
    if hiding:
        yield f"Not judged: an infinite input gives a loss that is finite in {', '.join(hiding)} or in the reference, but not in both."


def as_comment(run: Run) -> str:
    """A comment for a pull request: only what does not agree is shown, the rest folded."""
    found = summary_rows(run)
    counts = {word: sum(row["verdict"] == word for row in found) for word in dict.fromkeys(row["verdict"] for row in found)}
    counted = ", ".join(f"{count} {word}" for word, count in counts.items())
    other = [row for row in found if row["verdict"] != "agrees"]
    lines = [line for line in (*warnings(run), *causes(run)) if not line.startswith(" ")]
    folded = [Section(each.key, f"All arms: {counted}" if each.key == "summary" else each.title, each.shown) for each in sections(run)]
    return comment(
        run.manifest.get("experiment", run.folder.name), f"{verdict(run)} ({counted})",
        [summary_of(run, other), *said(lines)], [each for each in folded if each.title],
    )  # fmt: skip
