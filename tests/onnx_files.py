"""Exported ONNX files held against the reference: they are written to a folder, their scripts are run in one real process, and the outputs
are compared. Shared by tests/test_onnx.py and benchmarks/export.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from harness.export import Draft, NotWritten, written
from harness.interface import LIMIT, Batch, State, float32_state, load_arrays
from harness.registry.backends import load
from harness.spec import ProgramSpec
from harness.worker.conformance import cases
from harness.worker.conformance.measure import EXACT, REPLICAS, WITNESSES, distance, sizes_of

from . import scripts

#: number formats that are tried
DTYPES = ("float32", "float64")
#: rows of an experiment that are compared
ROWS = 8
#: what the reference's outputs stand under
OUTPUTS = "outputs"


@dataclass(frozen=True)
class Right:
    """What a file should compute.

    Attributes:
        outputs: of the first batch, float64.
        size: what an error is relative to.
        allowed: number format -> how far off the outputs may be: in float64 EXACT, or what the reference's own replicas cannot hold; in
            float32 LIMIT times the error of the worst replica.
    """

    outputs: Any
    size: float
    allowed: Mapping[str, float]


def predicted(spec: ProgramSpec, state: State, batch: Batch, dtype: str = "float64", mode: str = "") -> Any:
    """The reference's outputs in inference mode, or those of a replica."""
    program = load("backends.numpy").Program(spec, dtype, "cpu", mode)
    with numpy.errstate(all="ignore"):
        program.load(state)
        return numpy.asarray(program.predict(program.stage([batch]))[0], numpy.float64)


def right(spec: ProgramSpec, state: State, batch: Batch, exact: bool = False) -> Right:
    """The right outputs, and how far rounding alone can move them; `exact`: see Case."""

    def replicas(dtype: str, modes: Sequence[str]) -> list[Any]:
        return [] if exact else [predicted(spec, state, batch, dtype, mode) for mode in modes]

    outputs = predicted(spec, state, batch)
    witnesses = replicas("float64", WITNESSES)
    size = sizes_of({OUTPUTS: outputs}, [{OUTPUTS: found} for found in witnesses])[OUTPUTS]

    def moved(found: Sequence[Any], dtype: str) -> float:
        return LIMIT * max([float(numpy.finfo(dtype).eps), *(distance(each, outputs) / size for each in found)])

    allowed = {"float64": max(EXACT, moved(witnesses, "float64")), "float32": moved(replicas("float32", REPLICAS), "float32")}
    return Right(outputs, size, allowed)


@cache
def begun(name: str | Path) -> tuple[ProgramSpec, State, list[Batch]]:
    """A case by name, at its random state; an experiment behind three steps of the reference, so that all weights and statistics have
    moved."""
    spec, state, batches = scripts.begun(name)
    if isinstance(name, Path):
        program = load("backends.numpy").Program(spec, "float64", "cpu", "")
        program.load(state)
        program.train(program.stage(batches), len(batches))
        state = float32_state(program.state())
        batches = [Batch(batch.inputs[:ROWS], batch.targets[:ROWS]) for batch in batches[:1]]
    return spec, state, batches


@cache
def right_of(name: str | Path) -> Right:
    """What the file of a case or an experiment has to compute, measured once for both number formats."""
    spec, state, batches = begun(name)
    return right(spec, state, batches[0], isinstance(name, str) and cases()[name].exact)


def write(stem: str, spec: ProgramSpec, state: State, batches: Sequence[Batch], dtype: str, folder: Path) -> Path:
    """The file and its script; the script's path.

    Raises:
        NotWritten: it is refused.
    """
    return written(Draft(stem, spec, dtype), state, batches[:1], ["onnx"], folder, force=True)[-1]


def off(script: Path, wanted: Right, dtype: str) -> float:
    """By how much of what is allowed the outputs are off that a script computed: beyond 1 they are wrong; infinite in another format."""
    found = load_arrays(script.with_name(script.name + ".npz"))[OUTPUTS]
    if str(found.dtype) != dtype:
        return float("inf")
    return scripts.off(found, wanted.outputs, wanted.size) / wanted.allowed[dtype]


def tried(names: Sequence[str | Path], dtype: str, folder: Path) -> dict[str | Path, Any]:
    """Cases by name and experiments by file: why it is refused, a text where it failed, else `outputs` with what `off` says."""
    found: dict[str | Path, Any] = {}
    written_for: dict[Path, str | Path] = {}
    for name in names:
        try:
            stem = f"experiment-{name.stem}" if isinstance(name, Path) else name.replace(" ", "-")
            written_for[write(stem, *begun(name), dtype, folder)] = name
        except NotWritten as refusal:
            found[name] = refusal
    for script, problem in scripts.run(list(written_for)):
        name = written_for[script]
        found[name] = problem or {OUTPUTS: off(script, right_of(name), dtype)}
    return found
