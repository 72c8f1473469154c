"""Our adapters' loops against loops that an expert wrote by hand: `python -m benchmarks.adapters [ARM ...]`.

For each arm one process with one thread; in it the adapter and the expert's loops (benchmarks/expert), visited in rounds of random
order. The figure is the median over rounds of the ratio of their median steps, against ORDINARY, the fastest way that makes only
the calls its framework teaches, and BEST, the fastest way found at all.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.expert.nets import NETS, Net
from benchmarks.expert.nets import batches as expert_batches
from benchmarks.expert.nets import weights as expert_weights

ARMS = ("numpy", "torch", "torch:compile", "keras", "keras:jax", "keras:torch", "tensorflow", "tensorflow:xla", "jax")
ROUNDS = 25


def adapter_loop(arm: str, net: Net) -> Callable[[int], tuple[list[float], list[int]]]:
    """The adapter's own loop on an expert's net, weights and batches."""
    import numpy

    from harness.interface import Batch, State
    from harness.registry import load, parse
    from harness.spec import SGD, Adam, Dense, ProgramSpec, active_slots
    from harness.spec.graph import wired
    from harness.spec.layers import Relu, Sigmoid
    from harness.spec.losses import MeanSquaredError, SoftmaxCrossEntropy

    functions = {"sigmoid": Sigmoid(), "relu": Relu(), None: None}
    layers = tuple(
        Dense(units=units, activation=functions[name]) for units, name in zip(net.sizes[1:], net.activations, strict=True)
    )
    sgd = SGD(learning_rate=net.learning_rate, momentum=net.momentum)
    adam = Adam(learning_rate=net.learning_rate, beta_1=net.beta_1, beta_2=net.beta_2, epsilon=net.epsilon)
    optimizer, mse = adam if net.optimizer == "adam" else sgd, net.loss == "mse"
    loss = MeanSquaredError() if mse else SoftmaxCrossEntropy()
    spec = ProgramSpec(wired(layers, net.sizes[:1]), loss, optimizer, "one_hot" if mse else "integer")
    parsed = parse(arm)
    program = load(f"backends.{parsed.backend}").Program(spec, "float32", "cpu", parsed.mode)
    drawn = [array for pair in expert_weights(net) for array in pair]
    parameters = dict(zip((parameter.name for parameter in spec.parameters), drawn, strict=True))
    slots = {slot: {name: numpy.zeros_like(array) for name, array in parameters.items()} for slot in active_slots(optimizer)}
    program.load(State(parameters, slots, 0))
    staged = program.stage([Batch(x, y) for x, y in expert_batches(net)])
    program.compile(staged)

    def train(steps: int) -> tuple[list[float], list[int]]:
        trace = program.train(staged, steps)
        return trace.losses, trace.stamps[1:]

    return train


def compare(arm: str, name: str) -> dict[str, Any]:
    """Ratios of the adapter on one net."""
    from benchmarks.expert.ways import measure

    backend, _, mode = arm.partition(":")
    module = importlib.import_module(f"benchmarks.expert.{backend}_loop")
    key = f"{name}:{mode}" if mode in ("compile", "xla") else name
    ways = {"ordinary": module.ORDINARY.get(key, module.BEST[key]), "best": module.BEST[key]}
    trains = {"adapter": adapter_loop(arm, NETS[name]), **{way: module.build(name, way) for way in set(ways.values())}}
    check(trains)
    found = measure(trains, ROUNDS)

    def ratio(way: str) -> float:
        return statistics.median(a / b for a, b in zip(found["adapter"], found[way], strict=True))

    return {
        "us": statistics.median(found["adapter"]),
        **{kind: (ratio(way), way) for kind, way in ways.items()},
    }


def check(trains: dict[str, Any]) -> None:
    """All loops have to compute the same: what is not the same is not compared. Adam's forms part by 1e-3 (see ways.check)."""
    losses = {name: train(5)[0] for name, train in trains.items()}
    first = losses["adapter"]
    for name, other in losses.items():
        if max(abs(a / b - 1) for a, b in zip(first, other, strict=True)) > 1e-2:
            raise SystemExit(f"{name} computes {other}, the adapter {first}")


def child(arm: str) -> None:
    """One arm, all nets."""
    for name in NETS:
        row = compare(arm, name)
        (ordinary, way), (best, fastest) = row["ordinary"], row["best"]
        print(f"| {arm} | {name} | {row['us']:.1f} | {ordinary:.3f} | {way} | {best:.3f} | {fastest} |", flush=True)


def main() -> None:
    """Start a process for each arm."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
        return
    from harness.environments import launch
    from harness.registry import parse

    print("| arm | net | adapter us | / ordinary | its way | / best | its way |")
    print("|---|---|---:|---:|---|---:|---|", flush=True)
    for arm in sys.argv[1:] or ARMS:
        variables = launch(parse(arm), "cpu", 1).variables
        subprocess.run(
            [sys.executable, "-m", "benchmarks.adapters", "--child", arm], env={**os.environ, **variables}, check=False
        )


if __name__ == "__main__":
    main()
