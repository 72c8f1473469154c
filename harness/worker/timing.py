"""The timing lane of one arm, in a process of its own: start-up stages, then blocks of steps when the parent asks. It captures
nothing, and the loop is the adapter's own."""

from __future__ import annotations

import gc
import time
from typing import Any, Dict, List

from ..interface import Program, State
from .machine import busy_threads, thread_times
from .task import Task

#: warm-up ends after so many steps and so many seconds, whatever is later, but not after LONGEST seconds
STEPS, SECONDS, LONGEST = 20, 0.5, 5.0


def start(program: Program, task: Task, state: State, native_dropout: bool) -> "tuple[Any, Dict[str, Any]]":
    """Stage, compile, take the first step, warm up.

    Returns:
        The staged batches, and `compile` (stage -> seconds), `first_step` seconds, `step` seconds when warm, `busy_threads`.
    """
    staged = program.stage(task.resident(native_dropout))
    program.load(state)
    stages = program.compile(staged)
    first = program.train(staged, 1).stamps
    before, began = thread_times(), time.perf_counter()
    taken: List[int] = []
    while not warm(len(taken), time.perf_counter() - began):
        stamps = program.train(staged, 5).stamps
        taken += [after - before for before, after in zip(stamps, stamps[1:])]
    seconds = time.perf_counter() - began
    threads = busy_threads(before, thread_times(), seconds)
    gc.collect()
    gc.freeze()
    gc.disable()
    return staged, {
        "compile": stages,
        "first_step": (first[-1] - first[0]) / 1e9,
        "step": sorted(taken[len(taken) // 2 :])[len(taken) // 4] / 1e9,
        "busy_threads": threads,
    }


def warm(steps: int, seconds: float) -> bool:
    """Whether the warm-up may end."""
    return (steps >= STEPS and seconds >= SECONDS) or (steps > 0 and seconds >= LONGEST)


def block(program: Program, staged: Any, steps: int, discard: int) -> List[int]:
    """Nanoseconds of each of `steps` steps, after `discard` steps that are not kept: the first ones after a pause are slow."""
    program.train(staged, discard)
    stamps = program.train(staged, steps).stamps
    gc.collect(0)
    return [after - before for before, after in zip(stamps, stamps[1:])]
