"""How a worker is started: which interpreter, which environment variables. `@X` in an arm names `X.toml` in a folder of
HARNESS_ENVIRONMENTS or in `backends/environments/`:

    python = "~/.venvs/numpy-1.23/bin/python"       # an interpreter; this one when not given
    notes = "the oldest numpy that works"
    [variables]
    OPENBLAS_CORETYPE = "Haswell"
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from ..errors import ArmFailed, UsageError
from .arms import Arm
from .backends import backend, home, suggestion

KEYS = ("python", "variables", "notes", "backend", "requirements")


@dataclass(frozen=True)
class Launch:
    """How to start a worker.

    Attributes:
        python: path of the interpreter.
        variables: environment variables, on top of the parent's.
    """

    python: str
    variables: Dict[str, str]


def thread_variables(threads: int) -> Dict[str, str]:
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
CPU_ONLY = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def launch(arm: Arm, device: str, threads: int) -> Launch:
    """How to start an arm's worker.

    Raises:
        UsageError: its environment is unknown or its file is wrong.
        ArmFailed: the environment's interpreter is not there.
    """
    settings = environment(arm.environment) if arm.environment else {}
    variables = {**COMMON, **thread_variables(threads), **(CPU_ONLY if device == "cpu" else {})}
    variables.update(backend(arm).variables(arm.mode))
    variables.update(settings.get("variables", {}))
    return Launch(interpreter(arm, settings), variables)


def interpreter(arm: Arm, settings: Dict[str, Any]) -> str:
    """The interpreter of an environment, or this one."""
    wanted = settings.get("python")
    if wanted is None:
        return sys.executable
    path = str(Path(wanted).expanduser())
    found = shutil.which(path)
    if found is None:
        raise ArmFailed("missing", f"environment {arm.environment}: no interpreter at {wanted}")
    return found


def folders() -> List[Path]:
    """Where environment files are looked for, in order."""
    own = [Path(part).expanduser() for part in os.environ.get("HARNESS_ENVIRONMENTS", "").split(os.pathsep) if part]
    return [*own, home() / "environments"]


def environments() -> Dict[str, Path]:
    """All environment files by name."""
    found: Dict[str, Path] = {}
    for folder in reversed(folders()):
        found.update({path.stem: path for path in sorted(folder.glob("*.toml"))})
    return found


def environment(name: str) -> Dict[str, Any]:
    """The settings of an environment.

    Raises:
        UsageError: there is no such file, or it holds what it must not.
    """
    import tomllib  # Python 3.11: only the parent reads files

    known = environments()
    if name not in known:
        hint = suggestion(name, list(known)) if known else f"put {name}.toml into {folders()[0]}"
        raise UsageError(f'there is no environment "{name}"', hint)
    path = known[name]
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {problem}") from None
    for key, value in settings.items():
        if key not in KEYS:
            raise UsageError(f'{path}: unknown key "{key}"', suggestion(key, list(KEYS)))
        if key == "variables" and not (isinstance(value, dict) and all(isinstance(item, str) for item in value.values())):
            raise UsageError(f"{path}: variables must be a table of strings")
        if key == "python" and not isinstance(value, str):
            raise UsageError(f"{path}: python must be the path of an interpreter")
    return settings
