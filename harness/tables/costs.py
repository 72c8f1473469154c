"""What each arm costs, as rows: start-up, training steps with their ranking, other work, memory. Numbers of an arm that failed a check are
withheld."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..records.record import Record
from ..registry import parse
from .ranking import LEAST, Ranking
from .timing import late, medians, of_work, ranking

Row = dict[str, Any]

#: half width that intervals should have where the session did not say
TARGET = 0.02


@dataclass(frozen=True)
class Costs:
    """The times and the memory of one run.

    Attributes:
        records: of its arms.
        manifest: of the run.
    """

    records: Sequence[Record]
    manifest: Mapping[str, Any]

    @cached_property
    def counted(self) -> list[Record]:
        """The arms whose times count."""
        return [record for record in self.records if record.blocks and record.status == "ok"]

    @cached_property
    def blocks(self) -> list[Row]:
        """All their blocks, each with its arm."""
        return [{**block, "arm": record.arm} for record in self.counted for block in record.blocks]

    @property
    def session(self) -> Mapping[str, Any]:
        """What is known of the session itself; empty for runs of earlier versions."""
        found: Mapping[str, Any] = self.manifest.get("timing") or {}
        return found

    @property
    def base(self) -> str:
        """The arm that others' times are divided by."""
        names = [record.arm for record in self.counted]
        return "numpy" if "numpy" in names else next(iter(names), "")

    @cached_property
    def variants(self) -> list[str]:
        """With whose dropout steps were timed, in order."""
        return list(dict.fromkeys(row["variant"] for row in self.blocks if row.get("work", "step") == "step"))

    @cached_property
    def works(self) -> list[tuple[str, str]]:
        """Every work and variant that was timed, in order."""
        return list(dict.fromkeys((row.get("work", "step"), row["variant"]) for row in self.blocks))

    @cached_property
    def rankings(self) -> dict[tuple[str, str], Ranking]:
        """By work and variant, who is faster."""
        target = self.session.get("target") or TARGET
        found = {work: ranking(self.blocks, *work, target, self.restless(work)) for work in self.works}
        return {work: each for work, each in found.items() if each is not None}

    def restless(self, work: tuple[str, str]) -> list[str]:
        """Arms that reached no steady state in most epochs."""
        return [record.arm for record in self.counted if mostly(stages(record, work), "steady")]

    def against_base(self, arm: str, work: tuple[str, str]) -> Row:
        """Ratio to the base arm, with its interval and verdict where there are enough epochs."""
        found = self.rankings.get(work)
        if arm == self.base or found is None:
            return {"ratio": 1.0 if arm == self.base else None}
        pair = found.pair(arm, self.base)
        enough = pair.epochs >= LEAST
        return {"ratio": pair.ratio, **({"low": pair.low, "high": pair.high, "verdict": pair.verdict} if enough else {})}

    def timings(self) -> Iterator[Row]:
        """Start-up and training steps; a row for each arm and variant."""
        for variant in self.variants:
            work = ("step", variant)
            rows = of_work(self.blocks, *work)
            steps, slow = medians(rows), late(rows)
            for record in self.counted:
                if record.arm in steps:
                    first = variant == self.variants[0]
                    yield {**self.start_up(record, variant, first), **self.step(record, work, steps[record.arm], slow[record.arm])}

    def start_up(self, record: Record, variant: str, first: bool) -> Row:
        """Seconds until the first loss: medians over epochs, but of a compilation the first, since later ones may find it on the disk."""
        facts = stages(record, ("step", variant))
        compiled = [sum(each["compile"].values()) for each in facts if each.get("compile")]
        row: Row = {
            "arm": record.arm, "variant": variant, "compile_s": compiled[0] if compiled else None,
            "compile_again_s": statistics.median(compiled[1:]) if len(compiled) > 1 else None,
            "first_step_s": middle(facts, "first_step"), "busy_threads": middle(facts, "busy_threads"), "cores": middle(facts, "cores"),
            "steady": None if any(each.get("steady") is None for each in facts) else not mostly(facts, "steady"),
        }  # fmt: skip
        if first:
            whole = launches(record)
            row |= {"import_s": middle(whole, "import"), "build_s": middle(whole, "build"), "idle": middle(whole, "idle")}
            row["first_loss_s"] = row["import_s"] + row["build_s"] + (row["compile_s"] or 0.0) + row["first_step_s"]
        return row

    def step(self, record: Record, work: tuple[str, str], epochs: Sequence[float], slow: float) -> Row:
        """A training step: how long, what that means, and who is faster."""
        step = statistics.median(epochs)
        row: Row = {
            "step_us": 1e6 * step, "step_p95_us": 1e6 * slow, "samples_per_s": self.samples(step),
            "break_even_steps": self.break_even(record, work), **self.against_base(record.arm, work),
        }  # fmt: skip
        flops = (self.session.get("flops") or {}).get("step")
        peak = middle(self.session.get("epochs") or [], "peak")
        if flops:
            row |= {"gflops": flops / step / 1e9, "of_peak": flops / step / peak if peak else None}
        if work in self.rankings and self.rankings[work].pairs[0].epochs >= LEAST:
            row["tier"] = next(place for place, tier in enumerate(self.rankings[work].tiers, 1) if record.arm in tier)
        return row

    def samples(self, step: float) -> float | None:
        """Rows in a second."""
        size = self.manifest.get("batch_size")
        return size / step if size else None

    def break_even(self, record: Record, work: tuple[str, str]) -> float | None:
        """After how many steps a compiled mode has won back its compilation against the plain mode of the same backend; infinite where it
        is no faster; None where there are not both."""
        plain = next((other for other in self.counted if other.arm == parse(record.arm).backend and alike(other, record)), None)
        compiled = [sum(each["compile"].values()) for each in stages(record, work) if each.get("compile")]
        if plain is None or not compiled or not parse(record.arm).mode:
            return None
        steps = medians(of_work(self.blocks, *work))
        gain = statistics.median(steps[plain.arm]) - statistics.median(steps[record.arm])
        before = [sum(each["compile"].values()) for each in stages(plain, work) if each.get("compile")]
        more = compiled[0] - (before[0] if before else 0.0)
        return max(more, 0.0) / gain if gain > 0 else float("inf")

    def other_works(self) -> Iterator[Row]:
        """Work beside the training step: microseconds of one, a row for each arm and work."""
        for work in self.works:
            if work[0] == "step":
                continue
            found = medians(of_work(self.blocks, *work))
            for arm, epochs in found.items():
                each = statistics.median(epochs)
                rows = {"throughput": self.samples(each), "fed": self.samples(each), "inference_1": 1 / each}.get(work[0])
                yield {"arm": arm, "work": work[0], "us": 1e6 * each, "samples_per_s": rows, **self.against_base(arm, work)}

    def memory(self) -> Iterator[Row]:
        """Largest resident MiB by phase: medians over epochs."""
        for record in self.counted:
            facts = launches(record)
            names = {"after_import_mib": "memory_import", "build_mib": "memory_build", "compile_mib": "memory_compile",
                     "train_mib": "memory_train"}  # fmt: skip
            row: Row = {"arm": record.arm, **{column: middle(facts, name) for column, name in names.items()}}
            row["inference_mib"] = middle([each.get("inference") or {} for each in facts], "memory_inference")
            known = [value for column, value in row.items() if column != "arm" and value is not None]
            row["peak_mib"] = middle(facts, "memory_peak") or max(known, default=None)
            yield row

    def pairs(self) -> Iterator[Row]:
        """Every two arms, training steps alone, and the control."""
        for variant in self.variants:
            found = self.rankings.get(("step", variant))
            for pair in itertools.chain(found.pairs, [found.control] if found.control else []) if found else ():
                yield {
                    "variant": variant, "a": pair.a, "b": pair.b, "ratio": pair.ratio, "low": pair.low, "high": pair.high, "p": pair.p,
                    "verdict": pair.verdict or "control", "proved": pair.proved if pair.verdict in ("faster", "slower") else None,
                    "epochs": pair.epochs, "flags": ", ".join(pair.flags),
                }  # fmt: skip


def alike(plain: Record, other: Record) -> bool:
    """Whether two arms differ in their mode alone, not in Keras' engine."""
    engines = [(record.facts.get("versions") or {}).get("engine") for record in (plain, other)]
    return plain is not other and engines[0] == engines[1]


def launches(record: Record) -> list[Mapping[str, Any]]:
    """What is known of each of an arm's launches, the control's left out; runs of earlier versions had one."""
    timing = record.facts.get("timing") or {}
    epochs = timing.get("epochs", [timing] if timing else [])
    return [each for each in epochs if not each.get("twin")]


def stages(record: Record, work: tuple[str, str]) -> list[Mapping[str, Any]]:
    """What is known of a work in each launch: another dropout and another work have entries of their own."""
    doing, variant = work
    found = [each.get(variant, each) if variant == "native" else each for each in launches(record)]
    return found if doing == "step" else [each[doing] for each in launches(record) if doing in each]


def middle(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The median of what is known."""
    found = [row[name] for row in rows if row.get(name) is not None]
    return float(statistics.median(found)) if found else None


def mostly(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether something is said to be false in most rows."""
    return sum(row.get(name) is False for row in rows) * 2 > len(rows)
