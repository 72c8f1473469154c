"""Every adapter obeys the same laws, in every number format, eagerly and compiled."""

from __future__ import annotations

import os
import shutil

import pytest

from harness.numeric.laws import try_laws
from harness.registry import parse

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("arm", ARMS)
def test_laws(arm: str, dtype: str) -> None:
    """No law is broken; what is unsupported is so for the recorded reason; in float64 everything is within 1e-12 of the reference."""
    if arm == "torch:compile" and not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and none is here")
    broken, largest = [], 0.0
    for name, found in try_laws(parse(arm), dtype, ARMS[arm] or ()).items():
        reason = UNSUPPORTED.get((arm, name)) or UNSUPPORTED.get((f"{arm} {dtype}", ""))
        if reason:
            assert reason in str(found.get("unsupported")), f"{name}: {found}"
            continue
        assert "unsupported" not in found, f"{name}: {found['unsupported']}"
        broken += [f"{name}: {text}" for text in found["broken"]]
        largest = max(largest, found["error"])
    assert not broken, "\n".join(broken)
    assert dtype == "float32" or largest < 1e-12
