"""Problems of an experiment file: each with its place, all of them in one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.errors import UsageError

from .places import Trail

#: longest source line that is shown whole, and how much of a longer one is shown before the place
LONGEST, BEFORE = 160, 60


class Finding(NamedTuple):
    """Something wrong in an experiment's tree, before it is known where in the text that is."""

    trail: Trail
    code: str
    message: str
    hint: str = ""
    #: it is the key that is wrong, not its value
    at_key: bool = False


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place. `line` and `column` count from 1, `end` is the column behind the last character; `line` is 0
    where there is no file."""

    path: str
    line: int
    column: int
    end: int
    code: str
    message: str
    hint: str = ""
    source: str = ""

    def render(self) -> str:
        """The problem as people read it: place, message, the line itself with the place marked, the hint."""
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        head = printable(f"{place}: error[{self.code}]: {self.message}")
        if not self.source:
            return f"{head}\n  {self.hint}" if self.hint else head
        source, column = clip(printable(self.source), self.column)
        number = str(self.line or "")
        blank = " " * max(len(number), 1) + " |"
        shift = "".join("\t" if letter == "\t" else " " for letter in source[: column - 1])
        marks = "^" * max(1, min(self.end - self.column, len(source) - column + 1))
        return "\n".join([head, blank, f"{number or ' '} | {source}", f"{blank} {shift}{marks} {self.hint}".rstrip()])


class SpecError(UsageError):
    """Everything wrong with an experiment, in file order. Nothing was run."""

    def __init__(self, problems: Sequence[Problem], name: str) -> None:
        """All problems of what is called `name`."""
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        rendered = [problem.render() for problem in self.problems]
        super().__init__("\n\n".join([*rendered, f"{count} in {printable(name)}. Nothing was run."]))


def printable(text: str) -> str:
    """A text without control characters, which a stranger's file could send to the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def clip(source: str, column: int) -> tuple[str, int]:
    """The part of a very long line around a column, and the column in it."""
    if len(source) <= LONGEST:
        return source, column
    start = max(0, min(column - 1 - BEFORE, len(source) - LONGEST))
    return source[start : start + LONGEST], column - start
