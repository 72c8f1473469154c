"""Sections drawn on a terminal by rich, as wide as its window.

Nothing is cut. What is too wide for the window is folded: first texts go over several lines, then the columns that are left come below,
in the same rows behind the same first column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD, Box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Drawing
from rich.text import Text as Words

from ..report.parts import Code, Section, Table, Text, tone

#: what a text is folded to at least: its longest word, up to so many letters; and what stands between two columns
LEAST, GAP = 24, 3
PLAIN_HEAD = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
LOOKS = {"good": "green", "bad": "bold red", "calm": "yellow"}


def draw(sections: Sequence[Section], console: Console | None = None) -> None:
    """Sections one below the other."""
    console = console or Console(highlight=False)
    for section in sections:
        if section.shown and section.title:
            console.print(Words(section.title, style="bold"))
        for part in section.shown:
            if isinstance(part, Table):
                draw_table(part, console)
            elif isinstance(part, Text | Code):
                for line in part.lines if isinstance(part, Text) else part.text.splitlines():
                    console.print(Words(line), soft_wrap=line.startswith(" ") or isinstance(part, Code))
                console.print()


def draw_table(table: Table, console: Console) -> None:
    """A table, in as many pieces as the window makes of it."""
    for number, columns in enumerate(pieces(table, console.width)):
        if number:
            console.print(Words(f"the same, {', '.join(table.heads[column][0] for column in columns[1:])}:", style="dim"))
        console.print(piece(table, columns, console))
        console.print()
    if table.note:
        console.print(Words(table.note))


def pieces(table: Table, room: int) -> Iterator[list[int]]:
    """Which columns stand side by side; the first one in every piece.

    Args:
        table: it.
        room: columns of the window.
    """
    least = [narrowest(table, column, room) for column in range(len(table.heads))]
    found = [0]
    for column in range(1, len(least)):
        if len(found) > 1 and sum(least[other] + GAP for other in (*found, column)) - GAP > room:
            yield found
            found = [0]
        found.append(column)
    yield found


def narrowest(table: Table, column: int, room: int) -> int:
    """How narrow a column can be: a number is never folded."""
    head, is_number = table.heads[column]
    texts = [row.cells[column].text for row in table.rows]
    if is_number:
        return max(longest_word(head), *map(cell_len, texts))
    if column == 0:
        return min(widest(table, column), max(LEAST, room // 2))
    return min(max(map(longest_word, (head, *texts))), LEAST)


def widest(table: Table, column: int) -> int:
    """How wide a column can be used."""
    return max(map(cell_len, (table.heads[column][0], *(row.cells[column].text for row in table.rows))))


def longest_word(text: str) -> int:
    """How narrow a text is where it is folded between words."""
    return max(map(cell_len, text.split()), default=0)


def widths(table: Table, columns: Sequence[int], room: int) -> Iterator[int]:
    """How wide each of some columns is: what is left of the window goes to the first that can use it."""
    least = [narrowest(table, column, room) for column in columns]
    left = room - sum(least) - GAP * (len(columns) - 1)
    for column, width in zip(columns, least, strict=True):
        more = max(0, min(left, widest(table, column) - width))
        left -= more
        yield width + more


def piece(table: Table, columns: Sequence[int], console: Console) -> Drawing:
    """Some columns of a table."""
    box = SIMPLE_HEAD if console.encoding.lower().startswith("utf") else PLAIN_HEAD
    drawing = Drawing(box=box, pad_edge=False, show_edge=False, padding=(0, 1))
    for column, width in zip(columns, widths(table, columns, console.width), strict=True):
        head, is_number = table.heads[column]
        drawing.add_column(Words(head), justify="right" if is_number else "left", overflow="fold", width=width)
    for row in table.rows:
        drawing.add_row(*(Words(row.cells[column].text, style=look(row.cells[column].text)) for column in columns))
    return drawing


def look(word: str) -> str:
    """How a word is written; colour only repeats what it says."""
    return LOOKS.get(tone(word), "")
