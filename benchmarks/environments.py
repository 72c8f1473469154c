"""Seconds that environments cost: `python -m benchmarks.environments`.

Aim: a second creation, from a warm cache, within 10 s for autograd and MLX; to find an arm's environment costs a run next to nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.environments import launch
from harness.registry import parse

ROOT = Path(__file__).parents[1]


def created(name: str, installer: str) -> float:
    """Wall seconds of `env create` into an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "harness", "env", "create", name, "--quiet", "--installer", installer]
        began = time.perf_counter()
        subprocess.run(words, cwd=ROOT, env={**os.environ, "HARNESS_CACHE": folder}, capture_output=True, check=True)
        return time.perf_counter() - began


def launched(arm: str) -> float:
    """Seconds from an arm's name to its interpreter and variables."""
    taken = []
    for _ in range(50):
        began = time.perf_counter()
        launch(parse(arm), "cpu", 1)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Print both tables."""
    print("| environment | installer | first s | again s |\n|---|---|---:|---:|")
    for name in ("autograd", "mlx"):
        for installer in ("uv", "pip"):
            first, *again = (created(name, installer) for _ in range(4))
            print(f"| {name} | {installer} | {first:.1f} | {statistics.median(again):.1f} |", flush=True)
    print("\n| arm | from its name to its interpreter, ms |\n|---|---:|")
    for arm in ("numpy", "numpy@avx512", "autograd"):
        print(f"| {arm} | {1e3 * launched(arm):.2f} |")


if __name__ == "__main__":
    main()
