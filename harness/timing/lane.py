"""The timing lane: fresh workers, started one after another, then asked for blocks of steps in interleaved rounds.

Every round visits all arms in a random order and then in its reverse, so that a drift of the machine strikes all alike; only one
worker computes at a time and the parent waits. What it finds is indicative: a verdict needs the full protocol.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ArmFailed
from ..pool import Crew, Worker
from ..registry import Arm, backend
from ..spec import Dropout, ProgramSpec, encode

ROUNDS = 5
#: seconds of one block, and of the steps before it that are not kept
BLOCK, DISCARD = 0.04, 0.005

Progress = Callable[[str, dict[str, Any]], None]


@dataclass
class Timing:
    """What the timing lane found of one arm.

    Attributes:
        facts: seconds of `import`, `build`, `first_step`, `compile` (by stage); MiB of `memory_import` and `memory_peak`;
            `busy_threads`; for dropout the same of the native variant under `native`.
        blocks: rows of variant, round, position and `ns`, the nanoseconds of each step.
        failure: (status, reason) where it failed.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    failure: tuple[str, str] | None = None


@dataclass(frozen=True)
class Lane:
    """The timing lane of one run.

    Attributes:
        crew: starts workers.
        spec: the program.
        dtype: of the arms.
        folder: holds `data.npz` and `initial.npz`.
        seed: of the order of visits.
        progress: told what an arm is at; never while a block is timed.
    """

    crew: Crew
    spec: ProgramSpec
    dtype: str
    folder: Path
    seed: int
    progress: Progress

    @property
    def variants(self) -> tuple[str, ...]:
        """`masks` and `native` where there is dropout, `plain` otherwise."""
        dropout = any(isinstance(node.layer, Dropout) for node in self.spec.nodes)
        return ("masks", "native") if dropout else ("plain",)

    def run(self, arms: Sequence[Arm]) -> dict[str, Timing]:
        """Time the arms. One that fails keeps what was found of it; the others go on."""
        found = {arm.name: Timing() for arm in arms}
        order = list(arms)
        random.Random(self.seed).shuffle(order)
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for arm in order:
                self.progress(arm.name, {"phase": "starting alone"})
                self.guarded(found[arm.name], self.open, stack, arm, found[arm.name], workers)
            for variant in self.variants:
                self.rounds(workers, found, variant)
            for name, worker in workers.items():
                timing = found[name]
                if timing.failure is None:
                    self.guarded(timing, self.memory, worker, timing)
        return found

    def guarded(self, timing: Timing, work: Callable[..., None], *arguments: Any) -> None:
        """Do some work of an arm; what goes wrong becomes its failure."""
        try:
            work(*arguments)
        except ArmFailed as problem:
            timing.failure = (problem.status, problem.reason)

    def open(self, stack: ExitStack, arm: Arm, timing: Timing, workers: dict[str, Worker]) -> None:
        """Start a worker alone, so that its start-up can be timed, and warm it up."""
        worker = workers[arm.name] = stack.enter_context(self.crew.worker(arm, f"{arm.name} timing"))
        adapter = backend(arm)
        opened = worker.ask("open", module=adapter.module, place=adapter.place)
        timing.facts.update({"import": opened["import"], "memory_import": opened["memory"]})
        built = worker.ask(
            "build", spec=encode(self.spec), dtype=self.dtype, device=self.crew.device, mode=arm.mode,
            data=str(self.folder / "data.npz"), state=str(self.folder / "initial.npz"),
        )  # fmt: skip
        timing.facts["build"] = built["build"]
        timing.facts.update(worker.ask("start", native_dropout=self.variants[0] == "native"))

    def memory(self, worker: Worker, timing: Timing) -> None:
        """Peak memory at the end."""
        timing.facts["memory_peak"] = worker.ask("memory")["peak"]

    def start_native(self, worker: Worker, timing: Timing) -> None:
        """Warm up with the framework's own dropout."""
        timing.facts["native"] = worker.ask("start", native_dropout=True)

    def rounds(self, workers: Mapping[str, Worker], found: dict[str, Timing], variant: str) -> None:
        """All rounds of one variant."""
        if variant == "native":
            for name, worker in workers.items():
                if found[name].failure is None:
                    self.progress(name, {"phase": "warming up with its own dropout"})
                    self.guarded(found[name], self.start_native, worker, found[name])
        alive = [name for name in workers if found[name].failure is None]
        if alive:
            self.progress(
                "", {"phase": f"timing {len(alive)} arms in turn" + (f", {variant} dropout" if variant != "plain" else "")}
            )
        dice = random.Random(f"{self.seed}/{variant}")
        for number in range(ROUNDS):
            dice.shuffle(alive)
            for position, name in enumerate([*alive, *reversed(alive)]):
                if found[name].failure is None:
                    self.guarded(found[name], self.visit, workers[name], found[name], variant, number, position)

    def visit(self, worker: Worker, timing: Timing, variant: str, number: int, position: int) -> None:
        """One block of one arm."""
        facts = timing.facts["native"] if variant == "native" else timing.facts
        step = max(facts["step"], 1e-7)
        steps = max(math.ceil(BLOCK / step), 3)
        discard = min(max(math.ceil(DISCARD / step), 1), 8)
        ns = worker.ask("block", steps=steps, discard=discard)
        timing.blocks.append({"variant": variant, "round": number, "position": position, "ns": ns})
