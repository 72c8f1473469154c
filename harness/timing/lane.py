"""The timing lane: fresh workers in every epoch, started one after another, then asked for blocks of steps in interleaved rounds. Only one
worker computes at a time and the parent waits."""

from __future__ import annotations

import math
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ..errors import ArmFailed
from ..pool import Crew, Worker
from ..records.provenance import load
from ..registry import Arm, backend
from ..spec import ProgramSpec, encode
from ..tables.ranking import settled
from ..tables.timing import ranking
from .engine import Field, Row, Visit, Work, session
from .presets import Preset
from .works import NATIVE, works

#: seconds before a block whose steps are not kept, and how many steps that may be
DISCARD, DISCARDED = 0.005, 8
#: steps of a block at least: of fast ones, and of those that take longer than SLOW seconds
FAST_STEPS, SLOW_STEPS, SLOW = 8, 3, 0.02
#: seconds for which a worker that nobody asks is watched
IDLE = 0.1
#: CPU seconds in a second that an arm may take beyond its threads: a runtime hands work from one thread to another
BESIDE = 0.25

Progress = Callable[[str, dict[str, Any]], None]


@dataclass
class Timing:
    """What the timing lane found of one arm.

    Attributes:
        epochs: of each launch: seconds of `import`, `build`, `compile` (by stage), `first_step`; MiB of memory by phase; `steady`,
            `busy_threads`, `cores`, `idle` (CPU seconds in a second when nobody asks); of another dropout or work the same by its name.
        blocks: rows of twin, work, variant, epoch, round, position, before, ns (nanoseconds of each step), and what else happened.
        failure: (status, reason) where it failed, or its numbers, threads or steps are not what they have to be.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    failure: tuple[str, str] | None = None


@dataclass(frozen=True)
class Right:
    """What an arm has to compute while it is timed.

    Attributes:
        losses: of its first steps in the numeric lane.
        allowed: by step, how far off a loss may be, relative: as far as rounding alone moves it.
    """

    losses: Sequence[float]
    allowed: Sequence[float]


@dataclass(frozen=True)
class Point:
    """One program that is timed.

    Attributes:
        spec: it.
        folder: holds its `data.npz` and `initial.npz`.
        right: what each arm has to compute; arms that are not in it are not timed.
    """

    spec: ProgramSpec
    folder: Path
    right: Mapping[str, Right]


@dataclass(frozen=True)
class Contestant:
    """Who is visited: an arm, or its second process."""

    name: str
    arm: Arm
    twin: bool = False


@dataclass
class Seat:
    """A contestant's worker in one epoch.

    Attributes:
        worker: the process.
        opened: what is known of its start.
        point: the program that it has built.
        variant: the dropout that it is started with.
        steps: work -> seconds of a step.
    """

    worker: Worker
    opened: dict[str, Any]
    point: int = -1
    variant: str = ""
    steps: dict[str, float] = field(default_factory=dict)


@dataclass
class Lane:
    """The timing lane of one run: of one program, or of several, which the workers of an epoch build one after another.

    Attributes:
        crew: starts workers.
        points: the programs.
        dtype: of the arms.
        seed: of the order of visits.
        preset: the protocol.
        progress: told what an arm is at; never while a block is timed.
        found: by program and arm, what was found.
        facts: of the session, what no arm says.
    """

    crew: Crew
    points: Sequence[Point]
    dtype: str
    seed: int
    preset: Preset
    progress: Progress
    found: list[dict[str, Timing]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    prepared: Work | None = None

    def run(self, arms: Sequence[Arm]) -> list[dict[str, Timing]]:
        """Time the arms. One that fails keeps what was found of it; the others go on."""
        self.found = [{arm.name: Timing() for arm in arms if arm.name in point.right} for point in self.points]
        contestants = [Contestant(arm.name, arm) for arm in arms]
        if self.preset.twin and arms:
            arm = random.Random(f"{self.seed}/twin").choice(list(arms))
            contestants.append(Contestant(f"{arm.name} again", arm, twin=True))
        self.players = {each.name: each for each in contestants}
        self.facts = {"twin": next((each.arm.name for each in contestants if each.twin), None), "epochs": []}
        every = {
            work: rounds for number, point in enumerate(self.points) for work, rounds in works(point.spec, self.preset, number).items()
        }
        began = time.monotonic()
        self.tell_epoch()

        def enough(epochs: int) -> bool:
            spent = time.monotonic() - began > self.preset.budget
            return spent or all(self.settled(work) for work in every if work.name == "step")

        if arms:
            session(list(self.players), every, self.preset, self.seed, self.opened, enough)
        self.progress("", {"phase": "timed", "timed": False})
        return self.found

    def settled(self, work: Work) -> bool:
        """Whether more epochs would change nothing that matters at a work."""
        timings = self.found[work.point].items()
        blocks = [{**row, "arm": name} for name, timing in timings if timing.failure is None for row in timing.blocks]
        found = ranking(blocks, work.name, work.variant, self.preset.target)
        return found is None or settled(found, self.preset.target)

    def timing(self, name: str, point: int) -> Timing | None:
        """What is kept of a contestant at a program; None where its arm is not timed there."""
        return self.found[point].get(self.players[name].arm.name)

    def fails(self, name: str, problem: ArmFailed, point: int | None = None) -> None:
        """Write down why an arm failed: at one program, or at all."""
        for number in range(len(self.points)) if point is None else [point]:
            timing = self.timing(name, number)
            if timing is not None and timing.failure is None:
                timing.failure = (problem.status, problem.reason)
        self.progress(name, {"done": problem.status, "reason": problem.reason, "verdict": ""})

    def alive(self, name: str, point: int) -> bool:
        """Whether a contestant is timed at a program and has not failed there."""
        timing = self.timing(name, point)
        return timing is not None and timing.failure is None

    @contextmanager
    def opened(self, epoch: int, order: Sequence[str]) -> Iterator[Field]:
        """Start an epoch's workers one after another, so that start-ups can be timed; end them behind it."""
        self.prepared = None
        with ExitStack() as stack:
            seats: dict[str, Seat] = {}
            for name in order:
                if any(self.alive(name, number) for number in range(len(self.points))):
                    self.progress(name, {"phase": "starting alone"})
                    try:
                        seats[name] = self.open(stack, self.players[name], epoch)
                    except ArmFailed as problem:
                        self.fails(name, problem)
            begun = self.failures()
            yield {name: self.visitor(name, seats) for name in seats}
            if self.failures() > begun:
                self.spoil(epoch)
            self.leave(seats)
            self.machine(epoch, seats)

    def failures(self) -> int:
        """How many arms have failed, over all programs."""
        return sum(timing.failure is not None for found in self.found for timing in found.values())

    def spoil(self, epoch: int) -> None:
        """An arm failed within the rounds of an epoch: what was before whom is another in its later rounds, so that none of them counts."""
        for timing in (timing for found in self.found for timing in found.values()):
            for row in timing.blocks:
                row["spoilt"] |= row["epoch"] == epoch

    def open(self, stack: ExitStack, each: Contestant, epoch: int) -> Seat:
        """Start a worker alone.

        Raises:
            ArmFailed: it does not start.
        """
        # where stacks and heaps lie is luck that a process keeps (Mytkowicz et al. 2009): each gets its own
        luck = {"PADDING": "x" * secrets.randbelow(4096), "TORCHINDUCTOR_CACHE_DIR": str(self.crew.folder / "inductor")}
        worker = stack.enter_context(self.crew.worker(each.arm, f"{each.name} timing", luck))
        adapter = backend(each.arm)
        found = worker.ask("open", module=adapter.module, place=adapter.place)
        facts = {"epoch": epoch, "twin": each.twin, "pid": worker.process.pid}
        facts |= {"import": found["import"], "memory_import": found["memory"]}
        return Seat(worker, {**facts, "idle": idle(worker)})

    def visitor(self, name: str, seats: dict[str, Seat]) -> Callable[[Visit], Row | None]:
        """What visits a contestant."""

        def visit(at: Visit) -> Row | None:
            if self.prepared != at.work:
                self.prepare(at.work, seats)
            if not self.alive(name, at.work.point):
                return None
            try:
                return self.block(name, seats[name], at)
            except ArmFailed as problem:
                self.fails(name, problem, at.work.point)
                return None

        return visit

    def prepare(self, work: Work, seats: Mapping[str, Seat]) -> None:
        """Bring all contestants to a work, and warm them up for it, before its first round."""
        before, self.prepared = self.prepared, work
        if before is not None and before[1:] != work[1:]:
            self.leave(seats)
        for name, seat in seats.items():
            if self.alive(name, work.point):
                try:
                    self.prepare_one(self.players[name], seat, work)
                except ArmFailed as problem:
                    self.fails(name, problem, work.point)
        if before is None or before.point != work.point:
            self.tell_epoch(work.point)
            for name in seats:
                if self.alive(name, work.point):
                    self.progress(name, {"phase": "timed in turn"})

    def tell_epoch(self, point: int = 0) -> None:
        """Which epoch this is, of how many, and which of the programs."""
        least, most, done = self.preset.least, self.preset.most, len(self.facts["epochs"])
        parts = [f"program {point + 1} of {len(self.points)}"] if len(self.points) > 1 else []
        parts += [f"epoch {done + 1} of {least}{f' to {most}' if most > least else ''}"] if most > 1 else []
        count = {"step": done, "steps": least if done < least else most}
        self.progress("", {"phase": f"timing {len(self.players)} arms in turn", "at": ", ".join(parts), "timed": True, **count})

    def prepare_one(self, each: Contestant, seat: Seat, work: Work) -> None:
        """Bring one contestant to a work.

        Raises:
            ArmFailed: see `build` and `start`.
        """
        timing = self.found[work.point][each.arm.name]
        if seat.point != work.point:
            timing.epochs.append(self.build(each, seat, work.point))
        facts = next(facts for facts in reversed(timing.epochs) if facts["twin"] == each.twin)
        if seat.variant != work.variant:
            found = self.start(each, seat, work)
            facts.update({work.variant: found} if "step" in facts else found)
        if work.name not in seat.steps:
            facts[work.name] = seat.worker.ask("prepare", work=work.name)
            seat.steps[work.name] = facts[work.name]["step"]

    def build(self, each: Contestant, seat: Seat, point: int) -> dict[str, Any]:
        """Let a worker build a program."""
        spec, folder = self.points[point].spec, self.points[point].folder
        built = seat.worker.ask(
            "build", spec=encode(spec), dtype=self.dtype, device=self.crew.device, mode=each.arm.mode,
            data=str(folder / "data.npz"), state=str(folder / "initial.npz"),
        )  # fmt: skip
        seat.point, seat.variant = point, ""
        return {**seat.opened, "build": built["build"], "memory_build": built["memory"]}

    def start(self, each: Contestant, seat: Seat, work: Work) -> dict[str, Any]:
        """Compile, take the first steps, hold their losses against the numeric lane's, warm up.

        Raises:
            ArmFailed: it does not compute what it has to, or takes more threads than it may.
        """
        found: dict[str, Any] = seat.worker.ask("start", native_dropout=work.variant == NATIVE)
        seat.variant, seat.steps = work.variant, {"step": found["step"]}
        losses = found.pop("losses")
        if work.variant != NATIVE:
            check(losses, self.points[work.point].right[each.arm.name])
        if found["cores"] > self.crew.threads + BESIDE:
            raise ArmFailed("invalid", f"it used {found['cores']:.1f} cores where {self.crew.threads} were allowed")
        return found

    def leave(self, seats: Mapping[str, Seat]) -> None:
        """The first steps once more: what was timed still computes what it did."""
        for name, seat in seats.items():
            if seat.point >= 0 and self.alive(name, seat.point) and seat.variant not in ("", NATIVE):
                try:
                    check(seat.worker.ask("again"), self.points[seat.point].right[self.players[name].arm.name])
                except ArmFailed as problem:
                    self.fails(name, problem, seat.point)

    def block(self, name: str, seat: Seat, at: Visit) -> Row:
        """One block of one contestant.

        Raises:
            ArmFailed: its worker failed, or its loss is not finite any more.
        """
        work = at.work
        seconds = self.preset.block if work.name == "step" else self.preset.block / 2
        steps, discard = block_size(seat.steps[work.name], seconds)
        found = seat.worker.ask("block", work=work.name, steps=steps, discard=discard)
        row = {
            "twin": self.players[name].twin, "work": work.name, "variant": work.variant, "epoch": at.epoch, "round": at.number,
            "position": at.position, "before": at.before, "spoilt": False, **found,
        }  # fmt: skip
        self.found[work.point][self.players[name].arm.name].blocks.append(row)
        return row

    def machine(self, epoch: int, seats: Mapping[str, Seat]) -> None:
        """What the machine is like in this epoch: its load, its clock, and how fast it multiplies matrices."""
        frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
        facts = {"epoch": epoch, "load": load(), "mhz": round(frequency.current) if frequency and frequency.current else None}
        try:
            facts["peak"] = next(iter(seats.values())).worker.ask("peak", dtype=self.dtype) if seats else None
        except ArmFailed:
            facts["peak"] = None
        self.facts["epochs"].append(facts)


def check(losses: Sequence[float], right: Right) -> None:
    """Hold the losses of the first steps against the numeric lane's.

    Raises:
        ArmFailed: one is further off than rounding alone can move it.
    """
    for step, (loss, wanted, allowed) in enumerate(zip(losses, right.losses, right.allowed, strict=False)):
        if not (loss == wanted or abs(loss - wanted) <= allowed * abs(wanted)):
            raise ArmFailed("invalid", f"timed, its loss at step {step} is {loss:.9g}; the numeric lane had {wanted:.9g}")


def idle(worker: Worker) -> float:
    """CPU seconds in a second that a worker burns when nobody asks it: threads that spin would take their neighbour's time."""
    before = worker.ask("cpu")
    time.sleep(IDLE)
    return float(worker.ask("cpu") - before) / IDLE


def block_size(step: float, seconds: float) -> tuple[int, int]:
    """Steps of a block, and steps before it that are not kept."""
    step = max(step, 1e-7)
    least = SLOW_STEPS if step > SLOW else FAST_STEPS
    return max(math.ceil(seconds / step), least), min(max(math.ceil(DISCARD / step), 1), DISCARDED)
