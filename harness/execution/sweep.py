"""A grid of programs: how each arm's cost grows. Every cell is checked against the reference before it is timed; one worker an arm serves
all programs."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas

from ..errors import ArmFailed, UsageError
from ..numeric.lane import Lane as NumericLane
from ..numeric.lane import Outcome
from ..numeric.trajectory import Trajectory
from ..pool import Crew
from ..pool.warm import WarmCrew
from ..records.provenance import command, environment, load
from ..records.record import Record
from ..records.store import SUMMARY_FILE, Store, write_parquet
from ..registry import Arm, add_file, split
from ..spec import step_flops
from ..tables.costs import Costs
from ..tables.summaries import summary_of_sweep
from ..tables.sweep import Sweep
from ..timing.lane import Lane as TimingLane
from ..timing.lane import Point
from ..timing.presets import PRESETS
from .interrupts import one_interrupt
from .layout import lay_out
from .plan import Plan, plan
from .run import Progress, ended, right, silent, working_folder

#: steps that are drawn, and whose losses are compared; timed steps go through their batches in turn
STEPS = 8
#: what a cell says of its arm
MEASURED = ("tier", "step_us", "step_p95_us", "ratio", "low", "high", "speed", "samples_per_s", "gflops", "compile_s", "build_s")


def sweep(
    experiment: str | Path | Mapping[str, Any],
    sweeps: Sequence[str],
    *,
    arms: Sequence[str] = (),
    backends: Sequence[str | Path] = (),
    changes: Sequence[str] = (),
    results: str | Path = "results",
    timing: str = "smoke",
    progress: Progress = silent,
) -> Sweep:
    """Run an experiment for every combination of values, and time its training step.

    Args:
        experiment: a TOML file, or the same tree as dicts and lists.
        sweeps: `"train.batch_size=1,8,64"` and the like; `model.width` is the size of every layer but the last.
        arms, backends, changes, results, progress: see `run`.
        timing: smoke (indicative), standard or careful (they rank).

    Raises:
        SpecError: one of the experiments cannot be run (nothing was).
        UsageError: a sweep is not KEY=VALUE,VALUE, an arm is unknown, or results cannot be written.
    """
    for file in backends:
        add_file(Path(file))
    if timing not in PRESETS:
        raise UsageError("a sweep is timed", f"--timing {', '.join(PRESETS)}")
    grid = points(sweeps)
    plans = [plan(experiment, [*changes, *(f"{key}={value}" for key, value in point.items())], arms) for point in grid]
    store = Store.create(Path(results), plans[0].experiment.name, "sweeps")
    with one_interrupt() as no_more_interrupts, working_folder(store) as folder:
        work = Work(grid, plans, timing, store, folder, progress)
        work.begin()
        try:
            for group in work.groups():
                work.run(group)
        except KeyboardInterrupt:
            work.interrupted = True
        no_more_interrupts()
        return work.end()


def points(sweeps: Sequence[str]) -> list[dict[str, str]]:
    """All combinations, the last key running fastest.

    Raises:
        UsageError: a sweep is not KEY=VALUE,VALUE, or a key stands twice.
    """
    values: dict[str, list[str]] = {}
    for text in sweeps:
        key, equals, rest = text.partition("=")
        found = split(rest)
        if not equals or not key.strip() or not found or key.strip() in values:
            raise UsageError(f'"{text}" is no sweep', "write KEY=VALUE,VALUE,..., e.g. train.batch_size=1,8,64, each key once")
        values[key.strip()] = found
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


@dataclass
class Work:
    """A sweep while it lasts."""

    grid: list[dict[str, str]]
    plans: list[Plan]
    timing: str
    store: Store
    folder: Path
    progress: Progress
    cells: list[dict[str, Record]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    started: float = field(default_factory=time.time)

    def begin(self) -> None:
        """Write down what will be done."""
        self.cells, self.environment = [{} for _ in self.plans], environment()
        self.store.text("experiment.toml", self.plans[0].source.text)

    def groups(self) -> list[list[int]]:
        """Programs whose workers may be the same: of one device, number format and number of threads."""
        found: dict[Any, list[int]] = {}
        for number, each in enumerate(self.plans):
            compare = each.experiment.compare
            found.setdefault((compare.device, compare.dtype, compare.threads, compare.time_limit), []).append(number)
        return list(found.values())

    def run(self, group: Sequence[int]) -> None:
        """Check all cells of a group in workers that are kept, then time those that are right: each epoch in processes of its own."""
        compare = self.plans[group[0]].experiment.compare
        settings = compare.device, compare.threads, compare.time_limit
        folders = [self.folder / f"{kind}-{group[0]}" for kind in ("checking", "timing")]
        for folder in folders:
            folder.mkdir()
        with WarmCrew(folders[0], *settings) as crew:
            checked = [self.check(crew, number) for number in group]
        self.time(Crew(folders[1], *settings), group, checked)

    def check(self, crew: WarmCrew, number: int) -> Point:
        """Hold every arm's first step of a program against the reference."""
        found = dataclasses.replace(self.plans[number], steps=min(STEPS, self.plans[number].steps))
        folder = crew.folder / f"program-{number}"
        folder.mkdir()
        arms = [arm.name for arm in found.arms]
        self.progress("", {"phase": "checking programs", "step": number, "steps": len(self.plans), "arms": arms, "timed": False})
        lane = numeric(crew, found, folder, self.progress)
        reference: dict[str, Any] = {}
        for arm in found.arms:
            record = self.judged(lane, arm)
            self.cells[number][arm.name] = record
            if record.status == "ok":
                reference[arm.name] = right(record, [])
        return Point(found.spec, folder, reference)

    def judged(self, lane: NumericLane, arm: Arm) -> Record:
        """One cell's numbers; whatever happens becomes its record."""
        record = Record(arm.name, facts={"backend": arm.backend})
        try:
            outcome: Outcome = lane.run(arm)
        except ArmFailed as problem:
            record.status, record.reason = problem.status, problem.reason
            return record
        record.facts.update(outcome.facts)
        record.losses, record.agreement = outcome.losses, outcome.agreement
        if outcome.facts["stopped"] is not None:
            record.status, record.reason = "diverged", f"the loss is not finite from step {outcome.facts['stopped']} on"
        elif outcome.facts["verdict"] != "agrees":
            record.status, record.reason = "differs", "its numbers are not the reference's: run this program alone to see where"
        return record

    def time(self, crew: Crew, group: Sequence[int], checked: Sequence[Point]) -> None:
        """Time what is right."""
        arms = {arm.name: arm for number in group for arm in self.plans[number].arms}
        wanted = [arm for name, arm in arms.items() if any(name in point.right for point in checked)]
        compare, preset = self.plans[group[0]].experiment.compare, dataclasses.replace(PRESETS[self.timing], others=0)
        lane = TimingLane(crew, checked, compare.dtype, compare.seed, preset, self.progress)
        try:
            with ThreadPoolExecutor(max_workers=1) as threads, stopping(crew):
                job = threads.submit(lane.run, wanted)
                ended([job])
                job.result()
        finally:
            self.facts.append({**dataclasses.asdict(preset), **lane.facts})
            for number, found in zip(group, lane.found, strict=False):
                for name, timing in found.items():
                    self.cells[number][name].timed(timing.epochs, timing.blocks, timing.failure)

    def rows(self) -> Iterator[dict[str, Any]]:
        """All cells."""
        for number, (point, found) in enumerate(zip(self.grid, self.plans, strict=True)):
            cells = self.cells[number]
            session = {**(self.facts[0] if self.facts else {}), "flops": {"step": step_flops(found.spec, found.batch_size)}}
            facts = {"batch_size": found.batch_size, "timing": session}
            costs = Costs(list(cells.values()), facts)
            timed = {row["arm"]: row for row in costs.timings() if row["variant"] == costs.variants[0]}
            for arm in found.arms:
                record = cells[arm.name] if arm.name in cells else Record(arm.name, "interrupted", "the sweep was interrupted")
                measured = dict(timed.get(arm.name, {}))
                measured["speed"] = measured.pop("verdict", None)
                yield {
                    **{key: number_or_text(value) for key, value in point.items()},
                    "parameters": sum(math.prod(parameter.shape) for parameter in found.spec.parameters),
                    "arm": arm.name, "status": record.status, "reason": record.reason, "verdict": record.facts.get("verdict"),
                    **{name: measured.get(name) for name in MEASURED},
                }  # fmt: skip

    def end(self) -> Sweep:
        """Save cells, raw blocks and the manifest."""
        cells = pandas.DataFrame(self.rows())
        blocks = [
            {"program": number, "arm": name, **block}
            for number, found in enumerate(self.cells) for name, cell in found.items() for block in cell.blocks
        ]  # fmt: skip
        compare = self.plans[0].experiment.compare
        manifest = {
            "schema": "harness.sweep/1", "id": self.store.folder.name, "experiment": self.plans[0].experiment.name,
            "description": self.plans[0].experiment.description, "command": command(), "sweep": self.swept(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)), "seconds": round(time.time() - self.started, 2),
            "interrupted": self.interrupted, "timing": {"preset": self.timing, "sessions": self.facts},
            "dtype": compare.dtype, "device": compare.device, "threads": compare.threads, "seed": compare.seed,
            "arms": list(dict.fromkeys(cells["arm"])), "load_after": load(), "environment": self.environment,
        }  # fmt: skip
        self.store.text("cells.csv", cells.to_csv(index=False, lineterminator="\n"))
        self.store.save(lambda: write_parquet(self.store.folder / "blocks.parquet", blocks))
        found = Sweep(self.store.folder, manifest, cells)
        self.store.finish(manifest)
        self.store.json(SUMMARY_FILE, summary_of_sweep(found))
        if self.store.problem:
            manifest["unsaved"] = self.store.problem
        return found

    def swept(self) -> dict[str, list[Any]]:
        """Key -> its values."""
        return {key: list(dict.fromkeys(number_or_text(point[key]) for point in self.grid)) for key in self.grid[0]}



def numeric(crew: WarmCrew, found: Plan, folder: Path, progress: Progress) -> NumericLane:
    """The numeric lane of a cell: its first steps, the first of them forced."""
    free = {"steps": found.steps, "evaluate": [], "names": [], "threshold": found.threshold}
    steps = Trajectory((0,), found.trajectory.replicas, False, "")
    dtype, weights = found.experiment.compare.dtype, lay_out(found, folder)
    return NumericLane(crew, found.spec, steps, dtype, folder, free, weights, progress, brief=True)


@contextmanager
def stopping(crew: Crew) -> Iterator[None]:
    """End all workers on an interrupt."""
    try:
        yield
    except KeyboardInterrupt:
        crew.stop()
        raise


def number_or_text(value: str) -> Any:
    """A value as a number, where it is one."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value

