"""States and tensors on disk: NPZ archives, never pickled, written beside and renamed."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any, Iterable, Mapping, Tuple

import numpy

from .values import Arrays, State


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays; the file is complete or not there, whoever else writes it at the same time."""
    beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    with open(beside, "wb") as file:
        numpy.savez(file, **arrays)
    os.replace(beside, path)


def load_arrays(path: Path) -> Arrays:
    """Read named arrays."""
    with numpy.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def flat_state(state: State) -> Arrays:
    """A state as named arrays: `parameters/dense_1/kernel`, `slots/velocity/dense_1/kernel`, `statistics/...`, `step`."""
    found = {f"parameters/{name}": array for name, array in state.parameters.items()}
    for slot, arrays in state.slots.items():
        found.update({f"slots/{slot}/{name}": array for name, array in arrays.items()})
    found.update({f"statistics/{name}": array for name, array in state.statistics.items()})
    return {**found, "step": numpy.int64(state.step)}


def nested_state(arrays: Arrays) -> State:
    """The state that `flat_state` made flat."""
    state = State({}, {}, int(arrays["step"]))
    for name, array in arrays.items():
        group, _, rest = name.partition("/")
        if group == "parameters":
            state.parameters[rest] = array
        elif group == "statistics":
            state.statistics[rest] = array
        elif group == "slots":
            slot, _, parameter = rest.partition("/")
            state.slots.setdefault(slot, {})[parameter] = array
    return state


def float32_state(state: State) -> State:
    """A state rounded to values that float32 can hold, as float32 arrays."""

    def single(arrays: Arrays) -> Arrays:
        return {name: numpy.asarray(array, numpy.float32) for name, array in arrays.items()}

    slots = {slot: single(arrays) for slot, arrays in state.slots.items()}
    return State(single(state.parameters), slots, state.step, single(state.statistics))


def fingerprint(arrays: Iterable[Tuple[str, Any]]) -> str:
    """sha256 over names, shapes and values. Values that float32 can hold count as float32, so that the same numbers have the
    same fingerprint in float32 and in float64 arms."""
    digest = hashlib.sha256()
    for name, array in arrays:
        digest.update(f"{name}{numpy.shape(array)}".encode())
        digest.update(numpy.ascontiguousarray(portable(numpy.asarray(array))).tobytes())
    return digest.hexdigest()[:16]


def portable(array: Any) -> Any:
    """Integers as int64; floats as float32 where that loses nothing, else as float64."""
    if array.dtype.kind in "iub":
        return array.astype(numpy.int64)
    single = array.astype(numpy.float32)
    return single if numpy.array_equal(single.astype(array.dtype), array, equal_nan=True) else array.astype(numpy.float64)


def state_fingerprint(state: State) -> str:
    """Fingerprint of a state's parameters."""
    return fingerprint(sorted(state.parameters.items()))
