"""A run as tidy DataFrames. Tables are made of records and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy
import pandas

from ..records.record import Record
from ..records.runs import find, read_run
from .columns import MEMORY, PAIRS, TIMINGS, WORKS
from .costs import Costs

LOSSES = ["arm", "step", "loss", "reference", "gap", "envelope"]
METRICS = ["arm", "step", "split", "metric", "value"]
AGREEMENT = ["arm", "step", "kind", "tensor", "norm", "reference", "error", "floor", "ceiling", "ratio", "verdict"]
PROBES = ["arm", "probe", "kind", "tensor", "norm", "reference", "error", "floor", "ceiling", "ratio", "verdict"]
NATIVE = ["arm", "default", "gradient", "loss", "metric", "final_loss", "final_metric", "note", "settings"]
SUMMARY = [
    "arm",
    "verdict",
    "form",
    "first_difference",
    "gradient_error",
    "floor_ratio",
    "final_loss",
    "metric",
    "step_us",
    "ratio",
    "peak_mib",
]


@dataclass
class Run:
    """One saved run.

    Attributes:
        folder: where it is saved.
        manifest: what it was; empty where it did not end.
        records: one for each arm and for the reference.
    """

    folder: Path
    manifest: dict[str, Any]
    records: Sequence[Record]

    @property
    def arms(self) -> list[Record]:
        """The records without the reference's own."""
        return [record for record in self.records if not record.is_reference]

    def reference_of(self, record: Record) -> Record | None:
        """The reference in an arm's own forms."""
        forms = record.facts.get("forms")
        return next((other for other in self.records if other.is_reference and other.facts.get("forms") == forms), None)

    @cached_property
    def losses(self) -> pandas.DataFrame:
        """Loss of each step: arm, step, loss, reference (in the arm's form), gap = |loss - reference| / |reference|, envelope = the largest
        gap of replicas of the reference, by rounding alone; NaN where it was not measured."""
        frames = []
        around = next((record.envelope for record in self.records if record.envelope), [])
        for record in self.records:
            reference = record if record.is_reference else self.reference_of(record)
            right = reference.losses if reference is not None else []
            loss, other = numpy.array(record.losses), numpy.full(len(record.losses), numpy.nan)
            shared = min(len(loss), len(right))
            other[:shared] = right[:shared]
            with numpy.errstate(divide="ignore", invalid="ignore"):
                gap = numpy.where(loss == other, 0.0, numpy.abs(loss - other) / numpy.abs(other))
            edge = numpy.full(len(loss), numpy.nan)
            edge[: len(around)] = around[: len(loss)]
            columns = {"arm": record.arm, "step": numpy.arange(len(loss)), "loss": loss, "reference": other, "gap": gap, "envelope": edge}
            frames.append(pandas.DataFrame(columns))
        return joined(frames, LOSSES)

    @cached_property
    def metrics(self) -> pandas.DataFrame:
        """Metrics on training and test rows: arm, step, split, metric, value."""
        return joined(
            [pandas.DataFrame(record.metrics).assign(arm=record.arm) for record in self.records if record.metrics], METRICS
        )

    @cached_property
    def agreement(self) -> pandas.DataFrame:
        """Every tensor of every forced step: arm, step, kind, tensor, norm, reference, error, floor, ceiling, ratio, verdict."""
        return joined(
            [pandas.DataFrame(record.agreement).assign(arm=record.arm) for record in self.records if record.agreement], AGREEMENT
        )

    @cached_property
    def probes(self) -> pandas.DataFrame:
        """Every tensor of every directed probe: arm, probe, and the columns of `agreement`."""
        return joined([pandas.DataFrame(record.probes).assign(arm=record.arm) for record in self.records if record.probes], PROBES)

    @cached_property
    def probed(self) -> pandas.DataFrame:
        """By probe and arm, the largest error over its ceiling: what rounding alone can do is 1."""
        table = self.probes[~self.probes["arm"].str.startswith("reference")] if len(self.probes) else self.probes
        excess = (table["error"] / table["ceiling"]).astype(float)
        found = table.assign(excess=excess).pivot_table(index="probe", columns="arm", values="excess", aggfunc="max", sort=False)
        return found.reset_index().rename_axis(columns=None)

    @property
    def gradients(self) -> pandas.DataFrame:
        """The rows of `agreement` that are gradients of parameters."""
        return self.agreement[self.agreement["kind"] == "gradients"].reset_index(drop=True)

    @property
    def seen_from(self) -> pandas.Series:
        """By parameter, the smallest relative gradient error that would have been seen (harness.numeric.agreement); of the first arm."""
        facts = next((record.facts for record in self.arms if record.facts.get("seen_from")), {})
        return pandas.Series(facts.get("seen_from", {}), dtype=float)

    @cached_property
    def costs(self) -> Costs:
        """Times and memory."""
        return Costs(self.arms, self.manifest)

    @cached_property
    def timings(self) -> pandas.DataFrame:
        """A row for each arm and dropout: seconds of each stage of the start, median microseconds of a training step, its ratio to the base
        arm (numpy, or the first) with its 95 % interval, verdict and tier; docs/reference.md has all columns."""
        return pandas.DataFrame(self.costs.timings(), columns=TIMINGS)

    @cached_property
    def works(self) -> pandas.DataFrame:
        """Work beside the training step: arm, work, median microseconds, and the ratio to the base arm."""
        return pandas.DataFrame(self.costs.other_works(), columns=WORKS)

    @cached_property
    def pairs(self) -> pandas.DataFrame:
        """Every two arms: ratio of their steps with its 95 % interval, Holm's p, verdict; the control last."""
        return pandas.DataFrame(self.costs.pairs(), columns=PAIRS)

    @property
    def native(self) -> pandas.DataFrame:
        """What each default of a framework moves, in a run that asked for it: see harness.execution.native."""
        return pandas.DataFrame(self.manifest.get("native", {}).get("rows", []), columns=NATIVE)

    @property
    def base(self) -> str:
        """The arm that others' times are divided by."""
        return self.costs.base

    @cached_property
    def memory(self) -> pandas.DataFrame:
        """Largest resident size in MiB, by phase and in all; of the timed process, which captures nothing."""
        return pandas.DataFrame(self.costs.memory(), columns=MEMORY)

    @cached_property
    def summary(self) -> pandas.DataFrame:
        """One row an arm: what most readers need."""
        return pandas.DataFrame([self.summary_row(record) for record in self.arms], columns=SUMMARY)

    def summary_row(self, record: Record) -> dict[str, Any]:
        """An arm in one row; its status stands where its verdict would, when it failed."""
        gradients = [row["error"] for row in record.agreement if row["kind"] == "gradients"]
        first = record.facts.get("first")
        return {
            "arm": record.arm,
            "verdict": record.facts.get("verdict", "") if record.status == "ok" else record.status,
            "form": ", ".join(f"{name}={value}" for name, value in sorted((record.facts.get("forms") or {}).items()))
            if gradients
            else "",
            "first_difference": f"{place(first['step'])}, {first['kind']} {first['tensor']}" if first else "",
            "gradient_error": max(gradients, default=None),
            "floor_ratio": record.facts.get("largest_ratio"),
            "final_loss": record.losses[-1] if record.losses else None,
            "metric": final_metric(record.metrics),
            **{name: cost(self.timings, record.arm, name) for name in ("step_us", "ratio")},
            "peak_mib": cost(self.memory, record.arm, "peak_mib"),
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows, by MIME type: verdict, summary and the distance from the reference. It is made on a floor above, which the
        package's door leads to."""
        import harness

        door: Any = harness
        shown: dict[str, str] = door.display(self)
        return shown

    @property
    def metric_name(self) -> str:
        """What the summary's metric is."""
        for record in self.records:
            if record.metrics:
                return f"{record.metrics[-1]['split']} {record.metrics[0]['metric']}"
        return "metric"

    @property
    def exit_code(self) -> int:
        """0 all agree, 1 something differs or an installation is known to be wrong, 3 an arm failed or none could be judged, 130
        interrupted. Arms that are not installed or that a framework cannot express do not count: their rows say so."""
        if self.manifest.get("interrupted"):
            return 130
        statuses = {record.status for record in self.records}
        verdicts = {record.facts.get("verdict") for record in self.arms} - {None}
        if self.manifest.get("unsaved") or statuses - {"ok", "missing", "unsupported"} or not verdicts:
            return 3
        return 1 if verdicts != {"agrees"} or self.faults else 0

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What adapters found wrong with their installation: (arm, sentence)."""
        return [(record.arm, text) for record in self.arms for text in record.facts.get("faults") or ()]


def cost(table: pandas.DataFrame, arm: str, column: str) -> float | None:
    """A number of an arm's first row; None where it has none."""
    found = table.loc[table["arm"] == arm, column]
    return None if found.empty or found.iloc[0] != found.iloc[0] else float(found.iloc[0])


def final_metric(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The first metric at the end, on test rows where there are any."""
    if not rows:
        return None
    name, last = rows[0]["metric"], rows[-1]["step"]
    return float([row for row in rows if row["metric"] == name and row["step"] == last][-1]["value"])


def place(step: int | str) -> str:
    """A forced step in words: its number, or the probe's name."""
    return f"probe {step}" if isinstance(step, str) else f"step {step}"


def joined(frames: Sequence[pandas.DataFrame], columns: Sequence[str]) -> pandas.DataFrame:
    """Frames one below the other, with these columns."""
    full = [frame for frame in frames if len(frame)]
    return pandas.concat(full, ignore_index=True)[list(columns)] if full else pandas.DataFrame(columns=list(columns))


def load(name: str | Path, results: str | Path = "results") -> Run:
    """A saved run by id, its unique start or end, `latest`, `latest~1`, or folder.

    Raises:
        UsageError: there is none, or a file of it is damaged.
    """
    folder = find(str(name), Path(results))
    manifest, records = read_run(folder)
    order = {arm: index for index, arm in enumerate(manifest.get("arms", []))}
    return Run(folder, manifest, sorted(records, key=lambda record: order.get(record.arm, len(order))))
