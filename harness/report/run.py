"""The report of a run: the verdict in words, the figures that show it, and all that is needed to judge and to repeat it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..tables import Run
from .costs import memory, times
from .curves import MOST, distance, losses
from .formats import Format, fixed, number, words
from .heat import cells, gradients
from .page import page
from .parts import Cell, Code, Figure, Graph, Part, Row, Section, Table, Text, slug, table
from .speed import cautions, ranked, sentences, title
from .words import before, causes, verdict

#: columns of a table, and how each is written
Columns = Mapping[str, Format]
error = number(2)
HEAT = (
    "Relative error of each gradient in the forced steps. Blue is what rounding explains, the darker the nearer to its limit; orange, with "
    "a !, is beyond it. Every cell is a link to itself."
)
PROBED = (
    "Largest error of any tensor over what rounding alone can do to it; beyond 4 it is a fault. An infinite input is shown and not judged."
)
#: what the facts of a machine are called, where not by their own names
LABELS = {"memory_gib": "memory, GiB", "cpu": "processor", "load": "load before"}
#: what the exit code of a run means for its verdict's looks
MOODS = {0: "good", 1: "bad", 3: "bad", 130: "calm"}


def run_page(run: Run) -> str:
    """The report of a run as one HTML file.

    Raises:
        UsageError: what draws is not installed.
    """
    facts = run.manifest
    name = facts.get("experiment", run.folder.name)
    arms = list(dict.fromkeys(record.arm for record in run.arms))
    return page(name, lead(run), sections(run), arms, MOODS.get(run.exit_code, "calm"))


def lead(run: Run) -> list[str]:
    """The first sentences."""
    facts = run.manifest
    if not facts:
        return ["This run did not end; here is what was saved of it.", verdict(run)]
    threads = f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}"
    what = (
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, batches of {facts['batch_size']}, {facts['steps']:,} steps, "
        f"{facts['dtype']}, {facts['device']}, {threads}, seed {facts['seed']}; {facts['started'][:10]}"
    )
    return [verdict(run), *([facts["description"]] if facts.get("description") else []), what]


def sections(run: Run) -> list[Section]:
    """Everything below the verdict."""
    return [
        Section("summary", "Summary", [summary(run), Text(list(remarks(run)))]),
        Section("training", "Training freely", [figure for figure in figures(run) if figure.key in ("loss", "distance")]),
        Section("gradients", "Gradients", heat_part(run)),
        Section("probes", "Directed probes", [probes(run)]),
        Section("times", "Times", [*costs(run)]),
        Section("model", "Model", [model(run)]),
        Section("environment", "Environment", [*environment(run)]),
        Section("experiment", "Experiment", [*experiment(run)]),
    ]


def figures(run: Run) -> list[Figure]:
    """All figures of a run that there is something to draw for."""
    longest = max((len(record.losses) for record in run.arms), default=0)
    some = f" {MOST} of {longest:,} steps are drawn; none is smoothed." if longest > MOST else ""
    grey = "Grey is what rounding alone does: the largest of three replicas of the reference that differ in nothing but their roundings."
    blocks = "Each mark is the median step of a timed block, the dot the median over launches, the line their range."
    drawn = (
        ("loss", "Loss", f"Every arm's loss in each step of its free training; the wide grey line is the float64 reference's.{some}",
         "Loss over training steps, a line for each arm on the reference's", losses(run)),
        ("distance", "Distance from the reference", "The largest relative distance of the loss so far. "
         f"{grey if run.losses['envelope'].notna().any() else ''}{some}",
         "Largest relative distance of each arm's loss from the reference up to each step, with the distance that rounding alone brings",
         distance(run)),
        ("heat", "Gradients by layer and step", "Relative errors over what rounding can do: blue is rounding, orange is beyond it.",
         "Error of each parameter's gradient in each forced step, a map for each arm", gradients(run)),
        ("time", "Training step", f"{title(run).capitalize()}. {blocks}",
         "Microseconds of a training step, the timed blocks of each arm in a row", times(run)),
        ("memory", "Memory", "Largest resident size of the process that was timed.", "MiB of each arm, and how much of it the import takes",
         memory(run)),
    )  # fmt: skip
    return [Figure(*each) for each in drawn if each[-1] is not None]


def summary(run: Run) -> Table | None:
    """An arm a row: what most readers need."""
    rows = run.summary.astype(object).to_dict("records")
    for row, record in zip(rows, run.arms, strict=True):
        row["reason"] = record.reason
    columns: Columns = {
        "arm": words, "verdict": words, "form": words, "first_difference": words, "gradient_error": error,
        "floor_ratio": error, "final_loss": number(6), "metric": number(4), "step_us": fixed(1), "peak_mib": fixed(0), "reason": words,
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error", "floor_ratio": "× floor", "metric": run.metric_name, "step_us": "step, µs",
        "peak_mib": "memory, MiB", "final_loss": "last loss",
    }  # fmt: skip
    note = "A gradient's error is relative to its length, in steps that start from the reference's state; its floor is what rounding does."
    return table(rows, columns, names, note=note)


def remarks(run: Run) -> list[str]:
    """What is said beside the numbers."""
    return [
        *(f"Before the numbers: {line}" for line in before(run)), *causes(run), *(f"{note}." for note in run.manifest.get("notes", [])),
    ]  # fmt: skip


def heat_part(run: Run) -> list[Part | None]:
    """A map of each arm's gradient errors as a table, each of whose cells can be linked to."""
    table = cells(run)
    parts: list[Part | None] = []
    for arm, found in table.groupby("arm", sort=False):
        steps = list(dict.fromkeys(found["step"]))
        rows = []
        for tensor, line in found.groupby("tensor", sort=False):
            boxes = {row["step"]: heat_cell(str(arm), row) for row in line.to_dict("records")}
            rows.append(Row([Cell(str(tensor)), *(boxes.get(step, Cell("")) for step in steps)], str(arm)))
        heads = [("gradient of", False), *((f"step {step}", False) for step in steps)]
        parts.append(Table(heads, rows, caption=str(arm)))
    if parts:
        parts.insert(0, Text([HEAT]))
    return parts


