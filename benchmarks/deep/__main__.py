"""`python -m benchmarks.deep [ARM ...]`: our adapters against loops by hand on a CNN, an LSTM and a transformer.

For each arm one process with one thread; in it the adapter and a loop by hand,
visited in rounds of random order. The figure is the median over rounds of the ratio of their median steps. numpy, which has no
such loop, is held against PyTorch's in the same process."""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys

from benchmarks.deep.nets import NETS, Train, batches, spec, state
from benchmarks.expert.ways import measure

ARMS = ("numpy", "torch", "keras", "tensorflow", "jax")
ROUNDS, STEPS = 15, 5
#: losses of two loops that compute the same may part by so much in STEPS steps; Adam's forms part by 1e-3
APART = 5e-3


def adapter(arm: str, name: str) -> Train:
    """The adapter's own loop."""
    from harness.registry import load, parse

    parsed = parse(arm)
    program = load(f"backends.{parsed.backend}").Program(spec(name), "float32", "cpu", parsed.mode)
    program.load(state(name))
    staged = program.stage(batches(name))
    program.compile(staged)

    def train(steps: int) -> tuple[list[float], list[int]]:
        trace = program.train(staged, steps)
        return trace.losses, trace.stamps[1:]

    return train


def child(arm: str) -> None:
    """One arm, all nets."""
    other = "torch" if arm == "numpy" else arm.partition(":")[0]
    by_hand = importlib.import_module(f"benchmarks.deep.{other}_loop")
    if other == "torch":
        import torch

        torch.set_num_threads(1)
    for name in NETS:
        trains = {"adapter": adapter(arm, name), "by hand": by_hand.build(name)}
        losses = [train(STEPS)[0] for train in trains.values()]
        apart = max(abs(a / b - 1) for a, b in zip(*losses, strict=True))
        if apart > APART:
            raise SystemExit(f"{arm}, {name}: the adapter computes {losses[0]}, the loop by hand {losses[1]}")
        found = measure(trains, ROUNDS)
        ratios = [a / b for a, b in zip(found["adapter"], found["by hand"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        us = statistics.median(found["adapter"])
        print(f"| {arm} | {name} | {us / 1000:.2f} | {other} | {middle:.2f} | {low:.2f}-{high:.2f} |", flush=True)


def main() -> None:
    """Start a process for each arm."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return
    from benchmarks.expert.ways import ONE_THREAD
    from harness.environments import launch
    from harness.registry import parse

    print("| arm | net | ms a step | held against | ratio | quartiles |\n|---|---|---:|---|---:|---:|", flush=True)
    for arm in sys.argv[1:] or ARMS:
        variables = {**os.environ, **ONE_THREAD, **launch(parse(arm), "cpu", 1).variables}
        subprocess.run([sys.executable, "-m", "benchmarks.deep", "--child", arm], env=variables, check=False)


if __name__ == "__main__":
    main()
