"""The timing lane of one arm, in a process of its own: start-up stages, then blocks of work when the parent asks. It captures nothing, and
the training loop is the adapter's own."""

from __future__ import annotations

import gc
import time
from itertools import cycle, islice
from typing import Any, Callable, Dict, List, Optional, Sequence

from ..interface import Batch, Program, State
from .machine import busy_threads, counters, peak_memory, reset_peak, thread_times
from .task import Task

#: training steps, each read; several between two readings; with their batches made native inside; predictions of all test rows, of one row
WORKS = ("step", "throughput", "fed", "inference", "inference_1")
#: steps between two readings where several run without waiting
CHUNK = 16
#: the start of a training whose losses are held against the numeric lane's
SAMPLE = 8
#: a warm-up ends when two windows of so many steps and seconds have medians within STEADY, after STEPS and SECONDS, before LONGEST
#: seconds
WINDOW_STEPS, WINDOW, STEADY = 10, 0.1, 0.05
STEPS, SECONDS, LONGEST = 20, 0.5, 5.0
#: works beside the training step are warmed up for less
LESS = 10

Run = Callable[[int], List[int]]


class Bench:
    """One program while it is timed.

    Args:
        program: built.
        task: its data.
        state: the first.
        compilations: how many times something was compiled so far.
    """

    def __init__(self, program: Program, task: Task, state: State, compilations: Callable[[], int]) -> None:
        self.program, self.task, self.state, self.compilations = program, task, state, compilations
        self.runs: Dict[str, Run] = {}
        self.staged: Any = None
        self.loss: Optional[float] = None
        self.batches: List[Batch] = []

    def start(self, native: bool) -> Dict[str, Any]:
        """Stage, compile, take the first steps, warm up.

        Args:
            native: whether dropout and noise are the framework's own.

        Returns:
            `compile` (stage -> seconds), `first_step` seconds, `losses` of the first steps, `step` seconds when warm, `steady`,
            `busy_threads`, `cores` (CPU seconds in a second), and of memory the largest MiB while it was compiled and trained.
        """
        self.batches = self.task.resident(native)
        self.staged = self.program.stage(self.batches)
        self.program.load(self.state)
        reset_peak()
        stages = self.program.compile(self.staged)
        first = self.program.train(self.staged, 1)
        compiled = peak_memory()
        losses = [*first.losses, *self.program.train(self.staged[1:] + self.staged[:1], self.sampled - 1).losses]
        reset_peak()
        self.runs = {"step": self.steps, "throughput": self.chunks, "fed": self.fed}
        gc.collect()
        gc.freeze()
        gc.disable()
        found = self.warm_up("step")
        return {
            "compile": stages,
            "first_step": (first.stamps[-1] - first.stamps[0]) / 1e9,
            "losses": losses,
            "memory_compile": compiled,
            "memory_train": peak_memory(),
            **found,
        }

    @property
    def sampled(self) -> int:
        """How many first steps are compared."""
        return min(SAMPLE, len(self.batches))

    def again(self) -> List[float]:
        """The losses of the first steps, computed once more: what was timed still computes what it did."""
        self.program.load(self.state)
        return self.program.train(self.staged, self.sampled).losses

    def prepare(self, work: str) -> Dict[str, Any]:
        """Warm a work up; see `warm_up`."""
        if work.startswith("inference") and work not in self.runs:
            reset_peak()
            self.runs[work] = self.predictions(self.rows_of(work))
        found = self.warm_up(work, LESS)
        return {**found, "memory_inference": peak_memory()} if work == "inference" else found

    def rows_of(self, work: str) -> List[Batch]:
        """All test rows as one batch (of training rows where there are none), or single rows."""
        splits = self.task.splits()
        whole = splits.get("test", splits["train"])
        if work == "inference":
            return [whole]
        return [row_of(whole, index) for index in range(min(len(whole.inputs), SAMPLE))]

    def steps(self, count: int) -> List[int]:
        """Nanoseconds of training steps, the loss read after each."""
        trace = self.program.train(self.staged, count)
        self.loss = trace.losses[-1]
        return between(trace.stamps)

    def chunks(self, count: int) -> List[int]:
        """Nanoseconds of a training step where only every CHUNK-th loss is read: one number a chunk."""
        trace = self.program.train(self.staged, max(1, count // CHUNK) * CHUNK, CHUNK)
        self.loss = trace.losses[-1]
        return [span // CHUNK for span in between(trace.stamps)]

    def fed(self, count: int) -> List[int]:
        """Nanoseconds of training steps that each stage their batch."""
        clock, program, stamps = time.perf_counter_ns, self.program, [time.perf_counter_ns()]
        for batch in islice(cycle(self.batches), count):
            program.train(program.stage([batch]), 1)
            stamps.append(clock())
        return between(stamps)

    def predictions(self, batches: Sequence[Batch]) -> Run:
        """What times predictions of these batches in turn."""
        program, clock = self.program, time.perf_counter_ns
        staged = [program.stage([batch]) for batch in batches]

        def run(count: int) -> List[int]:
            stamps = [clock()]
            for each in islice(cycle(staged), count):
                program.predict(each)
                stamps.append(clock())
            return between(stamps)

        return run

    def warm_up(self, work: str, less: int = 1) -> Dict[str, Any]:
        """Work until it takes as long as before.

        Args:
            work: of WORKS.
            less: how many times shorter than for the training step.

        Returns:
            `step`: seconds of one; `steady`: whether two windows were alike (None where there was no time for two); `busy_threads`,
            `cores`.
        """
        run, before, cpu, began = self.runs[work], thread_times(), time.process_time(), time.perf_counter()
        medians: List[float] = []
        steps, steady, compiled = 0, None, -1
        while not steady or steps < STEPS / less or time.perf_counter() - began < SECONDS / less:
            if time.perf_counter() - began >= LONGEST / less:
                break
            window = self.window(run, WINDOW / less, began + LONGEST / less)
            medians.append(sorted(window)[len(window) // 2] / 1e9)
            if len(medians) > 1:
                steady = abs(medians[-1] - medians[-2]) <= STEADY * medians[-1] and compiled == self.compilations()
            steps, compiled = steps + len(window), self.compilations()
        seconds = time.perf_counter() - began
        return {
            "step": medians[-1],
            "steady": steady,
            "busy_threads": busy_threads(before, thread_times(), seconds),
            "cores": (time.process_time() - cpu) / seconds,
        }

    def window(self, run: Run, seconds: float, end: float) -> List[int]:
        """Nanoseconds of at least WINDOW_STEPS steps and so many seconds, or until `end`."""
        taken = run(1)
        start = time.perf_counter()
        while len(taken) < WINDOW_STEPS or time.perf_counter() - start < seconds:
            if time.perf_counter() > end:
                break
            taken += run(5 if taken[-1] < 1e7 else 1)
        return taken

    def block(self, work: str, steps: int, discard: int) -> Dict[str, Any]:
        """One visit.

        Args:
            work: of WORKS.
            steps: how many.
            discard: steps before them that are not kept: the first ones after a pause are slow.

        Returns:
            `ns` of each step, and what else happened meanwhile: see harness.worker.machine.counters; `compilations`, `loss`.
        """
        run = self.runs[work]
        run(discard)
        compiled, before = self.compilations(), counters()
        taken = run(steps)
        found = {name: value - before[name] for name, value in counters().items()}
        found["compilations"] = self.compilations() - compiled
        gc.collect(0)
        return {"ns": taken, "loss": self.loss if work in ("step", "throughput") else None, **found}


def between(stamps: Sequence[int]) -> List[int]:
    """What lies between stamps."""
    return [after - before for before, after in zip(stamps, stamps[1:])]


def row_of(batch: Batch, index: int) -> Batch:
    """One row as a batch."""
    rows = slice(index, index + 1)
    return Batch(batch.inputs[rows], batch.targets[rows], None, None if batch.weights is None else batch.weights[rows])