def heat_cell(arm: str, row: Mapping[Any, Any]) -> Cell:
    """One error."""
    excess = float(row["excess"])
    levels = (1e-2, 1e-1, 0.5, 1.0, 100.0)
    level = next((place for place, most in enumerate(levels) if excess <= most), len(levels))
    anchor = slug("gradient", arm, row["tensor"], row["step"])
    says = f"{arm}, step {row['step']}, {row['tensor']}: {row['error']:.3g}, {excess:.2g} of what rounding can do ({row['verdict']})"
    return Cell(f"{row['error']:.1e}{' !' if excess > 1 else ''}", anchor, f"#{anchor}", f"heat-{level}", says)


def probes(run: Run) -> Table | None:
    """Steps that training does not bring."""
    found = run.probed
    arms = [name for name in found.columns if name != "probe"]
    rows = found.astype(object).to_dict("records")
    return table(rows, {"probe": words, **dict.fromkeys(arms, error)}, {arm: arm for arm in arms}, note=PROBED)


def costs(run: Run) -> list[Part | None]:
    """Times and memory: figures, what they prove, tables."""
    if run.timings.empty:
        return []
    drawn = {figure.key: figure for figure in figures(run)}
    steps = run.timings.astype(object).to_dict("records")
    for row in steps:
        known = row["low"] is not None and row["low"] == row["low"]
        row["interval"] = f"[{row['low']:.3f}, {row['high']:.3f}]" if known else ""
        row["variant"] = "" if row["variant"] == "plain" else row["variant"]
        row["of_peak"] = None if row["of_peak"] is None or row["of_peak"] != row["of_peak"] else 100 * row["of_peak"]
    columns: Columns = {
        "arm": words, "variant": words, "tier": fixed(0), "step_us": fixed(1), "step_p95_us": fixed(1), "ratio": fixed(3),
        "interval": words, "verdict": words, "samples_per_s": fixed(0), "gflops": fixed(2), "of_peak": fixed(1),
    }  # fmt: skip
    names = {
        "variant": "dropout", "step_us": "step, µs", "step_p95_us": "95th percentile, µs", "ratio": f"/ {run.base}",
        "interval": "95 % interval", "samples_per_s": "rows/s", "gflops": "GFLOP/s", "of_peak": "% of peak",
    }  # fmt: skip
    start: Columns = {
        "arm": words, "import_s": fixed(2), "build_s": fixed(3), "compile_s": fixed(2), "compile_again_s": fixed(2),
        "first_step_s": fixed(4), "first_loss_s": fixed(2),
    }  # fmt: skip
    said = [*(sentences(run) if ranked(run) else ["Indicative: one process an arm, no ranking."]), *cautions(run)]
    others = run.works.pivot_table(index="arm", columns="work", values="us", sort=False).reset_index().astype(object).to_dict("records")
    works: Columns = {"arm": words, **dict.fromkeys(("throughput", "fed", "inference", "inference_1"), fixed(1))}
    heads = {"throughput": "step, unread", "fed": "step, fed", "inference": "all test rows", "inference_1": "one row"}
    pairs = run.pairs.astype(object).to_dict("records")
    paired: Columns = {
        "a": words, "b": words, "variant": words, "ratio": fixed(3), "low": fixed(3), "high": fixed(3), "p": number(2), "verdict": words,
        "epochs": fixed(0), "flags": words,
    }  # fmt: skip
    return [
        Text([line.strip() for line in said]), drawn.get("time"), table(steps, columns, names),
        table(pairs, paired, caption="Every two arms, and the control", folded=True),
        table(others, works, heads, caption="Other work, microseconds", folded=True) if others else None,
        table(steps, start, caption="Until the first loss, seconds", folded=True), drawn.get("memory"),
    ]  # fmt: skip


