"""One run: plan the arms, call the two workshops, keep every record as it comes."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ArmFailed, UsageError
from ..interface import LIMIT
from ..numeric.lane import Lane as NumericLane
from ..numeric.lane import Outcome, forms_key
from ..numeric.parting import envelope, parted, parts_at, reach
from ..pool import Crew
from ..records.provenance import command, environment, load
from ..records.record import Record
from ..records.runs import others_running
from ..records.store import SUMMARY_FILE, Store
from ..registry import Arm, add_file
from ..spec import encode, node_rows, relevant_forms, step_flops
from ..spec.layers import by
from ..tables import Run
from ..tables.summaries import summary_of
from ..timing.lane import Lane as TimingLane
from ..timing.lane import Point, Right
from ..timing.presets import PRESETS
from .interrupts import one_interrupt
from .layout import lay_out
from .native import Native
from .plan import Plan, plan

#: seconds between two looks for an interrupt
LOOK = 0.5

Progress = Callable[[str, dict[str, Any]], None]


def silent(arm: str, facts: dict[str, Any]) -> None:
    """Progress that is not shown."""


def run(
    experiment: str | Path | Mapping[str, Any],
    *,
    arms: Sequence[str] = (),
    backends: Sequence[str | Path] = (),
    changes: Sequence[str] = (),
    results: str | Path = "results",
    timing: str = "smoke",
    probes: bool = True,
    native: bool = False,
    progress: Progress = silent,
) -> Run:
    """Run an experiment through all its arms, save and return what was found.

    Args:
        experiment: a TOML file, or the same tree as dicts and lists.
        arms: what is compared, e.g. `["numpy", "torch:compile"]`; the experiment's own arms when empty.
        backends: files with adapters of your own, each known by the file's name.
        changes: `"train.epochs=1"` and the like change the experiment for this run.
        results: folder that gets `runs/<id>/`.
        timing: how much is timed: none, smoke (indicative), standard (ranks), careful (ranks small differences).
        probes: whether directed probes are forced beside the steps of the training, and free trainings held against an envelope.
        native: whether each framework's own defaults are tried too: `.native` says what they move.
        progress: called with an arm's name and what it is at; never while a block is timed.

    Returns:
        The run; `.losses`, `.gradients`, `.timings`, `.memory` are DataFrames. Arms that failed are rows with their reason.

    Raises:
        SpecError: the experiment cannot be run (nothing was).
        UsageError: an arm is unknown, or results cannot be written.
    """
    for file in backends:
        add_file(Path(file))
    return execute(plan(experiment, changes, arms), Path(results), progress, timing=timing, probes=probes, native=native)


def execute(found: Plan, results: Path, progress: Progress, *, timing: str, probes: bool, native: bool) -> Run:
    """Run a plan; see `run`."""
    if timing not in ("none", *PRESETS):
        raise UsageError(f'there is no timing "{timing}"', f"none, {', '.join(PRESETS)}")
    store = Store.create(results, found.experiment.name)
    with one_interrupt() as no_more_interrupts, working_folder(store) as folder:
        work = Work(found, store, folder, progress, probes)
        with nothing_run(store):
            work.begin()
        try:
            work.compare_arms()
            if timing != "none":
                work.time_arms(timing)
            if native:
                work.try_defaults()
        except KeyboardInterrupt:
            work.interrupt()
        no_more_interrupts()
        return work.end()


@contextmanager
def working_folder(store: Store) -> Iterator[Path]:
    """A folder for what passes between parent and workers, gone with the run."""
    with nothing_run(store):
        folder = tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)
    with folder:
        yield Path(folder.name)


@contextmanager
def nothing_run(store: Store) -> Iterator[None]:
    """What goes wrong here is a run that did not start: it leaves nothing.

    Raises:
        UsageError: temporary files cannot be written, or the data do not fit into the memory.
    """
    try:
        yield
    except OSError as problem:
        store.discard()
        raise UsageError(
            f"cannot write temporary files: {problem.strerror or problem}", "set TMPDIR to a folder with room"
        ) from None
    except MemoryError:
        store.discard()
        raise UsageError("the rows, their order and their masks do not fit into the memory", "make the run shorter") from None
    except BaseException:
        store.discard()
        raise


@dataclass
class Work:
    """One run while it lasts."""

    plan: Plan
    store: Store
    folder: Path
    progress: Progress
    probes: bool
    records: dict[str, Record] = field(default_factory=dict)
    interrupted: bool = False
    native: dict[str, Any] | None = None
    timing: dict[str, Any] | None = None
    started: float = field(default_factory=time.time)

    def begin(self) -> None:
        """Write down what will be done, and lay out the data."""
        self.notes = [
            f"another run is in progress ({name}): timings disturb each other"
            for name in others_running(self.store.folder.parents[1], self.store.folder)
        ]
        self.environment = environment()
        self.store.text("experiment.toml", self.plan.source.text)
        self.store.json("experiment.json", encode(self.plan.experiment))
        self.store.json("environment.json", self.environment)
        compare = self.plan.experiment.compare
        self.crew = Crew(self.folder, compare.device, compare.threads, compare.time_limit)
        self.progress("", {"phase": "preparing data", "arms": [arm.name for arm in self.plan.arms]})
        self.weights = lay_out(self.plan, self.folder)
        trajectory = replace(self.plan.trajectory, probes=self.probes and self.plan.trajectory.probes)
        if trajectory.note:
            self.notes.append(trajectory.note)
        self.lane = NumericLane(
            crew=self.crew, spec=self.plan.spec, trajectory=trajectory, dtype=compare.dtype, folder=self.folder,
            free={
                "steps": self.plan.steps, "evaluate": self.plan.evaluations, "names": list(self.plan.metrics),
                "threshold": self.plan.threshold,
            },
            weights=self.weights, progress=self.progress,
        )  # fmt: skip

    def compare_arms(self) -> None:
        """The numeric lane: as many workers at a time as there are cores; the reference first, since all wait for it."""
        forms = relevant_forms(self.plan.spec, {})
        self.progress("", {"phase": "comparing"})
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads, self.stopping():
            jobs: list[Future[None]] = [threads.submit(self.reference, forms)]
            # what starts in no time goes last: it would only wait for the reference
            jobs += [threads.submit(self.arm, arm) for arm in sorted(self.plan.arms, key=lambda arm: arm.backend == "numpy")]
            if self.probes:
                jobs.append(threads.submit(self.envelope, forms))
            ended(jobs)
            for job in jobs:
                job.result()
            parting = [threads.submit(self.part, *pair) for pair in self.parting(forms)]
            ended(parting)
            for job in parting:
                job.result()

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """End all workers on an interrupt, so that the threads that wait for them end."""
        try:
            yield
        except KeyboardInterrupt:
            self.crew.stop()
            raise

    def reference(self, forms: Mapping[str, str]) -> None:
        """Compute the reference ahead of the arms; whoever needs it is told if it failed."""
        try:
            self.lane.reference(forms)
        except (ArmFailed, OSError):
            return

    def envelope(self, forms: Mapping[str, str]) -> None:
        """How far rounding alone carries a free training; not known where a replica failed."""
        steps = reach(self.plan.spec, self.plan.steps, self.plan.batch_size)
        try:
            reference = self.lane.reference(forms)
            reference.outcome.envelope = envelope(self.lane, reference, steps)
        except (ArmFailed, OSError) as problem:
            if getattr(problem, "status", "") != "interrupted":  # the run says so itself
                self.notes.append(f"how far rounding alone carries a free training is not known: {problem}")

    def parting(self, forms: Mapping[str, str]) -> Iterator[tuple[Arm, int]]:
        """The arms that compute rightly and part all the same when they train freely, and the step at which their loss shows it."""
        found = self.lane.references.get(forms_key(forms))
        for arm in self.plan.arms:
            record = self.records[arm.name]
            if found is None or record.status != "ok" or record.facts["verdict"] != "agrees":
                continue
            right = self.lane.reference(record.facts["forms"]).outcome.losses
            step = parts_at(record.losses, right, found.outcome.envelope, self.lane.dtype)
            if step is not None:
                yield arm, step

    def part(self, arm: Arm, step: int) -> None:
        """Say where an arm parts by rounding alone."""
        record = self.records[arm.name]
        self.progress(arm.name, {"phase": "looking for where it parts"})
        try:
            record.facts["parted"] = parted(self.lane, arm, self.lane.reference(record.facts["forms"]), step)
        except (ArmFailed, OSError) as problem:
            record.facts["parted"] = {"step": step, "flip": None, "reason": str(problem)}
        self.keep(record)

    def arm(self, arm: Arm) -> None:
        """The numeric lane of one arm; whatever happens becomes its record."""
        record = Record(arm.name, facts={"backend": arm.backend, "mode": arm.mode, "environment": arm.environment})
        try:
            self.fill(record, self.lane.run(arm))
        except ArmFailed as problem:
            record.status, record.reason = problem.status, problem.reason
        except OSError as problem:
            record.status, record.reason = "failed", f"temporary files: {problem.strerror or problem}"
        self.keep(record)
        verdict = record.facts.get("verdict", "") if record.status == "ok" else ""
        self.progress(arm.name, {"done": record.status, "reason": record.reason, "verdict": verdict})

    def fill(self, record: Record, outcome: Outcome) -> None:
        """An outcome as a record."""
        record.facts.update(outcome.facts)
        record.losses, record.envelope, record.metrics, record.final = outcome.losses, outcome.envelope, outcome.metrics, outcome.final
        record.agreement, record.probes = outcome.agreement, outcome.probes
        if outcome.facts["stopped"] is not None:
            record.status, record.reason = "diverged", f"the loss is not finite from step {outcome.facts['stopped']} on"

    def keep(self, record: Record) -> None:
        """Save a record as it stands."""
        self.records[record.arm] = record
        logs = [self.crew.log(record.arm), self.crew.log(f"{record.arm} timing")]
        self.store.record(record, logs)

    def time_arms(self, name: str) -> None:
        """The timing lane: arms whose numbers are right."""
        arms = [arm for arm in self.plan.arms if timed(self.records[arm.name])]
        compare, preset = self.plan.experiment.compare, PRESETS[name]
        wanted = {arm.name: right(self.records[arm.name], self.around(arm.name)) for arm in arms}
        point = Point(self.plan.spec, self.folder, wanted)
        lane = TimingLane(self.crew, [point], compare.dtype, compare.seed, preset, self.progress)
        with ThreadPoolExecutor(max_workers=1) as threads, self.stopping():
            job = threads.submit(lane.run, arms)
            ended([job])
            (found,) = job.result()
        spec, rows = self.plan.spec, self.plan.batch_size
        self.timing = {"preset": name, "flops": {"step": step_flops(spec, rows)}, **dataclasses.asdict(preset), **lane.facts}
        for arm, result in found.items():
            record = self.records[arm]
            record.timed(result.epochs, result.blocks, result.failure)
            self.keep(record)

    def around(self, arm: str) -> list[float]:
        """By step, how far rounding alone carries an arm's free training; empty where that was not measured."""
        return self.lane.references[forms_key(self.records[arm].facts["forms"])].outcome.envelope

    def try_defaults(self) -> None:
        """What each framework's own defaults would move."""
        with ThreadPoolExecutor(max_workers=1) as threads, self.stopping():
            job = threads.submit(Native(self.plan, self.lane, self.records).found)
            ended([job])
            self.native = job.result()

    def interrupt(self) -> None:
        """Arms that did not end are rows that say so."""
        self.interrupted = True
        self.notes.append("the run was interrupted; what had ended was saved")
        self.crew.stop()

    def end(self) -> Run:
        """Save the references and the manifest."""
        for key, reference in self.lane.references.items():
            record = Record(f"reference{key}")
            self.fill(record, reference.outcome)
            self.keep(record)
        for arm in self.plan.arms:
            if arm.name not in self.records:
                self.keep(Record(arm.name, "interrupted", "the run was interrupted"))
        manifest = self.manifest()
        self.store.finish(manifest)
        if self.store.problem:
            manifest["unsaved"] = self.store.problem
        found = Run(self.store.folder, manifest, [self.records[name] for name in manifest["arms"]])
        self.store.json(SUMMARY_FILE, summary_of(found))
        return found

    def manifest(self) -> dict[str, Any]:
        """What the run was, written last."""
        references = [name for name, record in self.records.items() if record.is_reference]
        compare = self.plan.experiment.compare
        return {
            "schema": "harness.run/1",
            "id": self.store.folder.name,
            "experiment": self.plan.experiment.name,
            "description": self.plan.experiment.description,
            "command": command(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started, 2),
            "interrupted": self.interrupted,
            "arms": [*(arm.name for arm in self.plan.arms), *references],
            "dtype": compare.dtype, "device": compare.device, "threads": compare.threads, "seed": compare.seed,
            "rows": self.plan.rows, "batch_size": self.plan.batch_size, "steps": self.plan.steps, "per_epoch": self.plan.per_epoch,
            "weights": self.weights,
            "parameters": sum(math.prod(parameter.shape) for parameter in self.plan.spec.parameters),
            "input": by(self.plan.spec.input_shape), "model": node_rows(self.plan.spec),
            "notes": self.notes,
            "load_after": load(),
            "environment": self.environment,
            **({} if self.native is None else {"native": self.native}),
            **({} if self.timing is None else {"timing": self.timing}),
        }  # fmt: skip


def right(record: Record, envelope: Sequence[float]) -> Right:
    """What an arm's first steps have to be when it is timed: those of the numeric lane, to what rounding does to the loss there."""
    ceilings = [row["ceiling"] for row in record.agreement if row["kind"] == "loss"]
    return Right(record.losses, [LIMIT * max([*ceilings, *envelope[step : step + 1]]) for step in range(len(record.losses))])


def timed(record: Record) -> bool:
    """Whether an arm is timed: it ended well and its numbers are right."""
    return record.status == "ok" and record.facts.get("verdict") == "agrees"


def ended(jobs: Sequence[Future[Any]]) -> None:
    """Wait for jobs in other threads. The main thread does nothing else, so that no interrupt strikes while a worker is being
    started, and it looks up now and then: a signal that another thread took does not wake it."""
    while wait_for(jobs, timeout=LOOK).not_done:
        pass
