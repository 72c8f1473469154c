"""What reaches the screen: results on stdout, progress and notices on stderr.

On a terminal tables are drawn by rich; everywhere else they are Markdown, never truncated, without escape codes.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..report.formats import Format, words


def result(text: str = "") -> None:
    """A line of the result."""
    click.echo(text)


def notice(text: str) -> None:
    """A line beside the result."""
    click.echo(text, err=True)


def document(value: Any) -> None:
    """The one JSON document of `--json`; numbers that are not finite become null."""
    from ..records.store import finite

    click.echo(json.dumps(finite(value), indent=1, allow_nan=False, default=plain))


def plain(value: Any) -> Any:
    """numpy's numbers as Python's."""
    return finite_or_none(value.item()) if hasattr(value, "item") else str(value)


def finite_or_none(value: Any) -> Any:
    """None for NaN and infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(
    title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Format], names: Mapping[str, str] | None = None
) -> None:
    """A table.

    Args:
        title: above it.
        rows: by column.
        columns: which, in order, and how each is written; columns that are empty in every row are left out.
        names: headings other than the column's own name.
    """
    cells = {column: [text(row.get(column)) for row in rows] for column, text in columns.items()}
    cells = {column: texts for column, texts in cells.items() if any(texts)}
    heads = {column: (names or {}).get(column, column.replace("_", " ")) for column in cells}
    right = {column for column in cells if columns[column] is not words}
    if not cells:
        return
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        draw(title, heads, cells, right)
    else:
        markdown(title, heads, cells, right)


def markdown(title: str, heads: Mapping[str, str], cells: Mapping[str, list[str]], right: set[str]) -> None:
    """A Markdown table."""
    for line in markdown_lines(heads, cells, right) if not title else [f"**{title}**", "", *markdown_lines(heads, cells, right)]:
        result(line)
    result()


def markdown_lines(heads: Mapping[str, str], cells: Mapping[str, list[str]], right: set[str]) -> list[str]:
    """The lines of a Markdown table, columns aligned."""
    width = {column: max(3, len(heads[column]), *map(len, texts)) for column, texts in cells.items()}

    def line(texts: Mapping[str, str]) -> str:
        return "| " + " | ".join(texts[c].rjust(width[c]) if c in right else texts[c].ljust(width[c]) for c in cells) + " |"

    rule = "|" + "|".join("-" * (width[c] + 1) + (":" if c in right else "-") for c in cells) + "|"
    count = len(next(iter(cells.values())))
    return [line(heads), rule, *(line({c: texts[i] for c, texts in cells.items()}) for i in range(count))]


def draw(title: str, heads: Mapping[str, str], cells: Mapping[str, list[str]], right: set[str]) -> None:
    """A table on a terminal; columns that do not fit are left out from the right, and named."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    width = shutil.get_terminal_size().columns
    shown, left_out = fitting({c: max(len(heads[c]), *map(len, texts)) for c, texts in cells.items()}, width)
    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in shown:
        drawn.add_column(heads[column], justify="right" if column in right else "left", no_wrap=True)
    for index in range(len(next(iter(cells.values())))):
        drawn.add_row(*(styled(cells[column][index]) for column in shown))
    Console().print(drawn)
    if left_out:
        notice(f"not shown: {', '.join(heads[column] for column in left_out)}; use --json or a wider window")


def styled(text: str) -> Any:
    """A cell; colour only repeats what the word says."""
    from rich.text import Text

    colours = {
        "agrees": "green",
        "differs": "bold red",
        "undecided": "bold yellow",
        "bitwise equal": "green",
        "within rounding": "green",
        "changed": "bold red",
    }
    bad = {
        "failed",
        "crashed",
        "killed",
        "timed out",
        "out of memory",
        "diverged",
        "missing",
        "unsupported",
        "refused",
        "interrupted",
    }
    return Text(text, style=colours.get(text, "yellow" if text in bad else ""))


def fitting(widths: Mapping[str, int], room: int) -> tuple[list[str], list[str]]:
    """The columns that fit side by side, and the rest."""
    names = list(widths)
    while len(names) > 1 and sum(widths[name] + 3 for name in names) > room:
        names.pop()
    return names, list(widths)[len(names) :]


class Work:
    """How far one long piece of work is: its last line and the time on a terminal, its lines elsewhere."""

    def __init__(self, title: str, quiet: bool) -> None:
        self.title, self.quiet = title, quiet
        self.live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.status: Any = None

    def __enter__(self) -> Work:
        if self.live:
            from rich.console import Console
            from rich.progress import Progress as Lines
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.table import Column

            one_line = Column(no_wrap=True, overflow="ellipsis")
            shown = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False, table_column=one_line))
            self.status = Lines(*shown, console=Console(stderr=True), transient=True)
            self.status.start()
            self.task = self.status.add_task(self.title)
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is not None:
            self.status.stop()

    def __call__(self, text: str) -> None:
        """What is being done now."""
        if self.status is not None:
            self.status.update(self.task, description=f"{self.title}{text}")
        elif not self.quiet:
            notice(f"{self.title}{text}")


class Progress:
    """How far a run is: one line an arm on a terminal, a line at the end of each arm elsewhere. Nothing while blocks are timed."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.status: Any = None

    def __enter__(self) -> Progress:
        if self.live:
            from rich.console import Console

            self.status = Console(stderr=True).status("starting")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Stop drawing."""
        if self.status is not None:
            self.status.stop()
            self.status = None

    def __call__(self, arm: str, facts: dict[str, Any]) -> None:
        """An arm's news; see harness.execution.run."""
        if self.quiet:
            return
        phase = str(facts.get("phase", ""))
        if "done" in facts:
            self.line(f"{arm}: {facts['verdict'] or facts['done']}{': ' + facts['reason'] if facts['reason'] else ''}")
        elif phase.startswith("timing"):
            self.pause()
            notice(f"{phase} ...")
        elif self.status is not None:
            step = f"step {facts['step']}/{facts['steps']}  loss {facts['loss']:.4g}" if "step" in facts else phase
            self.status.update(f"{arm}  {step}")

    def line(self, text: str) -> None:
        """A line that stays."""
        if self.status is not None:
            self.status.console.print(text, markup=False, highlight=False)
        else:
            notice(text)
