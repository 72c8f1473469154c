"""The measurement inside a framework's own interpreter, which may be Python 3.9: `python -m benchmarks.further.child NAME ROUNDS`."""

from __future__ import annotations

import gc
import importlib
import random
import statistics
import sys
import time

import numpy

from benchmarks.expert.nets import NETS, Array, Train, batches

NET = NETS["digits-mlp"]
WARM_SECONDS, VISIT_SECONDS, SETTLING_STEPS = 0.5, 0.04, 5


def drawn() -> list[tuple[Array, Array]]:
    """Kernel (in, out) and bias of each layer; biases are not zero, so that a bias left out is seen."""
    rng, found = numpy.random.default_rng(0), []
    for i, units in enumerate(NET.sizes[1:]):
        kernel = rng.standard_normal((NET.sizes[i], units)) * (2 / NET.sizes[i]) ** 0.5
        found.append((kernel.astype("float32"), rng.uniform(-0.1, 0.1, units).astype("float32")))
    return found


def adapter_loop(name: str) -> Train:
    """The adapter's own loop."""
    from harness.interface import Batch, State
    from harness.spec import SGD, Dense, ProgramSpec
    from harness.spec.graph import wired
    from harness.spec.layers import Relu
    from harness.spec.losses import SoftmaxCrossEntropy

    layers = (*(Dense(units=units, activation=Relu()) for units in NET.sizes[1:-1]), Dense(units=NET.sizes[-1]))
    optimizer = SGD(learning_rate=NET.learning_rate, momentum=NET.momentum)
    spec = ProgramSpec(wired(layers, NET.sizes[:1]), SoftmaxCrossEntropy(), optimizer, "integer")
    program = importlib.import_module(f"backends.{name}").Program(spec, "float32", "cpu", "")
    arrays = iter([array for pair in drawn() for array in pair])
    parameters = {parameter.name: next(arrays) for parameter in spec.parameters}
    slots = {"velocity": {key: numpy.zeros_like(array) for key, array in parameters.items()}}
    program.load(State(parameters, slots, 0))
    staged = program.stage([Batch(x, y) for x, y in batches(NET)])
    program.compile(staged)

    def train(steps: int) -> tuple[list[float], list[int]]:
        trace = program.train(staged, steps)
        return trace.losses, trace.stamps[1:]

    return train


def check(trains: dict[str, Train]) -> None:
    """Both have to compute the same: what is not the same is not compared."""
    ours, theirs = (numpy.array(train(5)[0]) for train in trains.values())
    if not numpy.allclose(ours, theirs, rtol=1e-4):
        raise SystemExit(f"the adapter computes {ours}, the expert {theirs}")


def warm(train: Train) -> int:
    """Run until half a second has gone by, then say how many steps fill a visit."""
    end = time.perf_counter() + WARM_SECONDS
    while time.perf_counter() < end:
        _, stamps = train(10)
    return max(8, int(VISIT_SECONDS * 1e9 * 9 / (stamps[-1] - stamps[0])))


def visit(train: Train, steps: int) -> float:
    """The median step in microseconds; the first steps after a switch run on cold caches and are left out."""
    _, stamps = train(SETTLING_STEPS + steps)
    return float(numpy.median(numpy.diff(stamps[SETTLING_STEPS - 1 :]))) / 1000


def main() -> None:
    """Print the adapter's median step, and the median over rounds of its ratio to the expert's."""
    name, rounds = sys.argv[1], int(sys.argv[2])
    trains = {"adapter": adapter_loop(name)}  # first: what it sets for the whole process then holds for both
    trains["expert"] = importlib.import_module(f"benchmarks.further.{name}_loop").build(batches(NET), drawn())
    check(trains)
    steps, found = {key: warm(train) for key, train in trains.items()}, []
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        found.append({key: visit(trains[key], steps[key]) for key in random.sample(list(trains), len(trains))})
        gc.collect()
    ratio = statistics.median(times["adapter"] / times["expert"] for times in found)
    print(f"{statistics.median(times['adapter'] for times in found):.1f} {ratio:.3f}")


if __name__ == "__main__":
    main()
