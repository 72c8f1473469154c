"""The further frameworks' adapters against loops that an expert wrote by hand: `python -m benchmarks.further [NAME ...]`.

For each framework one process with one thread, in the environment that the harness itself would use; in it the adapter and the
expert's loop on digits-mlp, visited in rounds of random order. The ratio is the median over rounds of that of their median steps.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from harness.environments import inherited, launch, why_missing
from harness.registry import parse

ROOT = Path(__file__).parents[2]
NAMES = ("autograd", "caffe2", "chainer", "flax", "mlx", "mxnet", "paddle", "pytensor", "sklearn", "tinygrad")


def measured(name: str, rounds: int) -> str:
    """The row of one framework, or why there is none."""
    arm = parse(name)
    missing = why_missing(arm)
    if missing:
        return f"| {name} | {missing} | |"
    found = launch(arm, "cpu", 1)
    words = [found.python, "-m", "benchmarks.further.child", arm.backend, str(rounds)]
    # the checkout holds our packages alone: what is installed beside this interpreter stays out of the child's path
    done = subprocess.run(words, cwd=ROOT, env={**inherited(), **found.variables}, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"| {name} | failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]} | |"
    microseconds, ratio = done.stdout.split()[-2:]
    return f"| {name} | {microseconds} | {ratio} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.further")
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    print("| framework | adapter us | / expert |\n|---|---:|---:|", flush=True)
    for name in options.names:
        print(measured(name, options.rounds), flush=True)


if __name__ == "__main__":
    main()
