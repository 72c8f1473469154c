"""What pages are made of: sections of sentences, tables, figures, code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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
        tone: how it looks: `good`, `bad`, `calm`, `long`, `heat-0` to `heat-5`; it only repeats what the text says.
        title: what is said of it when it is pointed at.
        numbers: lines that it shows when a link leads to it.
    """

    text: str
    id: str = ""
    href: str = ""
    tone: str = ""
    title: str = ""
    numbers: str = ""


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
        arms: columns that are about an arm, and hidden with it: their heads.
        arm: the arm that all of it is about; "" for none.
    """

    kind: ClassVar[str] = "table"
    heads: Sequence[tuple[str, bool]]
    rows: Sequence[Row]
    caption: str = ""
    note: str = ""
    folded: bool = False
    arms: Sequence[str] = ()
    arm: str = ""

    @property
    def owners(self) -> list[str]:
        """The arm that each column is about; "" for none."""
        return [head if head in self.arms else "" for head, _ in self.heads]


@dataclass(frozen=True)
class Key:
    """What colours and marks of a map mean: tone, mark, meaning."""

    kind: ClassVar[str] = "key"
    items: Sequence[tuple[str, str, str]]


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

    @cached_property
    def drawn(self) -> dict[str, Any]:
        """The picture for Vega-Lite, in the page's colours."""
        from .drawing import specification  # the terminal has tables too, and no pictures

        return specification(self.chart, page=True)

    @property
    def svg(self) -> str:
        """The picture, with a title and a description for those who do not see it."""
        from .drawing import drawn

        head, _, body = drawn(self.drawn).partition(">")
        named = f'{head} role="img" aria-labelledby="{self.key}-title {self.key}-description">'
        texts = {"title": self.title, "description": self.description}
        title, says = (f'id="{self.key}-{name}">{escaped(text)}' for name, text in texts.items())
        return f"{named}<title {title}</title><desc {says}</desc>{body}"

    @property
    def specification(self) -> str:
        """The picture as JSON that may stand in a script element."""
        return json.dumps(self.drawn, separators=(",", ":")).replace("<", "\\u003c")


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


@dataclass(frozen=True)
class Choices:
    """What a reader may choose the rows of all listings by; of use where scripts run alone.

    Attributes:
        values: by key, what there is to choose from.
    """

    kind: ClassVar[str] = "choices"
    values: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Line:
    """A row of a listing: a run, a sweep, a reference.

    Attributes:
        anchor: what a link to it is called.
        name, kind: what it is.
        link: to its report; "" where there is none.
        command: that makes one; "" where it has one, or nothing to show.
        cells: by column, its text.
        beside: by column, what stands behind the text.
        order: by column, what it is sorted by: numbers as text, or words; "" is always last.
        bad: whether it did not end well.
        arms: by verdict, its arms with their colours.
        pairs: arm -> verdict, as JSON.
    """

    anchor: str
    name: str
    kind: str
    link: str
    command: str
    cells: Mapping[str, str]
    beside: Mapping[str, str]
    order: Mapping[str, str]
    bad: bool
    arms: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    pairs: str


@dataclass(frozen=True)
class Listing:
    """A long table of results.

    Attributes:
        what: its rows are.
        columns: key and heading.
        lines: its rows.
    """

    kind: ClassVar[str] = "listing"
    what: str
    columns: Sequence[tuple[str, str]]
    lines: Sequence[Line]


Part = Text | Key | Table | Figure | Code | Graph | Choices | Listing


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
        rows: by column; those with an `arm` are hidden with it. A value may be a Cell.
        columns: which, in order, and how each is written.
        names: headings other than the column's own name.
        options: of `Table`.
    """
    kept = {name: text for name, text in columns.items() if not all(blank(row.get(name), text) for row in rows)}
    if not kept:
        return None
    heads = [((names or {}).get(name, name.replace("_", " ")), text is not words) for name, text in kept.items()]
    found = [Row([cell(row.get(name), text) for name, text in kept.items()], str(row.get("arm") or "")) for row in rows]
    return Table(heads, found, **options)


def cell(value: Any, text: Format) -> Cell:
    """A value as a cell; one that is a cell already stays."""
    return value if isinstance(value, Cell) else Cell(text(value), tone=tone(text(value)))


def blank(value: Any, text: Format) -> bool:
    """Whether there is nothing to write."""
    return not cell(value, text).text


#: words that are shown in colour, which only repeats what they say
GOOD = ("agrees", "tie", "ok", "holds", "works", "bitwise equal", "within rounding", "ready", "created", "yes")
BAD = (
    "differs", "undecided", "failed", "crashed", "killed", "timed out", "out of memory", "diverged", "interrupted", "invalid", "changed",
)  # fmt: skip
#: text that is longer may be broken into lines
LONG = 60
CALM = ("missing", "unsupported", "refused", "too noisy", "unresolved", "indicative")


def tone(text: str) -> str:
    """How a word looks."""
    if len(text) > LONG:
        return "long"
    return "good" if text in GOOD else "bad" if text in BAD else "calm" if text in CALM else ""
