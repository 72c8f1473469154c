"""Long lines broken, as people break them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise

#: how long a line may be
WIDTH = 130


def wrapped(text: str) -> str:
    """A text whose long statements stand on several lines."""
    return "\n".join(part for line in text.split("\n") for part in broken(line))


def broken(line: str) -> Iterator[str]:
    """A line, with what stands in its longest brackets on lines of their own where it is too long."""
    bare = line.lstrip()
    depths = list(accumulate((letter in "([{") - (letter in ")]}") for letter in line))
    brackets = sorted(outer(depths), key=lambda pair: pair[1] - pair[0])
    if len(line) <= WIDTH or bare.startswith(("#", '"')) or not brackets:
        yield line
        return
    start, end = brackets[-1]
    indent, inside = " " * (len(line) - len(bare)), line[start + 1 : end]
    yield line[: start + 1]
    if len(indent) + 4 + len(inside) <= WIDTH or " for " in inside or not listed(line, start):
        yield f"{indent}    {inside}"
    else:
        commas = [place for place in range(start, end) if line[place] == "," and depths[place] == 1]
        for before, after in pairwise([start, *commas, end]):
            yield from broken(f"{indent}    {line[before + 1 : after].strip()},")
    yield f"{indent}{line[end:]}"


def listed(line: str, start: int) -> bool:
    """Whether a bracket holds a call's arguments or a list's items, behind which a comma says nothing."""
    behind = start > 0 and (line[start - 1].isalnum() or line[start - 1] in "_)]")
    return behind == (line[start] == "(")


def outer(depths: list[int]) -> Iterator[tuple[int, int]]:
    """Where brackets open and close that stand in no others, by the depth behind each letter."""
    start = 0
    for place, (before, depth) in enumerate(pairwise([0, *depths])):
        if before == 0 and depth == 1:
            start = place
        if before == 1 and depth == 0:
            yield start, place
