"""Tables and sentences as Markdown: what a pipe gets, and what pastes into an issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .parts import Code, Part, Section, Table, Text


def markdown(sections: Sequence[Section]) -> str:
    """Sections one below the other."""
    return "\n".join(line for section in sections if section.shown for line in of_section(section))


def of_section(section: Section) -> Iterator[str]:
    """A section: its title in bold, its parts, an empty line."""
    if section.title:
        yield from (f"**{section.title}**", "")
    for part in section.shown:
        yield from (*lines(part), "")


def lines(part: Part) -> list[str]:
    """The lines of one part; pictures have none."""
    if isinstance(part, Text):
        return list(part.lines)
    if isinstance(part, Table):
        return table_lines(part)
    return ["```text", part.text, "```"] if isinstance(part, Code) else []


def table_lines(table: Table) -> list[str]:
    """A table, its columns aligned."""
    rows = [[cell(text) for text, _ in table.heads], *([cell(each.text) for each in row.cells] for row in table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    right = [is_number for _, is_number in table.heads]

    def line(row: Sequence[str]) -> str:
        aligned = (text.rjust(width) if far else text.ljust(width) for text, width, far in zip(row, widths, right, strict=True))
        return f"| {' | '.join(aligned)} |"

    rule = "|" + "|".join("-" * (width + 1) + (":" if far else "-") for width, far in zip(widths, right, strict=True)) + "|"
    return [line(rows[0]), rule, *map(line, rows[1:]), *(["", table.note] if table.note else [])]


def cell(text: str) -> str:
    """Text as it may stand in a cell."""
    return " ".join(text.split()).replace("|", "\\|")
