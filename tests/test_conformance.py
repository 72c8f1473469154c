"""Every adapter obeys the same laws, in every number format, eagerly and compiled."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from harness.pool import Crew
from harness.registry import parse
from harness.worker.conformance import cases, kinks

#: torch:compile takes seconds a program, so it tries a few here and all in benchmarks/
ARMS = {
    "numpy": None, "torch": None, "keras": None, "keras:torch": None, "keras:jax": None, "tensorflow": None, "tensorflow:xla": None,
    "jax": None, "torch:compile": ["softmax integer", "adam"],
}  # fmt: skip
#: what an arm cannot express, with the words of its reason; an arm that suddenly can must be taken from here
UNSUPPORTED = {
    ("tensorflow", "adamw"): "AdamW",
    ("tensorflow:xla", "adamw"): "AdamW",
    ("keras:torch float64", ""): "float64",
    ("keras:jax float64", ""): "float64",
}


def conformance(arm_name: str, dtype: str, names: list[str] | None, seed: int = 1) -> dict[str, Any]:
    """What a worker of the arm finds."""
    arm = parse(arm_name)
    every = [*cases(), *(f"kink {name}" for name in kinks())]
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(Path(folder), "cpu", 1, 300)
        with crew.worker(arm) as worker:
            worker.ask("open", backend=arm.backend)
            found: dict[str, Any] = worker.ask(
                "conformance", names=names or every, dtype=dtype, device="cpu", mode=arm.mode, seed=seed
            )
            return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("arm", ARMS)
def test_laws(arm: str, dtype: str) -> None:
    """No law is broken; what is unsupported is so for the recorded reason; in float64 everything is within 1e-12 of the reference."""
    if arm == "torch:compile" and not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and none is here")
    broken, largest = [], 0.0
    for name, found in conformance(arm, dtype, ARMS[arm]).items():
        reason = UNSUPPORTED.get((arm, name)) or UNSUPPORTED.get((f"{arm} {dtype}", ""))
        if reason:
            assert reason in str(found.get("unsupported")), f"{name}: {found}"
            continue
        assert "unsupported" not in found, f"{name}: {found['unsupported']}"
        broken += [f"{name}: {text}" for text in found["broken"]]
        largest = max(largest, found["error"])
    assert not broken, "\n".join(broken)
    assert dtype == "float32" or largest < 1e-12
