"""The numpy backend with a planted 5 % in each training step: what the timing protocol has to find."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from backends import numpy as own
from harness.interface import Batch
from harness.spec import ProgramSpec

NAME = "delayed"
REQUIRES: Mapping[str, str] = {"numpy": ""}
MODES: Mapping[str, Mapping[str, Mapping[str, str]]] = {"": {}}
FORMS = own.FORMS
#: of each step
SHARE = 0.05


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """As numpy."""
    return own.supports(spec, dtype, device, mode)


def versions() -> dict[str, Any]:
    """As numpy."""
    return {"delayed": "0", **own.versions()}


class Program(own.Program):
    """Numpy's program; behind each step a loop turns for SHARE of the time that it took."""

    def step(self, batch: Batch) -> Any:
        """One step, and a delay."""
        clock = time.perf_counter_ns
        start = clock()
        loss = super().step(batch)
        end = clock()
        until = end + int(SHARE * (end - start))
        while clock() < until:
            pass
        return loss
