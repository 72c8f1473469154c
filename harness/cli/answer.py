"""What a command has found, in the form that was asked for."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from ..errors import UsageError
from ..report.formats import Format, words
from ..report.parts import Section, Table, Text, table
from . import console

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What is made only when its form is asked for.

    Attributes:
        sections: for people.
        document: for programs: what `--json` writes.
        tables: for spreadsheets: all columns, by the name that `--table` takes; the first when none is named.
        comment: for a pull request.
    """

    sections: Callable[[], Sequence[Section]]
    document: Callable[[], Mapping[str, Any]]
    tables: Callable[[], Mapping[str, Rows]]
    comment: Callable[[], str] | None = None


def plain(
    schema: str, tables: Mapping[str, Rows], columns: Mapping[str, Format] | None = None, lead: Sequence[str] = (), **more: Any
) -> Answer:
    """An answer that is some tables and nothing to be told apart.

    Args:
        schema: of the document.
        tables: by name; the names are titles where there are several.
        columns: which, and how they are written; all of the first row, as words, when not given.
        lead: sentences before them.
        more: what else is in the document.
    """

    def sections() -> list[Section]:
        found = [
            Section(name, name if len(tables) > 1 else "", [table(rows, columns or dict.fromkeys(rows[0], words))])
            for name, rows in tables.items()
            if rows
        ]
        return [Section("", "", [Text(lead)]), *found] if lead else found

    return Answer(sections, lambda: {"schema": schema, **more, **tables}, lambda: tables)


def write(answer: Answer, form: str | None, name: str | None = None) -> None:
    """Write an answer on stdout.

    Args:
        answer: it.
        form: as `--format` takes it; None for a drawing on a terminal and Markdown elsewhere.
        name: the table that is wanted; all where none is named, of CSV the first.

    Raises:
        UsageError: there is no such table.
    """
    if form == "json":
        console.document(answer.document())
    elif form == "csv":
        tables = answer.tables()
        click.echo(as_csv(of_name(tables, name or next(iter(tables)))), nl=False)
    elif form == "github" and answer.comment is not None:
        click.echo(answer.comment())
    else:
        write_sections(answer.sections(), form, name)


def write_sections(sections: Sequence[Section], form: str | None, name: str | None) -> None:
    """Sections as a drawing, Markdown or LaTeX."""
    sections = list(sections)
    if name is not None:
        sections = [of_name({each.key: each for each in sections if any(isinstance(part, Table) for part in each.parts)}, name)]
    if form == "latex":
        from ..report.latex import latex

        click.echo(latex(sections))
    elif form is None and console.drawn():
        from .terminal import draw

        draw(sections)
    else:
        from ..report.markdown import markdown

        click.echo(markdown(sections).rstrip("\n"))


def of_name(found: Mapping[str, Any], name: str) -> Any:
    """One of several by its name.

    Raises:
        UsageError: there is none.
    """
    if name not in found:
        raise UsageError(f'there is no table "{name}" here', f"there are {', '.join(found)}")
    return found[name]


def as_csv(rows: Rows) -> str:
    """Rows as CSV (RFC 4180, with the line ends of the saved files): every column, numbers as exact as they are."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([value(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def value(found: Any) -> Any:
    """A value in a cell: nothing for what is missing, JSON for what has parts."""
    found = found.item() if hasattr(found, "item") else found
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return ""
    if isinstance(found, bool):
        return str(found).lower()
    return json.dumps(found) if isinstance(found, dict | list | tuple) else found
