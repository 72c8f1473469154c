"""Which steps are forced, and how many replicas measure the floor: as many as a budget of bytes and of arithmetic allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..spec import ProgramSpec, active_slots

#: bytes that the reference's states and tensors at the forced steps may take on disk
BUDGET = 256 << 20
#: forced steps when an experiment names none
COUNT = 8
#: a forced step: its number, or the name of a directed probe (harness.worker.probes)
Step = int | str
#: the probe of which the loss alone is compared, and that decides nothing: what becomes of an infinity is a convention that frameworks do
#: not share (TensorFlow's fused rectifier makes 0 of NaN)
INFINITE = "infinite"
#: the probe whose sums are exact, so that equal numbers are equal
EXACT = "ties"
#: probes at most
PROBES = 9


@dataclass(frozen=True)
class Trajectory:
    """The steps at which arms are compared.

    Attributes:
        steps: forced steps, ascending.
        replicas: Monte-Carlo replicas of the reference that measure the floor.
        probes: whether directed probes are forced too.
        note: what was left out for want of room; "" otherwise.
    """

    steps: tuple[int, ...]
    replicas: int
    probes: bool
    note: str


def trajectory(spec: ProgramSpec, total: int, wanted: Sequence[int] | None, batch_size: int) -> Trajectory:
    """Choose the forced steps of a run of `total` steps: `wanted`, or spread evenly in the logarithm from the first step to the
    last; thinned to BUDGET bytes."""
    chosen = sorted({step for step in wanted if step < total}) if wanted is not None else spread(total)
    size = step_bytes(spec, batch_size)
    room = max(1, BUDGET // size)
    kept = chosen if len(chosen) <= room else [chosen[i * len(chosen) // room] for i in range(room)]
    probes = size * PROBES <= BUDGET
    notes = [] if len(kept) == len(chosen) else [
        f"{len(kept)} of {len(chosen)} forced steps: one takes {size >> 20} MiB, all may take {BUDGET >> 20}"
    ]  # fmt: skip
    notes += [] if probes else [f"no directed probes: one takes {size >> 20} MiB, all may take {BUDGET >> 20}"]
    return Trajectory(tuple(kept), replicas(spec, batch_size), probes, "; ".join(notes))


def replicas(spec: ProgramSpec, batch_size: int) -> int:
    """How many replicas measure the floor: fewer where a step moves many numbers. Four still hold: the ceiling is their largest."""
    numbers = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    values = sum(math.prod(node.output_shape) for node in spec.nodes) * batch_size
    return 16 if numbers + values < 100_000 else 8 if numbers + values < 500_000 else 4


def spread(total: int) -> list[int]:
    """At most COUNT steps from 0 to the last, dense at the start, where differences show before they grow."""
    count = min(COUNT, total)
    return sorted({round(total ** (index / max(count - 1, 1))) - 1 for index in range(count)})


def step_bytes(spec: ProgramSpec, batch_size: int) -> int:
    """Bytes of one forced step: the state in float32, gradients and all changes in float64, outputs and their gradients."""
    numbers = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    values = sum(math.prod(node.output_shape) for node in spec.nodes) * batch_size
    return numbers * (12 * (1 + len(active_slots(spec.optimizer))) + 8) + values * 16 + 1
