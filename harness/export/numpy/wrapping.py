"""Long lines in several, as a formatter would write them."""

from __future__ import annotations

import io
import tokenize

#: characters in a line
LENGTH = 130


def wrapped(line: str, indent: int) -> list[str]:
    """A line so far to the right; where it is too long, what stands in its widest parentheses gets lines of its own. Where it has none, what
    is assigned gets some."""
    before = " " * indent if line else ""
    if indent + len(line) <= LENGTH:
        return [before + line]
    start, end = widest(line)
    if start < end:
        return [before + line[:start], *wrapped(line[start:end], indent + 4), before + line[end:]]
    name, equals, value = line.partition("= ")
    return [f"{before}{name}= (", *wrapped(value, indent + 4), f"{before})"] if equals else [before + line]


def widest(line: str) -> tuple[int, int]:
    """Where what stands in the widest outer parentheses begins and ends; twice the same where there are none."""
    opened: list[int] = []
    found = (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(line).readline):
        if token.string in ("(", "["):
            opened.append(token.end[1])
        elif token.string in (")", "]"):
            start, end = opened.pop(), token.start[1]
            if not opened and token.string == ")" and end - start > found[1] - found[0]:
                found = (start, end)
    return found
