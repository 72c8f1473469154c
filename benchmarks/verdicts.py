"""What verdicts cost: `python -m benchmarks.verdicts [EXPERIMENT] [ROUNDS]`.

The numeric lane as it is, beside the same lane without what verdicts need: replicas, directed probes, the envelope of free trainings and
the pre-flight. Worker starts are in both. The aim is at most twice the time.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import harness
from harness.execution import run as execution
from harness.interface import Floor, load_arrays
from harness.numeric import trajectory
from harness.numeric.lane import Lane
from harness.pool import Worker

ROOT = Path(__file__).parents[1]


def unmeasured(lane: Lane, worker: Worker, found: Any, dtype: str, steps: Any) -> dict[Any, dict[str, Floor]]:
    """Floors that nobody measured: everything is within them."""
    names = {step: load_arrays(found.folder / f"forced-{step}.npz") for step in steps}
    return {step: dict.fromkeys(tensors, Floor(float("inf"), float("inf"))) for step, tensors in names.items()}


def without_preflight(own: Any) -> Any:
    """Workers that are not asked for it."""
    return lambda worker, command, **arguments: {"problems": []} if command == "preflight" else own(worker, command, **arguments)


def seconds(experiment: Path, bare: bool) -> float:
    """Wall time of one run without timings."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as world:
        if bare:
            world.enter_context(patch.object(Lane, "measured", unmeasured))
            world.enter_context(patch.object(Worker, "ask", without_preflight(Worker.ask)))
            world.enter_context(patch.object(execution, "envelope", lambda *_: []))
            world.enter_context(patch.object(trajectory, "PROBES", sys.maxsize))
        began = time.perf_counter()
        done = harness.run(experiment, changes=steps_of(experiment), results=folder, timing="none")
        assert done.exit_code == 0, done.exit_code
        return time.perf_counter() - began


def steps_of(experiment: Path) -> list[str]:
    """The changes that give digits-mlp 200 steps; other experiments stay as they are."""
    return ["train.epochs=10", "train.batch_size=71"] if experiment.stem == "digits-mlp" else []


def main() -> None:
    """Both by turns; medians and their ratio."""
    experiment = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "experiments" / "digits-mlp.toml"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for bare in (True, False):
            found[bare].append(seconds(experiment, bare))
            print(f"{'without verdicts' if bare else 'with verdicts'}: {found[bare][-1]:.2f} s", flush=True)
    lane, whole = (statistics.median(found[bare]) for bare in (True, False))
    print(f"numeric lane {lane:.2f} s, with verdicts {whole:.2f} s: they add {(whole - lane) / lane:.2f} times the lane's own time")


if __name__ == "__main__":
    main()
