"""The report of a run: the verdict in words, the figures that show it, and all that is needed to judge and to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..interface import LIMIT
from ..records.record import Record
from ..tables import Run
from .costs import memory, times
from .curves import MOST, distance, losses, unfinished
from .formats import Format, fixed, number, words
from .heat import cells, gradients, maps, place_of
from .origin import origin
from .page import page
from .parts import Cell, Figure, Graph, Section, Table, Text, table
from .speed import title
from .timed import memory as memory_parts
from .timed import rows
from .timed import times as time_parts
from .words import before, causes, headline, shown, verdict

error = number(2)
PROBED = (
    f"Largest error of any tensor over the most that rounding alone did to it (its ceiling); beyond {LIMIT:g} it is a fault. An infinite "
    "input is shown and not judged."
)
GREY = "Grey is what rounding alone does: the largest of the replicas of the reference that differ in nothing but their roundings."
BLOCKS = "Each mark is the median step of a timed block, the dot the median over launches, the line their range."
SUMMARY: Mapping[str, Format] = {
    "arm": words, "verdict": words, "first_difference": words, "gradient_error": error, "floor_ratio": error, "final_loss": number(6),
    "metric": number(4), "step_us": fixed(1), "peak_mib": fixed(0), "form": words,
}  # fmt: skip
SUMMARY_NAMES = {
    "gradient_error": "gradient error", "floor_ratio": "× floor", "step_us": "step, µs", "peak_mib": "memory, MiB",
    "final_loss": "last loss",
}
SUMMED = (
    "Gradient error: the largest of any parameter's gradient, relative to its length, in steps that start from the reference's state; "
    "× floor: the largest error of any tensor by what rounding does to it."
)
#: what the exit code of a run means for its verdict's looks
MOODS = {0: "good", 1: "bad", 3: "bad", 130: "calm"}


def run_page(run: Run, drawn: Sequence[Figure] | None = None) -> str:
    """The report of a run as one HTML file.

    Args:
        run: of any kind: interrupted, untimed, of one arm.
        drawn: its figures, where they are made already.

    Raises:
        UsageError: what draws is not installed.
    """
    name = run.manifest.get("experiment", run.folder.name)
    arms = list(dict.fromkeys(record.arm for record in run.arms))
    return page(name, lead(run), sections(run, figures(run) if drawn is None else drawn), arms, MOODS.get(run.exit_code, "calm"))


def lead(run: Run) -> list[str]:
    """The first sentences."""
    facts = run.manifest
    if not facts:
        return ["This run did not end.", f"What was saved of it: {verdict(run)}"]
    if facts.get("interrupted"):
        return ["This run was interrupted.", f"What was done before: {verdict(run)}", *described(facts)]
    return [headline(run), shown(run), *described(facts)]


def described(facts: Mapping[str, Any]) -> list[str]:
    """What was run."""
    threads = f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}"
    what = (
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, batches of {facts['batch_size']}, {facts['steps']:,} steps, "
        f"{facts['dtype']}, {facts['device']}, {threads}, seed {facts['seed']}; {str(facts.get('started') or facts.get('date'))[:10]}"
    )
    return [*([f"{facts['description'].rstrip('.')}."] if facts.get("description") else []), f"{what}."]


def sections(run: Run, drawn: Sequence[Figure]) -> list[Section]:
    """Everything below the verdict."""
    figure = {each.key: each for each in drawn}
    return [
        Section("summary", "Summary", [summary(run), Text(remarks(run))]),
        Section("training", "Training freely", [figure.get("loss"), figure.get("distance"), Text(unfinished(run.losses))]),
        Section("gradients", "Gradients", maps(cells(run))),
        Section("probes", "Directed probes", [probes(run)]),
        Section("times", "Times", time_parts(run, figure.get("time"))),
        Section("memory-by-phase", "Memory", memory_parts(run, figure.get("memory"))),
        Section("model", "Model", [model(run)]),
        *origin(run.manifest, run.folder, run.arms),
    ]


def figures(run: Run) -> list[Figure]:
    """All figures of a run that there is something to draw for."""
    longest = max((len(record.losses) for record in run.arms), default=0)
    some = " Of every stretch of steps the smallest and the largest loss are drawn; nothing is smoothed." if longest > MOST else ""
    drawn = (
        ("loss", "Loss", f"Every arm's loss in each step of its free training; the wide grey line is the float64 reference's.{some}",
         "Loss over training steps, a line for each arm on the reference's", losses(run)),
        ("distance", "Distance from the reference",
         f"The largest relative distance of the loss so far. {GREY if run.losses['envelope'].notna().any() else ''}{some}".strip(),
         "Largest relative distance of each arm's loss from the reference up to each step, with the distance that rounding alone brings",
         distance(run)),
        ("heat", "Gradients by layer and step", "Errors over their ceilings: blue is below, orange above.",
         "Error of each parameter's gradient in each forced step, a map for each arm", gradients(run)),
        ("time", "Training step", f"{title(run)[:1].upper()}{title(run)[1:]}. {BLOCKS}",
         "Microseconds of a training step, the timed blocks of each arm in a row", times(run)),
        ("memory", "Largest resident size", "Of the process that was timed: what each phase added, the import darkest.",
         "MiB of each arm, and how much of it each phase added", memory(run)),
    )  # fmt: skip
    return [Figure(*each) for each in drawn if each[-1] is not None]


def summary(run: Run) -> Table | None:
    """An arm a row: what most readers need. Forms that do not differ are said below."""
    found = rows(run.summary)
    for row, record in zip(found, run.arms, strict=True):
        row["first_difference"] = first_difference(record, row["first_difference"])
    forms = {row["form"] for row in found if row["form"]}
    alike = f" All in the form {next(iter(forms))}." if len(forms) == 1 else ""
    columns = {name: text for name, text in SUMMARY.items() if name != "form" or len(forms) > 1}
    return table(found, columns, {**SUMMARY_NAMES, "metric": run.metric_name}, note=f"{SUMMED}{alike}")


def first_difference(record: Record, text: str) -> Cell | str:
    """Where an arm first differs, a link into its map where it is a gradient."""
    first = record.facts.get("first")
    if not first or first["kind"] != "gradients" or isinstance(first["step"], str):
        return text
    return Cell(text, href=f"#{place_of(record.arm, first['tensor'], first['step'])}")


def remarks(run: Run) -> list[str]:
    """What is said beside the numbers."""
    found = [f"{record.arm}: {record.status}: {record.reason}" for record in run.arms if record.reason]
    found += [f"Before the numbers: {line}" for line in before(run)]
    for line in causes(run):
        if line.startswith(" "):  # it belongs to the line before
            found[-1] = f"{found[-1]}. {line.strip()}"
        else:
            found.append(line)
    return [*found, *(f"{note}." for note in run.manifest.get("notes", []))]


def probes(run: Run) -> Table | None:
    """Steps that training does not bring."""
    arms = [name for name in run.probed.columns if name != "probe"]
    columns = {"probe": words, **dict.fromkeys(arms, error)}
    return table(rows(run.probed), columns, {arm: arm for arm in arms}, note=PROBED, arms=arms)


def model(run: Run) -> Graph | None:
    """The nodes of the program, each with what it reads; runs of earlier versions did not keep them."""
    nodes = run.manifest.get("model") or []
    places = {node["layer"]: place for place, node in enumerate(nodes, 1)}
    if not nodes:
        return None
    first = run.manifest.get("input", "")
    lines = [("input", "", first, 0), *((node["layer"], node["type"], node["output"], node["parameters"]) for node in nodes)]
    wires = [(places.get(name, 0), places[node["layer"]]) for node in nodes for name in node["reads"]]
    return Graph(lines, wires)
