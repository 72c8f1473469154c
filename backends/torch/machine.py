"""What torch finds here: devices, versions, and the reasons why a program cannot run."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import Any, Dict, List

import torch

from harness.interface import OPTIONS, missing_device, unsupported
from harness.spec import ProgramSpec

from .activations import ACTIVATIONS
from .layers import LAYERS
from .losses import LOSSES
from .optimizers import ABSENT, OPTIMIZERS


def gpu() -> str:
    """What torch calls the GPU here; empty where there is none."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""


def compilations() -> int:
    """How many graphs Dynamo has compiled, other shapes anew; see the contract. What has not been imported has compiled none. Its frames
    are no measure: those that are compiled with `fullgraph` are not counted."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(gpu()), "torch")
    if device == "gpu" and gpu() == "mps" and dtype == "float64":
        reasons.append("Apple's GPUs have no float64")
    if mode == "compile" and not any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name):
        reasons.append("torch.compile needs a C++ compiler: neither $CXX nor g++ nor clang++ is there")
    if spec.optimizer.type in ABSENT:
        reasons.append(ABSENT[spec.optimizer.type])
    known = {**OPTIMIZERS, **ABSENT}
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=known, options=OPTIONS)


def versions() -> Dict[str, Any]:
    """Versions, instruction set, threads, and what may make a float32 less than that."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else gpu() or None,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
