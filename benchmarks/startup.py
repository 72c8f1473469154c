"""CPU time of the command line, against a bare click program: `python -m benchmarks.startup`.

Aim: `--help` and `list` at most twice, `check` at most four times. User and system time of fresh processes, interleaved, medians.
"""

from __future__ import annotations

import random
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARE = """
import click
@click.group()
def main(): pass
@main.command()
@click.option("--arm", multiple=True)
def run(arm): "Run it."
main(["--help"])
"""
COMMANDS = {
    "bare click": ["-c", BARE],
    "--help": ["-m", "harness", "--help"],
    "list": ["-m", "harness", "list"],
    "check": ["-m", "harness", "check", "experiments/xor.toml"],
    "import harness": ["-c", "import harness"],
}


def cpu(words: list[str]) -> float:
    """CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> None:
    """Measure and print."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(21):
        for name in random.sample(list(COMMANDS), len(COMMANDS)):
            found[name].append(cpu(COMMANDS[name]))
    base = statistics.median(found["bare click"])
    print("| program | CPU ms | / bare click |\n|---|---:|---:|")
    for name, values in found.items():
        print(f"| {name} | {1e3 * statistics.median(values):.0f} | {statistics.median(values) / base:.2f} |")


if __name__ == "__main__":
    main()
