"""Keep what the lesson shows of saved runs and sweeps: the tables in docs/lesson/measured.

    python -m harness run experiments/xor.toml --dtype float64 --no-timings          (and once more with float32)
    python docs/lesson/measured.py distances latest latest~1
    python -m harness run experiments/xor.toml --sweep model.width=8,32,128,512,2048 --arm numpy,torch,keras,tensorflow,jax
    python docs/lesson/measured.py sizes results/sweeps/xor-...

Times are kept as ratios to numpy, with the day, the processor and the load they were measured under.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas

FOLDER = Path(__file__).parent / "measured"
sys.path.insert(0, str(FOLDER.parents[2]))

import harness

#: steps of a training at which distances are kept
STEPS = (0, 1, 3, 10, 30, 100, 200, 300, 500, 700, 1000, 1300, 1600, 1999)


def distances(names: Sequence[str], results: str = "results") -> pandas.DataFrame:
    """dtype, arm, step, worst: the largest relative distance of the loss from the reference's up to there, of each run's arms."""
    frames = []
    for name in names:
        run = harness.load(name, results)
        losses = run.losses[run.losses["arm"] != "reference"]
        worst = losses.assign(worst=losses.groupby("arm")["gap"].cummax(), dtype=run.manifest["dtype"])
        frames.append(worst[worst["step"].isin(STEPS)][["dtype", "arm", "step", "worst"]])
    return pandas.concat(frames)


def sizes(folder: Path) -> pandas.DataFrame:
    """day, machine, load, width, parameters, arm, ratio: times of a step to numpy's, of a sweep over model.width."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    machine = manifest["environment"]
    cells = pandas.read_csv(folder / "cells.csv").rename(columns={"model.width": "width"})
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    facts = {"day": manifest["started"][:10], "machine": where, "load": machine["load"]}
    return cells.assign(**facts)[[*facts, "width", "parameters", "arm", "ratio"]]


def main(words: Sequence[str]) -> None:
    """Write a table."""
    kind, *names = words
    table = distances(names) if kind == "distances" else sizes(Path(names[0]))
    FOLDER.mkdir(exist_ok=True)
    table.to_csv(FOLDER / f"{kind}.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main(sys.argv[1:])