def model(run: Run) -> Graph | None:
    """The nodes of the program, each with what it reads; runs of earlier versions did not keep them."""
    nodes = run.manifest.get("model") or []
    places = {node["layer"]: place for place, node in enumerate(nodes, 1)}
    if not nodes:
        return None
    first = run.manifest.get("input", "")
    rows = [("input", "", first, 0), *((node["layer"], node["type"], node["output"], node["parameters"]) for node in nodes)]
    wires = [(places.get(name, 0), places[node["layer"]]) for node in nodes for name in node["reads"]]
    return Graph(rows, wires)


def environment(run: Run) -> list[Part | None]:
    """Where and with what it was run, and the command that repeats it."""
    facts = run.manifest
    machine = facts.get("environment") or {}
    rows = [{"what": LABELS.get(name, name), "value": str(value)} for name, value in machine.items() if value not in (None, "", {})]
    return [
        Code(facts["command"], "The command that repeats it:") if facts.get("command") else None,
        table(rows, {"what": words, "value": words}, {"what": "", "value": ""}),
        versions(run),
    ]


def versions(run: Run) -> Table | None:
    """What each arm is made of: what all have in common first, then what differs."""
    found = {record.arm: flat(record.facts.get("versions") or {}) for record in run.arms if record.facts.get("versions")}
    keys = dict.fromkeys(itertools.chain.from_iterable(found.values()))
    rows = [{"what": key, **{arm: each.get(key, "") for arm, each in found.items()}} for key in keys]
    heads = {"what": "", **{arm: arm for arm in found}}
    return table(rows, {"what": words, **dict.fromkeys(found, words)}, heads, caption="Versions and settings of each arm", folded=True)


def flat(versions: Mapping[str, Any]) -> dict[str, str]:
    """Nested facts as text."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in versions.items()}


def experiment(run: Run) -> list[Part | None]:
    """Its text."""
    path = Path(run.folder) / "experiment.toml"
    return [Code(path.read_text(encoding="utf-8"), numbered=True)] if path.exists() else []
