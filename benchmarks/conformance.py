"""The full grid of laws: every case and every kink, every arm and mode, both number formats: `python -m benchmarks.conformance`.

The tests try the same with a few cases of torch:compile, which takes seconds a program; this takes minutes.
"""

from __future__ import annotations

import sys

from harness.environments import why_missing
from harness.numeric.laws import try_laws
from harness.registry import Arm, backends


def main() -> None:
    """Print a line an arm and number format, and every law that is broken."""
    failed = False
    for arm in [Arm(backend.name, mode) for backend in backends().values() for mode in backend.modes]:
        if why_missing(arm):
            print(f"{arm.name:16} {why_missing(arm)}")
            continue
        for dtype in ("float32", "float64"):
            found = try_laws(arm, dtype)
            broken = [f"{case}: {text}" for case, result in found.items() for text in result.get("broken", [])]
            tried = sum("broken" in result for result in found.values())
            largest = max((result.get("ratio", 0.0) for result in found.values()), default=0.0)
            print(
                f"{arm.name:16} {dtype}  {tried:2} of {len(found)} cases, largest error {largest:.2f} ceilings, {len(broken)} broken"
            )
            for line in broken:
                print(f"  {line}")
            failed = failed or bool(broken)
    sys.exit(failed)


if __name__ == "__main__":
    main()
