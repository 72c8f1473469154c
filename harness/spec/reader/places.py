"""Where each key and each value of a TOML text stands. `tomllib` keeps no places, so this walks over a text that `tomllib` has
accepted (TOML 1.0) and checks nothing again."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import NamedTuple

#: keys and list indices from the root, e.g. ("model", "layers", 2, "units")
Trail = tuple[str | int, ...]


class Span(NamedTuple):
    """A piece of text: offset of its first character, and of the one behind its last."""

    start: int
    end: int


class Entry(NamedTuple):
    """Where a key and its value stand: a table's value is its header's name, the key of a list's item is the item itself."""

    key: Span
    value: Span


SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
KEY = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+')
VALUE = re.compile(
    r'"""(?:[^\\]|\\[\s\S])*?"""(?:"{0,2})|\'\'\'[\s\S]*?\'\'\'(?:\'{0,2})'  # the last quotes may belong to the text
    r'|"(?:[^"\\]|\\.)*"|\'[^\']*\''
    r"|[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?"  # numbers, true and false; dates may hold one space
)


def find(text: str) -> dict[Trail, Entry]:
    """Every key and list item of a text that `tomllib` accepts."""
    finder = Finder(text)
    finder.document()
    return finder.found


@dataclass
class Finder:
    """Walks over one text; `at` is how far it is."""

    text: str
    at: int = 0
    found: dict[Trail, Entry] = field(default_factory=dict)
    #: items so far of each array of tables
    counts: dict[Trail, int] = field(default_factory=dict)

    def skip(self, token: str = "") -> bool:
        """Go over white space and comments, then over `token` if it stands there."""
        self.at = SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        here = bool(token) and self.text.startswith(token, self.at)
        self.at += len(token) if here else 0
        return here

    def take(self, pattern: re.Pattern[str]) -> Span:
        """Go over a pattern that must stand here."""
        self.skip()
        span = Span(*pattern.match(self.text, self.at).span())  # type: ignore[union-attr]
        self.at = span.end
        return span

    def document(self) -> None:
        """The whole text: headers of tables, and pairs."""
        table: Trail = ()
        self.skip()
        while self.at < len(self.text):
            if self.skip("[["):
                table = self.header(array=True)
            elif self.skip("["):
                table = self.header(array=False)
            else:
                self.pair(table)
            self.skip()

    def header(self, array: bool) -> Trail:
        """`[a.b]` or `[[a.b]]`, behind its bracket: the trail of the table."""
        trail: Trail = ()
        parts = self.keys()
        for number, (name, span) in enumerate(parts, start=1):
            trail += (name,)
            last = number == len(parts)
            self.note(trail, Entry(span, span), again=last and not array)
            if array and last:
                self.counts[trail] = self.counts.get(trail, 0) + 1
            if trail in self.counts:
                trail += (self.counts[trail] - 1,)
                self.note(trail, Entry(span, span))
        self.skip("]]" if array else "]")
        return trail

    def keys(self) -> list[tuple[str, Span]]:
        """The parts of a dotted key."""
        spans = [self.take(KEY)]
        while self.skip("."):
            spans.append(self.take(KEY))
        return [(decoded(self.text[span.start : span.end]), span) for span in spans]

    def pair(self, table: Trail) -> None:
        """`a.b = value`."""
        parts = self.keys()
        self.skip("=")
        for name, span in parts:
            table += (name,)
            self.note(table, Entry(span, span))
        self.found[table] = Entry(parts[-1][1], self.value(table))

    def value(self, trail: Trail) -> Span:
        """Any value, and in it the places of its items and keys."""
        self.skip()
        start = self.at
        if self.skip("["):
            self.items(trail)
        elif self.skip("{"):
            while not self.skip("}"):
                self.pair(trail)
                self.skip(",")
        else:
            return self.take(VALUE)
        return Span(start, self.at)

    def items(self, trail: Trail) -> None:
        """The items of a list, behind its bracket."""
        index = 0
        while not self.skip("]"):
            span = self.value((*trail, index))
            self.note((*trail, index), Entry(span, span))
            self.skip(",")
            index += 1

    def note(self, trail: Trail, entry: Entry, again: bool = False) -> None:
        """Remember a place; the first mention counts, unless this is the table's own header."""
        if again or trail not in self.found:
            self.found[trail] = entry


def decoded(key: str) -> str:
    """A key without its quotes and escapes."""
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
