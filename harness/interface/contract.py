"""The contract: what an adapter is. A module `backends.X` offers the names of `Adapter`; its `Program` those of `Program`.

It is checked when an adapter is loaded (`missing`), so that a wrong one is refused by name before anything runs.
"""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Mapping, Protocol, Sequence

from ..spec import ProgramSpec
from .values import Arrays, Batch, Probe, State, Trace


class Program(Protocol):
    """A native model, loss and optimizer, built from a spec."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        """Build it: `dtype` is float32 or float64, `device` cpu or gpu, `mode` one of the adapter's MODES."""

    def load(self, state: State) -> None:
        """Take a state in, all of it, copied. `state()` then returns the same bits."""

    def state(self) -> State:
        """The present state, as copies that later steps do not change."""

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch with the given masks; changes nothing."""

    def stage(self, batches: Sequence[Batch]) -> Any:
        """Batches made native and put on the device, before any clock runs."""

    def unstage(self, staged: Any) -> List[Batch]:
        """What `stage` made, read back from the device: it is hashed to prove that all arms saw the same."""

    def compile(self, staged: Any) -> Dict[str, float]:
        """Whatever can be done before the first step: stage -> seconds; empty where there is nothing. Changes no state."""

    def train(self, staged: Any, steps: int, read_every: int = 1) -> Trace:
        """The loop as an expert writes it, over the staged batches in turn, with the framework's own optimizer; returns
        when the device is done. A batch without masks uses the framework's own dropout and noise. A mode may take all steps from one
        reading to the next in one call."""

    def predict(self, staged: Any) -> List[Any]:
        """The outputs of each staged batch, in inference mode, as numpy arrays `(rows, *output_shape)`."""


class Adapter(Protocol):
    """The module of one backend.

    REQUIRES and MODES are literals: the parent reads them from the source without importing it (harness.registry). So is NAME, which
    may repeat the backend's name, and then has to be right. A function `faults() -> List[str]` may say what this very installation
    computes wrongly, measured on the spot: one sentence each, with the report's address. A function `compilations() -> int` may say how
    many times this process has traced or compiled something so far: a number that only rises, and that stays where it is while steps only
    run. What is timed while it rises is no step. An adapter without it compiles nothing.
    """

    #: import name -> extra of pyproject.toml that installs it
    REQUIRES: Mapping[str, str]
    #: mode -> {"requires": {...}, "variables": {...}}, both optional; "" is the plain mode
    MODES: Mapping[str, Mapping[str, Mapping[str, str]]]
    #: formulas that the framework fixes (harness.spec.FORMS); what is not named is canonical
    FORMS: Mapping[str, str]
    Program: Any

    def supports(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
        """The reasons why not; empty when it can."""

    def versions(self) -> Dict[str, Any]:
        """Versions, build flags, threads and precision modes, as they are in this process; the framework's version stands under the
        backend's own name."""


#: what `Program.__init__` takes; before Python 3.11 a Protocol hides its own
BUILT_FROM = ["self", "spec", "dtype", "device", "mode"]


def missing(adapter: Any) -> List[str]:
    """What a module lacks of the contract, one line each; empty when it fulfils it."""
    lacks = [
        f"{name} is missing"
        for name in ("REQUIRES", "MODES", "FORMS", "supports", "versions", "Program")
        if not hasattr(adapter, name)
    ]
    if lacks:
        return lacks
    for name in ("__init__", "load", "state", "probe", "stage", "unstage", "compile", "train", "predict"):
        method = getattr(adapter.Program, name, None)
        wanted = BUILT_FROM if name == "__init__" else list(inspect.signature(getattr(Program, name)).parameters)
        if not inspect.isfunction(method):
            lacks.append(f"Program.{name} is missing")
        elif list(inspect.signature(method).parameters) != wanted:
            lacks.append(f"Program.{name} must take ({', '.join(wanted)})")
    return lacks


__all__ = ["Adapter", "Arrays", "Program", "missing"]
