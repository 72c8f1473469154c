"""The timing protocol on this machine, by its own measure: `python -m benchmarks.timing [--sessions N] [--first N] [--load]`.

Sessions of three arms: numpy, numpy again, and numpy with a planted 5 % (benchmarks/delayed.py), each in fresh processes, as
`run --timing standard` does them. Counted is what is ranked: the two that are the same never (59 sessions without one are false positives
of at most 5 % with 95 % confidence, 0.95^59 = 0.048), the slower one always (29 of 29: a power of at least 0.9). With --load two
processes compute beside it, one a core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.execution.layout import lay_out
from harness.execution.plan import plan
from harness.pool import Crew
from harness.registry import add_file
from harness.tables.timing import ranking
from harness.timing.lane import Lane, Point, Right
from harness.timing.presets import PRESETS

ROOT = Path(__file__).parents[1]
ARMS = ["numpy", "numpy", "delayed"]


def spin(seconds: float) -> None:
    """Compute and pause in turn, so that the load comes and goes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            sum(range(10_000))
        time.sleep(1)


@contextmanager
def loaded(processes: int) -> Iterator[None]:
    """Other processes that compute."""
    running = [multiprocessing.Process(target=spin, args=(36_000.0,), daemon=True) for _ in range(processes)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.kill()


def session(seed: int, preset: str) -> tuple[str, str, float, float, float, int]:
    """One session: the verdicts of same against same and of slower against first, its ratio with the interval, and the epochs."""
    found = plan(ROOT / "experiments" / "digits-mlp.toml", [f"compare.seed={seed}", "train.steps=8"], ARMS)
    chosen = replace(PRESETS[preset], others=0, twin=False)  # the second numpy is the control
    with tempfile.TemporaryDirectory() as name:
        lay_out(found, Path(name))
        crew = Crew(Path(name), "cpu", 1, 60)
        point = Point(found.spec, Path(name), {arm.name: Right([], []) for arm in found.arms})
        lane = Lane(crew, [point], "float32", seed, chosen, lambda *_: None)
        (timings,) = lane.run(found.arms)
    blocks = [{**row, "arm": arm} for arm, timing in timings.items() for row in timing.blocks]
    ranked = ranking(blocks, "step", "plain", chosen.target)
    failed = {arm: timing.failure for arm, timing in timings.items() if timing.failure}
    if ranked is None or failed:
        raise SystemExit(f"seed {seed}: {failed}")
    same, slower = ranked.pair("numpy#2", "numpy"), ranked.pair("delayed", "numpy")
    return same.verdict, slower.verdict, slower.ratio, slower.low, slower.high, slower.epochs


def main() -> None:
    """Count verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=59)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="seed of the first session")
    parser.add_argument("--preset", choices=["standard", "careful"], default="standard")
    parser.add_argument("--load", action="store_true")
    given = parser.parse_args()
    add_file(ROOT / "benchmarks" / "delayed.py")
    equal, planted, epochs = Counter[str](), Counter[str](), Counter[int]()
    ratios = []
    with loaded(2 if given.load else 0):
        for seed in range(given.first, given.first + given.sessions):
            began = time.monotonic()
            same, slower, ratio, low, high, count = session(seed, given.preset)
            equal[same] += 1
            planted[slower] += 1
            epochs[count] += 1
            ratios.append(ratio)
            found = f"same {same}, slower {slower} {ratio:.3f} [{low:.3f}, {high:.3f}]"
            print(f"{seed}: {found}, {count} epochs, {time.monotonic() - began:.0f} s", flush=True)
    print(f"the same: {dict(equal)}; 5 % more: {dict(planted)}; epochs: {dict(epochs)}; ratios {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
