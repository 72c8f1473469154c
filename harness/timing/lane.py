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

from ..errors import ArmFailed
from ..pool import Crew, Worker
from ..registry import Arm, backend
from ..spec import ProgramSpec, encode
from ..tables.ranking import settled
from ..tables.timing import ranking
from .engine import Field, Row, Visit, session
from .presets import Preset
from .works import NATIVE, Work, works

#: seconds before a block whose steps are not kept, and how many steps that may be
DISCARD, DISCARDED = 0.005, 8
#: steps of a block at least: of fast ones, and of those that take longer than SLOW seconds
FAST_STEPS, SLOW_STEPS, SLOW = 8, 3, 0.02
#: seconds for which a worker that nobody asks is watched
IDLE = 0.2
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
        variant: the dropout that it is started with.
        steps: work -> seconds of a step.
    """

    worker: Worker
    variant: str = ""
    steps: dict[str, float] = field(default_factory=dict)


@dataclass
class Lane:
    """The timing lane of one program.

    Attributes:
        crew: starts workers.
        spec: the program.
        dtype: of the arms.
        folder: holds `data.npz` and `initial.npz`.
        seed: of the order of visits.
        preset: the protocol.
        right: what each arm has to compute; arms that are not in it are not checked.
        progress: told what an arm is at; never while a block is timed.
    """

    crew: Crew
    spec: ProgramSpec
    dtype: str
    folder: Path
    seed: int
    preset: Preset
    right: Mapping[str, Right]
    progress: Progress
    found: dict[str, Timing] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    prepared: Work | None = None

    def run(self, arms: Sequence[Arm]) -> dict[str, Timing]:
        """Time the arms. One that fails keeps what was found of it; the others go on. `facts` says of the session what no arm does."""
        self.found = {arm.name: Timing() for arm in arms}
        contestants = [Contestant(arm.name, arm) for arm in arms]
        if self.preset.twin and arms:
            arm = random.Random(f"{self.seed}/twin").choice(list(arms))
            contestants.append(Contestant(f"{arm.name} again", arm, twin=True))
        self.players = {each.name: each for each in contestants}
        self.facts = {"twin": next((each.arm.name for each in contestants if each.twin), None), "epochs": []}
        began = time.monotonic()

        def enough(epochs: int) -> bool:
            return time.monotonic() - began > self.preset.budget or all(map(self.settled, self.steps))

        if arms:
            session(list(self.players), works(self.spec, self.preset), self.preset, self.seed, self.opened, enough)
        return self.found

    @property
    def steps(self) -> list[Work]:
        """The works that are ranked: training steps."""
        return [work for work in works(self.spec, self.preset) if work[0] == "step"]

    def settled(self, work: Work) -> bool:
        """Whether more epochs would change nothing that matters."""
        blocks = [{**row, "arm": name} for name, timing in self.found.items() if timing.failure is None for row in timing.blocks]
        found = ranking(blocks, *work, self.preset.target)
        return found is None or settled(found, self.preset.target)

    def guarded(self, timing: Timing, task: Callable[..., Any], *arguments: Any) -> Any:
        """Do something with an arm; what goes wrong becomes its failure."""
        try:
            return task(*arguments)
        except ArmFailed as problem:
            timing.failure = timing.failure or (problem.status, problem.reason)
            return None

    @contextmanager
    def opened(self, epoch: int, order: Sequence[str]) -> Iterator[Field]:
        """Start an epoch's workers one after another, so that start-ups can be timed; end them behind it."""
        self.prepared = None
        with ExitStack() as stack:
            seats: dict[str, Seat] = {}
            for name in order:
                each = self.players[name]
                if self.found[each.arm.name].failure is None:
                    self.progress(name, {"phase": f"epoch {epoch + 1}: starting alone"})
                    self.guarded(self.found[each.arm.name], self.open, stack, each, seats, epoch)
            for name, seat in seats.items():
                self.guarded(self.timing(name), self.watch, name, seat)
            alive = [name for name in seats if self.timing(name).failure is None]
            if alive:
                self.progress("", {"phase": f"timing {len(alive)} arms in turn{self.which(epoch)}"})
            yield {name: self.visitor(name, seats) for name in alive}
            for name in alive:
                self.guarded(self.timing(name), self.check, self.players[name], seats[name].worker, "again")
            self.machine(epoch, [seats[name].worker for name in alive])

    def which(self, epoch: int) -> str:
        """An epoch in words; "" where there is only one."""
        least, most = self.preset.least, self.preset.most
        return f", epoch {epoch + 1} of {least} to {most}" if most > 1 else ""

    def timing(self, name: str) -> Timing:
        """What is kept of a contestant."""
        return self.found[self.players[name].arm.name]

    def open(self, stack: ExitStack, each: Contestant, seats: dict[str, Seat], epoch: int) -> None:
        """Start a worker alone, hold its first losses against the numeric lane's, and warm it up."""
        arm = each.arm
        # where stacks and heaps lie is luck that a process keeps (Mytkowicz et al. 2009): each gets its own
        luck = {"PADDING": "x" * secrets.randbelow(4096), "TORCHINDUCTOR_CACHE_DIR": str(self.crew.folder / "inductor")}
        worker = stack.enter_context(self.crew.worker(arm, f"{each.name} timing", luck))
        adapter = backend(arm)
        opened = worker.ask("open", module=adapter.module, place=adapter.place)
        built = worker.ask(
            "build", spec=encode(self.spec), dtype=self.dtype, device=self.crew.device, mode=arm.mode,
            data=str(self.folder / "data.npz"), state=str(self.folder / "initial.npz"),
        )  # fmt: skip
        facts = {
            "epoch": epoch, "twin": each.twin, "import": opened["import"], "memory_import": opened["memory"], "build": built["build"],
            "memory_build": built["memory"],
        }  # fmt: skip
        seats[each.name] = Seat(worker)
        self.found[arm.name].epochs.append(facts)
        variant = self.steps[0][1]
        facts.update(self.start(each, seats[each.name], variant))

    def start(self, each: Contestant, seat: Seat, variant: str) -> dict[str, Any]:
        """Compile, take the first steps, warm up.

        Raises:
            ArmFailed: it does not compute what it has to, or takes more threads than it may.
        """
        found: dict[str, Any] = seat.worker.ask("start", native_dropout=variant == NATIVE)
        seat.variant, seat.steps = variant, {"step": found["step"]}
        losses = found.pop("losses")
        if variant != NATIVE:
            self.compare(each, losses)
        if found["cores"] > self.crew.threads + BESIDE:
            raise ArmFailed("invalid", f"it used {found['cores']:.1f} cores where {self.crew.threads} were allowed")
        return found

    def check(self, each: Contestant, worker: Worker, command: str) -> None:
        """The first steps once more: what was timed still computes what it did."""
        if self.steps[-1][1] != NATIVE:
            self.compare(each, worker.ask(command))

    def compare(self, each: Contestant, losses: Sequence[float]) -> None:
        """Hold the losses of the first steps against the numeric lane's.

        Raises:
            ArmFailed: one is further off than rounding alone can move it.
        """
        right = self.right.get(each.arm.name)
        if right is None:
            return
        for step, (loss, wanted, allowed) in enumerate(zip(losses, right.losses, right.allowed, strict=False)):
            if not (loss == wanted or abs(loss - wanted) <= allowed * abs(wanted)):
                raise ArmFailed("invalid", f"timed, its loss at step {step} is {loss:.9g}; the numeric lane had {wanted:.9g}")

    def watch(self, name: str, seat: Seat) -> None:
        """How much CPU a worker burns when nobody asks it: threads that spin would take their neighbour's time."""
        before = seat.worker.ask("cpu")
        time.sleep(IDLE)
        facts = self.timing(name).epochs[-1]
        facts["idle"] = (seat.worker.ask("cpu") - before) / IDLE

    def visitor(self, name: str, seats: Mapping[str, Seat]) -> Callable[[Visit], Row | None]:
        """What visits a contestant."""
        timing = self.timing(name)

        def visit(at: Visit) -> Row | None:
            if self.prepared != at.work:
                self.prepare(at.work, seats)
            return None if timing.failure is not None else self.guarded(timing, self.block, name, seats[name], at)

        return visit

    def prepare(self, work: Work, seats: Mapping[str, Seat]) -> None:
        """Warm all contestants up for a work, before its first round."""
        self.prepared = work
        for name, seat in seats.items():
            if self.timing(name).failure is None:
                self.guarded(self.timing(name), self.prepare_one, name, seat, work)

    def prepare_one(self, name: str, seat: Seat, work: Work) -> None:
        """Warm one contestant up."""
        doing, variant = work
        facts = next(facts for facts in reversed(self.timing(name).epochs) if facts["twin"] == self.players[name].twin)
        if seat.variant != variant:
            facts[variant] = self.start(self.players[name], seat, variant)
        if doing not in seat.steps:
            facts[doing] = seat.worker.ask("prepare", work=doing)
            seat.steps[doing] = facts[doing]["step"]

    def block(self, name: str, seat: Seat, at: Visit) -> Row:
        """One block of one contestant."""
        work, variant = at.work
        steps, discard = block_size(seat.steps[work], self.preset.block)
        found = seat.worker.ask("block", work=work, steps=steps, discard=discard)
        row = {
            "twin": self.players[name].twin, "work": work, "variant": variant, "epoch": at.epoch, "round": at.number,
            "position": at.position, "before": at.before, **found,
        }  # fmt: skip
        self.timing(name).blocks.append(row)
        return row

    def machine(self, epoch: int, workers: Sequence[Worker]) -> None:
        """What the machine is like in this epoch: its load, its clock, and how fast it multiplies matrices."""
        import psutil

        frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
        facts = {"epoch": epoch, "load": load(), "mhz": round(frequency.current) if frequency and frequency.current else None}
        try:
            facts["peak"] = workers[0].ask("peak", dtype=self.dtype) if workers else None
        except ArmFailed:
            facts["peak"] = None
        self.facts["epochs"].append(facts)


def block_size(step: float, seconds: float) -> tuple[int, int]:
    """Steps of a block, and steps before it that are not kept."""
    step = max(step, 1e-7)
    least = SLOW_STEPS if step > SLOW else FAST_STEPS
    return max(math.ceil(seconds / step), least), min(max(math.ceil(DISCARD / step), 1), DISCARDED)


def load() -> float | None:
    """Load of the last minute, where the system tells."""
    from ..records.provenance import load as told

    return told()
