"""Our adapters against loops that an expert wrote by hand, judged by the timing protocol: `python -m benchmarks.judged [ARM ...]`.

For each arm and net EPOCHS fresh processes of one thread; in each the adapter and the loop by hand (benchmarks/expert: what its framework
teaches; benchmarks/deep), visited in rounds of random order. An adapter should tie, or be faster, in the words of
harness/tables/ranking.py.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import subprocess
import sys
from typing import Any

from benchmarks.adapters import ARMS

EPOCHS = 5
#: net -> rounds in a process; a step of the convolutional net takes a tenth of a second
ROUNDS = {"xor": 12, "digits-mlp": 12, "wide": 6, "cnn": 3, "lstm": 8, "transformer": 5}
#: nets of benchmarks/expert; the others are those of benchmarks/deep
DENSE = ("xor", "digits-mlp", "wide")
#: modes for which benchmarks/deep has no loop of its own are held against the plain one where that is the same program otherwise
WITHOUT = ("torch:compile", "keras:jax", "keras:torch", "tensorflow:xla")
TARGET = math.log(1.02)


def loops(arm: str, net: str) -> dict[str, Any]:
    """The adapter's loop and the one by hand."""
    backend, _, mode = arm.partition(":")
    if net in DENSE:
        from benchmarks.adapters import adapter_loop
        from benchmarks.expert.nets import NETS

        module = importlib.import_module(f"benchmarks.expert.{backend}_loop")
        key = f"{net}:{mode}" if mode in ("compile", "xla") else net
        return {"adapter": adapter_loop(arm, NETS[net]), "by hand": module.build(net, module.ORDINARY.get(key, module.BEST[key]))}
    from benchmarks.deep.__main__ import adapter

    other = importlib.import_module(f"benchmarks.deep.{'torch' if backend == 'numpy' else backend}_loop")
    return {"adapter": adapter(arm, net), "by hand": other.build(net)}


def child(arm: str, net: str) -> None:
    """One epoch: microseconds of every visit, by way."""
    from benchmarks.expert.ways import measure

    if net not in DENSE and arm == "numpy":
        import torch

        torch.set_num_threads(1)
    print("\x1e" + json.dumps(measure(loops(arm, net), ROUNDS[net])))


def judge(arm: str, net: str) -> str:
    """A row of the table."""
    import numpy

    from benchmarks.expert.ways import ONE_THREAD
    from harness.environments import launch
    from harness.registry import parse
    from harness.tables.ranking import rank

    variables = {**os.environ, **ONE_THREAD, **launch(parse(arm), "cpu", 1).variables}
    found: dict[str, list[list[float]]] = {"adapter": [], "by hand": []}
    for _ in range(EPOCHS):
        command = [sys.executable, "-m", "benchmarks.judged", "--child", arm, net]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"| {arm} | {net} | | | failed: {done.stderr.strip().splitlines()[-1][:80]} |"
        for way, values in json.loads(done.stdout.partition("\x1e")[2]).items():
            found[way].append(values)
    pair = rank({way: numpy.log(values) for way, values in found.items()}, TARGET).pair("adapter", "by hand")
    us = float(numpy.median(found["adapter"]))
    return f"| {arm} | {net} | {us:,.1f} | {pair.ratio:.3f} [{pair.low:.3f}, {pair.high:.3f}] | {pair.verdict} |"


def main() -> None:
    """All arms and nets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arms", nargs="*", metavar="ARM", default=list(ARMS))
    parser.add_argument("--net", action="append", choices=list(ROUNDS), default=[])
    parser.add_argument("--child", nargs=2, metavar=("ARM", "NET"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    print("| arm | net | us | adapter / by hand | verdict |\n|---|---|---:|---|---|", flush=True)
    for arm in given.arms:
        for net in given.net or ROUNDS:
            if net in DENSE or arm not in WITHOUT:
                print(judge(arm, net), flush=True)


if __name__ == "__main__":
    main()
