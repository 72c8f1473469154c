"""Long lines in several, as a formatter would write them."""

from __future__ import annotations

import io
import tokenize
from itertools import pairwise

#: characters in a line
LENGTH = 130


def wrapped(line: str, indent: int) -> list[str]:
    """A line so far to the right. Where it is too long, what stands in its widest parentheses gets lines of its own, or what is assigned
    where there are none."""
    before = " " * indent if line else ""
    if indent + len(line) <= LENGTH:
        return [before + line]
    start, end = widest(line)
    if start < end:
        return [before + line[:start], *arguments(line[start:end], indent + 4), before + line[end:]]
    name, equals, value = line.partition("= ")
    return [f"{before}{name}= (", *arguments(value, indent + 4), f"{before})"] if equals else [before + line]


def arguments(text: str, indent: int) -> list[str]:
    """What stands in parentheses: in one line, or each argument in its own."""
    if indent + len(text) <= LENGTH:
        return [" " * indent + text]
    places = commas(text)
    if not places:
        return wrapped(text, indent)
    parts = [text[start + 1 : end].strip() for start, end in pairwise([-1, *places, len(text)])]
    return [line for part in parts for line in wrapped(f"{part},", indent)]


def widest(line: str) -> tuple[int, int]:
    """Where what stands in the widest outer parentheses begins and ends; twice the same where there are none."""
    opened: list[int] = []
    found = (0, 0)
    for text, start, end in tokens(line):
        if text in ("(", "["):
            opened.append(end)
        elif text in (")", "]"):
            first = opened.pop()
            if not opened and text == ")" and start - first > found[1] - found[0]:
                found = (first, start)
    return found


def commas(text: str) -> list[int]:
    """Where the commas stand that are in no brackets."""
    depth, found = 0, []
    for token, start, _ in tokens(text):
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if token == "," and not depth:
            found.append(start)
    return found


def tokens(line: str) -> list[tuple[str, int, int]]:
    """The words of a line, with where each begins and ends."""
    return [(token.string, token.start[1], token.end[1]) for token in tokenize.generate_tokens(io.StringIO(line).readline)]
