"""Arms that train freely: how far rounding alone carries the loss, and where an arm that computes rightly parts from the reference all the
same. It describes and decides nothing: forced steps decide."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

from ..interface import LIMIT, load_arrays
from ..pool import Worker
from ..registry import Arm, backend
from ..spec import ProgramSpec
from .build import REFERENCE, Build

if TYPE_CHECKING:
    from .lane import Lane, Reference

#: replicas that train freely
MODES = ("replica-0", "replica-1", "replica-2")
#: numbers of states and outputs that one of them may compute, all steps together
BUDGET = 20_000_000
#: steps in which the first unit that flips is looked for
LONGEST = 500


def reach(spec: ProgramSpec, steps: int, batch_size: int) -> int:
    """How many steps the envelope covers: all, or as many as BUDGET allows."""
    numbers = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    values = sum(math.prod(node.output_shape) for node in spec.nodes) * batch_size
    return min(steps, max(1, BUDGET // (numbers + values)))


def envelope(lane: Lane, reference: Reference, steps: int) -> list[float]:
    """By step, the largest relative distance of a freely training replica's loss from the reference's.

    Raises:
        ArmFailed: a replica did not end.
    """
    losses = []
    with lane.crew.worker(REFERENCE, "reference envelope") as worker:
        adapter = backend(REFERENCE)
        worker.ask("open", module=adapter.module, place=adapter.place)
        for mode in MODES:
            lane.build(worker, Build(lane.spec.with_forms(reference.forms), lane.dtype, "cpu", mode))
            folder = tempfile.mkdtemp(prefix="free-", dir=reference.folder)
            free = {**lane.free, "steps": steps, "evaluate": []}
            losses.append(worker.ask("free", keep=[], folder=folder, progress=lambda facts: None, **free)["losses"])
    right = reference.outcome.losses
    return [max(gap(one[step], right[step]) for one in losses) for step in range(min(map(len, [right, *losses])))]


def gap(loss: float, right: float) -> float:
    """Relative distance; infinite where one is no number."""
    if loss == right:
        return 0.0
    return abs(loss - right) / abs(right) if right and math.isfinite(loss) and math.isfinite(right) else math.inf


def parts_at(losses: Sequence[float], right: Sequence[float], around: Sequence[float], dtype: str) -> int | None:
    """The first step at which a loss is further off than LIMIT times what replicas have been until then; None where none is."""
    eps = float(numpy.finfo(dtype).eps)
    for step, highest in enumerate(accumulate(around, max)):
        if step < len(losses) and gap(losses[step], right[step]) > LIMIT * max(highest, eps):
            return step
    return None


def parted(lane: Lane, arm: Arm, reference: Reference, step: int) -> dict[str, Any]:
    """Why an arm parts, every forced step of which is right: rounding. The `step` at which its loss leaves the envelope, and `flip`, the
    first unit before it that is zero for one and not for the other (`step`, `node`, `index`, `off`); None where none was found.

    Raises:
        ArmFailed: the arm did not train so far again.
    """
    if step > LONGEST:
        return {"step": step, "flip": None}
    right = Build(lane.spec.with_forms(reference.forms), "float64", "cpu", "")
    own = Build(lane.spec, lane.dtype, lane.crew.device, arm.mode)
    folder = Path(tempfile.mkdtemp(prefix="pattern-", dir=reference.folder))
    with lane.crew.worker(arm, f"{arm.name} again") as worker:
        found = patterns(lane, worker, arm, own, step + 1, folder / "arm.npz")
    with lane.crew.worker(REFERENCE, f"{arm.name} reference") as worker:
        wanted = patterns(lane, worker, REFERENCE, right, step + 1, folder / "right.npz")
    return {"step": step, "flip": first_flip(found, wanted)}


def patterns(lane: Lane, worker: Worker, arm: Arm, build: Build, steps: int, path: Path) -> dict[str, Any]:
    """Where outputs, and gradients at them, are zero while an arm trains freely, by name `(steps, rows, ...)`."""
    adapter = backend(arm)
    worker.ask("open", module=adapter.module, place=adapter.place)
    lane.build(worker, build)
    worker.ask("patterns", steps=steps, path=str(path))
    return load_arrays(path)


def first_flip(found: dict[str, Any], right: dict[str, Any]) -> dict[str, Any] | None:
    """The first step, node and unit at which two patterns differ. Of a step, outputs come before gradients, as in the computation."""
    steps = {name: numpy.flatnonzero((found[name] != wanted).reshape(len(wanted), -1).any(1)) for name, wanted in right.items()}
    differing = {name: int(at[0]) for name, at in steps.items() if len(at)}
    if not differing:
        return None
    name = min(differing, key=lambda name: differing[name])
    step = differing[name]
    index = numpy.argwhere(found[name][step] != right[name][step])[0]
    return {"step": step, "node": name.partition("/")[2], "index": index.tolist(), "off": bool(found[name][(step, *index)])}
