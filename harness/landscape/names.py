"""Single numbers of a net by name: `dense_1/kernel[0,1]`, `dense_1/bias[0]`."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Sequence

from ..errors import UsageError
from ..spec import Parameter, ProgramSpec

NUMBER = re.compile(r"(?P<name>[^\[\]]+?)(\[(?P<index>\s*\d+\s*(,\s*\d+\s*)*)\])?")
#: how a number is written
GRAMMAR = 'write LAYER/PARAMETER[INDEX,...], e.g. "dense_1/kernel[0,0]"'
#: parameters that are listed at most
LISTED = 12


def chosen(spec: ProgramSpec, names: Sequence[str]) -> tuple[list[str], list[int]]:
    """The two numbers that were named: their full names, and their places in the vector of all parameters.

    Raises:
        UsageError: there are not two, or one is none of this net.
    """
    found = [place(spec, name) for name in names]
    if len({at for _, at in found}) != 2 or len(found) != 2:
        raise UsageError(f"a surface is over two different numbers, not over {' and '.join(names)}", 'name two: --over "A" --over "B"')
    return [full for full, _ in found], [at for _, at in found]


def first_two(spec: ProgramSpec) -> list[str]:
    """The names of a net's first two numbers.

    Raises:
        UsageError: it has fewer.
    """
    every = (written(item.name, index) for item in spec.parameters for index in itertools.product(*map(range, item.shape)))
    found = list(itertools.islice(every, 2))
    if len(found) < 2:
        raise UsageError(f"this net has one number, {found[0]}: a surface needs two", "add a bias or a unit")
    return found


def place(spec: ProgramSpec, text: str) -> tuple[str, int]:
    """A number's full name and its place in the vector of all parameters.

    Raises:
        UsageError: it is none of this net.
    """
    match = NUMBER.fullmatch(text.strip())
    start = 0
    for item in spec.parameters:
        if match and item.name == match["name"].strip():
            index = index_of(item, match["index"], text)
            flat = sum(at * math.prod(item.shape[axis + 1 :]) for axis, at in enumerate(index))
            return written(item.name, index), start + flat
        start += math.prod(item.shape)
    names = [item.name for item in spec.parameters]
    close = difflib.get_close_matches(match["name"] if match else text, names, 1, 0.6)
    known = f"it has {', '.join(names[:LISTED])}{', ...' if len(names) > LISTED else ''}"
    raise UsageError(f'"{text}" is no number of this net', f'did you mean "{close[0]}"? {known}' if close else f"{GRAMMAR}; {known}")


def index_of(item: Parameter, text: str | None, whole: str) -> tuple[int, ...]:
    """An index as it is written; none is needed where there is one number.

    Raises:
        UsageError: the parameter has no such place.
    """
    if text is None and math.prod(item.shape) == 1:
        return (0,) * len(item.shape)
    index = tuple(int(part) for part in (text or "").split(",") if part.strip())
    if len(index) != len(item.shape) or any(at >= size for at, size in zip(index, item.shape, strict=True)):
        first, last = written(item.name, [0] * len(item.shape)), written(item.name, [size - 1 for size in item.shape])
        raise UsageError(f'"{whole}" names no single number of {item.name}', f"its numbers are {first} to {last}")
    return index


def written(name: str, index: Sequence[int]) -> str:
    """A number's full name."""
    return f"{name}[{','.join(map(str, index))}]"
