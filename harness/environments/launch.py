"""How a worker is started: which interpreter, which environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ArmFailed
from ..registry import Arm, backend
from .environment import Environment
from .resolve import environment_of, why_missing


@dataclass(frozen=True)
class Launch:
    """How to start a worker.

    Attributes:
        python: path of the interpreter.
        variables: environment variables, on top of the parent's.
    """

    python: str
    variables: dict[str, str]


def thread_variables(threads: int) -> dict[str, str]:
    """What really limits threads, by measurement: OMP_* reaches numpy and torch only, PJRT_NPROC is what JAX reads, and a
    spinning idle pool would burn its neighbour's time."""
    count = str(threads)
    limits = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
    return {
        **{f"{name}_NUM_THREADS": count for name in limits},
        "VECLIB_MAXIMUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": "1",
        "PJRT_NPROC": count,
        "OPENBLAS_THREAD_TIMEOUT": "10",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


#: the same for every arm: quiet frameworks, and an allocator that does not turn page faults into luck (glibc returns and
#: fetches pages at its default thresholds: identical processes differed by 44 %)
COMMON = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "NVIDIA_TF32_OVERRIDE": "0",
}
#: of the parent's variables, those that would change what a child imports
FORGOTTEN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
CPU_ONLY = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def launch(arm: Arm, device: str, threads: int) -> Launch:
    """How to start an arm's worker.

    Raises:
        UsageError: its environment is unknown or its file is wrong.
        ArmFailed: it cannot be started here; the reason says what would help.
    """
    problem = backend(arm).problem
    if problem:
        raise ArmFailed("refused", problem)
    missing = why_missing(arm)
    if missing:
        raise ArmFailed("missing", missing)
    found = environment_of(arm) or Environment("")
    variables = {**COMMON, **thread_variables(threads), **(CPU_ONLY if device == "cpu" else {})}
    return Launch(found.interpreter, {**variables, **backend(arm).variables(arm.mode), **found.variables})


def inherited() -> dict[str, str]:
    """The parent's variables that a child in another environment may have."""
    return {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
