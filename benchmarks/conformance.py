"""The full grid of laws: every case, every arm and mode, both number formats: `python -m benchmarks.conformance [ARM...]`.

The tests try every case eagerly and a part of them compiled; this takes an hour or two. With `--honesty` it measures the suite itself
instead, on the numpy backend: no false alarm with any of five seeds, and a gradient that is wrong by 1e-5 is seen in every case.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy

from harness.environments import why_missing
from harness.errors import ArmFailed
from harness.numeric.known import conclude, known_of
from harness.numeric.laws import try_laws
from harness.registry import Arm, backend, backends, load, parse
from harness.worker.conformance import cases, check

SEEDS = (1, 2, 3, 4, 5)
#: relative error that has to be seen in float32
FAULT = 1e-5


def grid(names: list[str]) -> bool:
    """Print a line an arm and number format, and everything that differs and is not recorded; whether all holds."""
    every = [Arm(found.name, mode) for found in backends().values() for mode in found.modes]
    good = True
    with tempfile.TemporaryDirectory(prefix="harness-") as cache:
        for arm in map(parse, names) if names else every:
            if why_missing(arm):
                print(f"{arm.name:16} {why_missing(arm)}")
            else:
                good = of_arm(arm, Path(cache)) and good
    return good


def of_arm(arm: Arm, cache: Path) -> bool:
    """One arm; whether it holds."""
    began = time.perf_counter()
    try:
        tried = {dtype: try_laws(arm, dtype, cache=cache) for dtype in ("float32", "float64")}
    except ArmFailed as problem:
        print(f"{arm.name:16} {problem.status}: {problem.reason}")
        return False
    found = conclude(arm, tried, known_of(backend(arm)))
    for dtype in tried:
        rows = [row for row in found.rows if row.dtype == dtype]
        count = {state: sum(row.state == state for row in rows) for state in ("holds", "recorded", "differs")}
        ratio, error = (max((getattr(row, key) or 0.0 for row in rows if row.state == "holds"), default=0.0) for key in ("ratio", "error"))
        size = f"{ratio:.2f} ceilings" if dtype == "float32" else f"{error:.1e}"
        print(
            f"{arm.name:16} {dtype} of {len(rows)} cases {count['holds']} hold (largest error {size}), {count['recorded']} are recorded, "
            f"{count['differs']} differ"
        )
    print(f"{arm.name:16} {time.perf_counter() - began:.0f} s", flush=True)
    for line in [*(f"{row.dtype} {row.case}: {problem['text']}" for row in found.rows for problem in row.problems), *found.stale]:
        print(f"  {line}")
    return found.holds


def honesty() -> bool:
    """Print false alarms and faults that are overlooked; whether there are none."""
    numpy.seterr(all="ignore")
    adapter = load("backends.numpy")
    alarms, overlooked, tried, largest = [], [], 0, 0.0
    with tempfile.TemporaryDirectory(prefix="harness-") as cache:
        for name in cases():
            for seed in SEEDS:
                found = check(adapter, "float32", "cpu", "", name, seed, cache)
                alarms += [f"{name}, seed {seed}: {problem['text']}" for problem in found["broken"]]
                largest = max(largest, found["ratio"])
            if any(float(numpy.linalg.norm(gradient)) for gradient in gradients(adapter, name)):
                tried += 1
                found = check(faulty(adapter), "float32", "cpu", "", name, SEEDS[0], cache)
                if not any("gradients/" in problem["text"] for problem in found["broken"]):
                    overlooked.append(name)
    print(f"{len(cases())} cases, {len(SEEDS)} seeds: {len(alarms)} false alarms, largest error {largest:.2f} ceilings")
    print(f"a gradient wrong by {FAULT:g} is seen in {tried - len(overlooked)} of {tried} cases")
    for line in [*alarms, *overlooked]:
        print(f"  {line}")
    return not alarms and not overlooked


def gradients(adapter: Any, name: str) -> list[Any]:
    """The gradients of a case's first state."""
    from harness.worker.conformance.data import drawn

    case = cases()[name]
    program = adapter.Program(case.spec, "float64", "cpu", "")
    state, batches = drawn(case, SEEDS[0])[0]
    program.load(state)
    return list(program.probe(batches[0]).gradients.values())


def faulty(adapter: Any) -> Any:
    """The adapter with all gradients of a probe wrong."""

    class Program(adapter.Program):  # type: ignore[misc,name-defined]
        def probe(self, batch: Any) -> Any:
            """Gradients a little too long."""
            found = super().probe(batch)
            found.gradients = {name: gradient * numpy.asarray(1 + FAULT, gradient.dtype) for name, gradient in found.gradients.items()}
            return found

    return SimpleNamespace(supports=adapter.supports, FORMS=adapter.FORMS, Program=Program)


if __name__ == "__main__":
    sys.exit(not (honesty() if sys.argv[1:] == ["--honesty"] else grid(sys.argv[1:])))
