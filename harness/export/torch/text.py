"""Numbers and calls as Python's text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from ...spec.tree import short

#: what stands in a script: text as it is, or a value
Part = str | bool | int | float | Sequence[int]


def number(value: float) -> str:
    """A number, with the fewest digits that are exactly it."""
    brief = short(value)
    return repr(brief if brief == value else value)


def text(part: Part) -> str:
    """A part as it stands in a script; several numbers are a tuple."""
    if isinstance(part, str):
        return part
    if isinstance(part, float):
        return number(part)
    if isinstance(part, int):
        return repr(part)
    return repr(tuple(part))


def call(function: str, *arguments: Part, **options: Part | None) -> str:
    """A call; options that are None are left out."""
    given = [f"{name}={text(value)}" for name, value in options.items() if value is not None]
    return f"{function}({', '.join([*map(text, arguments), *given])})"


def one(numbers: Sequence[int]) -> Part:
    """The number, where all are the same."""
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def wrapped(line: str, indent: int, width: int = 130) -> list[str]:
    """A statement; the last call in it over several lines, where it is too long for one."""
    if indent + len(line) <= width or line.startswith("#") or not line.endswith(")"):
        return [line]
    depths = list(accumulate((character in "([{") - (character in ")]}") for character in line))
    start = max(place for place, depth in enumerate(depths[:-1]) if depth == 1 and line[place] == "(")
    inside = line[start + 1 : -1]
    if indent + 4 + len(inside) <= width:
        return [line[: start + 1], f"    {inside}", ")"]
    commas = [place for place in range(start, len(line)) if line[place] == "," and depths[place] == 1]
    ends = [*commas, len(line) - 1]
    parts = [line[before + 1 : end].strip() for before, end in pairwise([start, *ends])]
    return [line[: start + 1], *(f"    {part}," for part in parts), ")"]


def places(start: int, end: int) -> str:
    """A slice of an axis."""
    return f"{start or ''}:{end}"


def unless(default: Part, value: Part) -> Part | None:
    """An option's value, None where it is the default."""
    return None if value == default else value
