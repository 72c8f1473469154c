"""What a program is built of, who the reference is, and building one in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArmFailed
from ..pool import Worker
from ..registry import Arm
from ..spec import ProgramSpec, encode

REFERENCE = Arm("numpy")


class Build(NamedTuple):
    """What a program is built of. The reference computes on the CPU, whatever the arms use."""

    spec: ProgramSpec
    dtype: str
    device: str
    mode: str


def built(worker: Worker, build: Build, data: Path, state: Path, weights: str) -> dict[str, Any]:
    """Build a program in a worker that has imported its framework.

    Args:
        worker: whose.
        build: what is built.
        data: file of the run's data.
        state: file of the first state.
        weights: fingerprint of its parameters.

    Returns:
        What harness.worker.session says of it.

    Raises:
        ArmFailed: it does not support the program, or does not hold the weights that it was given.
    """
    found: dict[str, Any] = worker.ask(
        "build", spec=encode(build.spec), dtype=build.dtype, device=build.device, mode=build.mode, data=str(data), state=str(state)
    )
    if "unsupported" in found:
        raise ArmFailed("unsupported", "; ".join(found["unsupported"]))
    if found["weights"] != weights:
        raise ArmFailed("failed", f"its first weights are not those it was given (fingerprint {found['weights']})")
    return found
