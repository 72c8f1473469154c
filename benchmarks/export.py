"""Every conformance case and shipped experiment as a script in every framework: how many are written, and how far off they are in float64.

    python -m benchmarks.export [FRAMEWORK ...] [--case NAME ...]

A script is right where the loss and every gradient of its first step, and the losses of four steps, are the reference's to 1e-12 (or to
what replicas of it in float64 can hold).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from harness.export import FRAMEWORKS
from harness.worker.conformance import cases
from tests.scripts import tried

EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").glob("*.toml"))


def main() -> None:
    """Try them and print what is not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", default=list(FRAMEWORKS))
    parser.add_argument("--case", action="append", metavar="NAME", default=[])
    given = parser.parse_args()
    for framework in given.frameworks:
        with tempfile.TemporaryDirectory() as folder:
            found = tried(framework, given.case or [*cases(), *EXPERIMENTS], Path(folder))
        counts = {"right": 0, "off": 0, "failed": 0, "not written": 0}
        for name, each in found.items():
            if not isinstance(each, dict):
                kind = "failed" if each else "not written"
                print(f"{framework}: {name}: {each or kind}")
            else:
                worst = max(each, key=lambda tensor: each[tensor])
                kind = "right" if each[worst] <= 1 else "off"
                if kind == "off" or given.case:
                    print(f"{framework}: {name}: {worst}, {each[worst]:.1e} times what is allowed")
            counts[kind] += 1
        print(f"{framework}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}", flush=True)


if __name__ == "__main__":
    main()
