"""Every conformance case and shipped experiment as a script in every framework, in float64, and as an ONNX file in both number formats: how
many are written, and how far off they are.

    python -m benchmarks.export [TARGET ...] [--case NAME ...]

A script is right where the loss and every gradient of its first step, and the losses of four steps, are the reference's to 1e-12 (or to
what replicas of it in float64 can hold). An ONNX file is right where onnxruntime's outputs are: in float64 to the same, in float32 to four
times what the worst replica is off.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.export import ONNX, TARGETS, NotWritten
from harness.worker.conformance import cases
from tests import onnx_files, scripts

EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").glob("*.toml"))


def results(target: str, names: Sequence[str | Path], folder: Path) -> Iterator[tuple[str, dict[str | Path, Any]]]:
    """What is written, and what came of it."""
    if target != ONNX:
        yield target, scripts.tried(target, names, folder)
        return
    for dtype in onnx_files.DTYPES:
        yield f"{ONNX} {dtype}", onnx_files.tried(names, dtype, folder)


def main() -> None:
    """Try them and print what is not right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", default=list(TARGETS))
    parser.add_argument("--case", action="append", metavar="NAME", default=[])
    given = parser.parse_args()
    for target in given.targets:
        with tempfile.TemporaryDirectory() as folder:
            for title, found in results(target, given.case or [*cases(), *EXPERIMENTS], Path(folder)):
                report(title, found, every=bool(given.case))


def report(title: str, found: dict[str | Path, Any], every: bool) -> None:
    """Print what is not right, or everything; then the counts."""
    counts = {"right": 0, "off": 0, "failed": 0, "refused": 0}
    for name, each in found.items():
        if not isinstance(each, dict):
            kind = "refused" if each is None or isinstance(each, NotWritten) else "failed"
            print(f"{title}: {name}: {kind if each is None else each.message if isinstance(each, NotWritten) else each}")
        else:
            worst = max(each, key=lambda tensor: each[tensor])
            kind = "right" if each[worst] <= 1 else "off"
            if kind == "off" or every:
                print(f"{title}: {name}: {worst}, {each[worst]:.1e} times what is allowed")
        counts[kind] += 1
    print(f"{title}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}", flush=True)


if __name__ == "__main__":
    main()
