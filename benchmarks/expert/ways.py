"""Measure the ways of one framework against each other: `python -m benchmarks.expert.ways torch digits-mlp [--check]`.

All ways live in one process and are visited in rounds of random order, so that a busy machine strikes them alike; a way's
figure is the median over rounds of the median step of a visit. A framework may carry a Keras engine: `keras:jax`.

Every `*_loop.py` records, by net and by `net:mode` (`compile`, `xla`), the fastest way found as BEST, and as ORDINARY the fastest
that makes only the calls its framework teaches (its optimizer object, its compiled function called as such).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import random
import statistics
import sys
import time
from itertools import pairwise
from types import ModuleType

from benchmarks.expert.nets import Train

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC"), "1"),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
    **{"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    **{"OPENBLAS_THREAD_TIMEOUT": "10", "OMP_WAIT_POLICY": "PASSIVE"},
    **{"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "67108864"},
}
"""Read by the libraries, and by malloc, when the process starts; so `main` starts itself again with them."""

CHECKED_STEPS = 20
WARM_SECONDS, VISIT_SECONDS, SETTLING_STEPS = 0.5, 0.04, 5


def visit(train: Train, steps: int) -> float:
    """The median step in microseconds; the first steps after a switch run on cold caches and are left out."""
    _, stamps = train(SETTLING_STEPS + steps)
    kept = stamps[SETTLING_STEPS - 1 :]
    return statistics.median(b - a for a, b in pairwise(kept)) / 1000


def warm(train: Train) -> int:
    """Run until half a second has gone by, then say how many steps fill a visit."""
    end = time.perf_counter() + WARM_SECONDS
    while time.perf_counter() < end:
        _, stamps = train(10)
    return max(8, int(VISIT_SECONDS * 1e9 * 9 / (stamps[-1] - stamps[0])))


def measure(trains: dict[str, Train], rounds: int) -> dict[str, list[float]]:
    """The figure of every visit, by way."""
    steps = {way: warm(train) for way, train in trains.items()}
    found: dict[str, list[float]] = {way: [] for way in trains}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for way in random.sample(list(trains), len(trains)):
            found[way].append(visit(trains[way], steps[way]))
        gc.collect()
    return found


def table(found: dict[str, list[float]], marks: dict[str, str]) -> str:
    """Fastest first; the ratio to the fastest way is taken within each round, and its median and quartiles are shown.

    The lower quartile of the figures says what a quiet machine would give, where other programs disturb most visits.
    """
    medians = {way: statistics.median(values) for way, values in found.items()}
    first = min(medians, key=medians.__getitem__)
    lines = ["| way | us a step | lower quartile | ratio | quartiles | |", "|---|---:|---:|---:|---:|---|"]
    for way in sorted(medians, key=medians.__getitem__):
        ratios = [a / b for a, b in zip(found[way], found[first], strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        quiet = statistics.quantiles(found[way], n=4)[0]
        cells = f"{medians[way]:.1f} | {quiet:.1f} | {statistics.median(ratios):.3f} | {low:.3f}-{high:.3f}"
        lines.append(f"| {way} | {cells} | {marks.get(way, '')} |")
    return "\n".join(lines)


def check(framework: str, module: ModuleType, net: str) -> int:
    """Compare the first losses of every way with the textbook's; 1 if one strays.

    Adam's epsilon stands inside the correction in Keras and in TensorFlow's training ops (`hat`), outside elsewhere (`plain`):
    losses on `wide` part by 1e-3, so each way is held against the nearer form. Rounding grows faster there than under SGD: a
    ReLU at its kink turns whole rows of weights by the learning rate, 2e-5 between two NumPy loops.
    """
    plain = importlib.import_module("benchmarks.expert.plain")
    forms = {form: plain.build(net, hat=form == "hat")(CHECKED_STEPS)[0] for form in ("plain", "hat")}
    limit, strayed = 1e-4 if net == "wide" else 1e-5, 0
    for way in module.WAYS:
        losses, _ = module.build(net, way)(CHECKED_STEPS)
        apart = {form: max(abs(a / b - 1) for a, b in zip(losses, expected, strict=True)) for form, expected in forms.items()}
        form = min(apart, key=apart.__getitem__)
        strayed |= not apart[form] < limit
        print(f"{framework:12} {net:10} {way:34} {apart[form]:.1e} from {form:5} {'ok' if apart[form] < limit else 'STRAYS'}")
    return int(strayed)


def main() -> int:
    """Read the command line, in a process whose environment says one thread."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.expert.ways", *sys.argv[1:]], os.environ | ONE_THREAD)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", help="numpy, torch, keras, keras:jax, keras:torch, tensorflow, jax")
    parser.add_argument("net", help="xor, digits-mlp, wide")
    parser.add_argument("--check", action="store_true", help="compare the first losses with the textbook instead")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="only ways whose name contains one of these words, split by commas")
    options = parser.parse_args()
    framework, _, engine = options.framework.partition(":")
    if framework == "keras":
        os.environ["KERAS_BACKEND"] = engine or "tensorflow"
    module = importlib.import_module(f"benchmarks.expert.{framework}_loop")
    if options.check:
        return check(options.framework, module, options.net)
    chosen = [way for way in module.WAYS if any(word in way for word in options.only.split(","))]
    found = measure({way: module.build(options.net, way) for way in chosen}, options.rounds)
    marks = {way: "ordinary" for arm, way in module.ORDINARY.items() if arm.partition(":")[0] == options.net}
    marks |= {way: "BEST" for arm, way in module.BEST.items() if arm.partition(":")[0] == options.net}
    print(f"{options.framework} {options.net}, {options.rounds} rounds\n{table(found, marks)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
