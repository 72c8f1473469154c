"""States and tensors on disk: NPZ archives, never pickled, written beside and renamed."""

from __future__ import annotations

import hashlib
import os
import threading
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Iterable, Mapping, Tuple
from zipfile import ZipFile, ZipInfo

import numpy
from numpy.lib import format as npy

from .values import Arrays, State

#: bytes from which on numpy reads an array in pieces
LARGE = 1 << 20
#: bytes of a header before its text, the last two of which are the text's length (numpy.lib.format, version 1.0)
HEADER = 10


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays; the file is complete or not there, whoever else writes it at the same time."""
    beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    with open(beside, "wb") as file:
        numpy.savez(file, **arrays)
    os.replace(beside, path)


def load_arrays(path: Path) -> Arrays:
    """Read named arrays."""
    with ZipFile(path) as archive:
        return {member.filename[:-4]: load_array(archive, member) for member in archive.infolist()}


def load_array(archive: ZipFile, member: ZipInfo) -> Any:
    """Read one array: as numpy.load does, which looks at a header for three times as long as a small array takes otherwise."""
    if member.file_size > LARGE:
        with archive.open(member) as file:
            return npy.read_array(file, allow_pickle=False)
    content = archive.read(member)
    start = HEADER + int.from_bytes(content[HEADER - 2 : HEADER], "little")
    shape, fortran, dtype = header(content[:start])
    return numpy.ndarray(shape, dtype, content, start, order="F" if fortran else "C").copy(order="K")


@lru_cache(maxsize=4096)
def header(content: bytes) -> Tuple[Tuple[int, ...], bool, Any]:
    """Shape, order and dtype that an array's header says.

    Raises:
        ValueError: it is none of numpy.save's, or its array holds objects.
    """
    file = BytesIO(content)
    if npy.read_magic(file) != (1, 0):
        raise ValueError("its header is not of version 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects")
    return shape, fortran, dtype


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
