"""What pages are made of: sections of sentences, tables, figures, code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .formats import Format, words


@dataclass(frozen=True)
class Text:
    """Sentences, each a paragraph."""

    kind: ClassVar[str] = "text"
    lines: Sequence[str]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: in it.
        id: what a link to it is called; "" for none.
        href: where it leads; "" for nowhere.
        tone: how it looks: `good`, `bad`, `calm`, `heat-0` to `heat-5`; it only repeats what the text says.
        title: what is said of it when it is pointed at.
    """

    text: str
    id: str = ""
    href: str = ""
    tone: str = ""
    title: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table; where it is about an arm, it is hidden with that arm."""

    cells: Sequence[Cell]
    arm: str = ""


@dataclass(frozen=True)
class Table:
    """A table; its first column heads its rows.

    Attributes:
        heads: text of each column's head, and whether its cells are numbers.
        rows: of as many cells.
        caption: what it is.
        note: sentences below it.
        folded: whether it is shown only when asked for; its caption is the handle.
        sorts: whether a reader may sort and filter it.
    """

    kind: ClassVar[str] = "table"
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Row]
    caption: str = ""
    note: str = ""
    folded: bool = False
    sorts: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture that is complete where no script runs, and answers where one does.

    Attributes:
        key: its name: of its anchor and of its file.
        title: above it.
        caption: how it is to be read.
        description: what it shows, for those who do not see it.
        chart: of Altair.
    """

    kind: ClassVar[str] = "figure"
    key: str
    title: str
    caption: str
    description: str
    chart: Any = field(repr=False)

    @property
    def svg(self) -> str:
        """The picture, in the page's colours."""
        from .drawing import svg  # the terminal has tables too, and no pictures

        return re.sub(r'^<svg ', f'<svg role="img" aria-label="{escaped(self.description)}" ', svg(self.chart, page=True), count=1)

    @property
    def specification(self) -> str:
        """The same for Vega-Lite, as JSON that may stand in a script element."""
        from .drawing import specification

        return json.dumps(specification(self.chart, page=True), separators=(",", ":")).replace("<", "\\u003c")


@dataclass(frozen=True)
class Code:
    """Text as it is in a file, its lines numbered where `numbered`."""

    kind: ClassVar[str] = "code"
    text: str
    caption: str = ""
    numbered: bool = False


@dataclass(frozen=True)
class Graph:
    """A model: a row a node, and the wires between them.

    Attributes:
        rows: name, type, output shape, number of parameters.
        wires: pairs of places among the rows.
    """

    kind: ClassVar[str] = "graph"
    rows: Sequence[tuple[str, str, str, int]]
    wires: Sequence[tuple[int, int]]


Part = Text | Table | Figure | Code | Graph


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading; `key` is its anchor. A part that is None is left out."""

    key: str
    title: str
    parts: Sequence[Part | None]

    @property
    def shown(self) -> list[Part]:
        """The parts that there are."""
        return [part for part in self.parts if part is not None]


def escaped(text: str) -> str:
    """Text as it may stand in an attribute."""
    import html

    return html.escape(text, quote=True)


def slug(*texts: Any) -> str:
    """Texts as an anchor."""
    return "-".join(re.sub(r"[^\w.@:\[\]=]+", "-", str(text)).strip("-") for text in texts)


def table(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Format], names: Mapping[str, str] | None = None, **options: Any
) -> Table | None:
    """A table of rows by column; columns that are empty in every row are left out; None where nothing is left.

    Args:
        rows: by column; those with an `arm` are hidden with it.
        columns: which, in order, and how each is written.
        names: headings other than the column's own name.
        options: of `Table`.
    """
    kept = {name: text for name, text in columns.items() if any(text(row.get(name)) for row in rows)}
    if not kept:
        return None
    heads = [((names or {}).get(name, name.replace("_", " ")), text is not words) for name, text in kept.items()]
    found = [
        Row([Cell(text(row.get(name)), tone=tone(text(row.get(name)))) for name, text in kept.items()], str(row.get("arm") or ""))
        for row in rows
    ]
    return Table(heads, found, **options)


#: words that are shown in colour, which only repeats what they say
GOOD = ("agrees", "tie", "ok", "holds", "works", "bitwise equal", "within rounding", "ready", "created", "yes")
BAD = (
    "differs", "undecided", "failed", "crashed", "killed", "timed out", "out of memory", "diverged", "interrupted", "invalid", "changed",
)  # fmt: skip
CALM = ("missing", "unsupported", "refused", "too noisy", "unresolved", "indicative")


def tone(text: str) -> str:
    """How a word looks."""
    return "good" if text in GOOD else "bad" if text in BAD else "calm" if text in CALM else ""
