"""Live lines on a terminal, drawn by rich."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from .progress import clock
from .terminal import look

if TYPE_CHECKING:
    from .progress import Line

CUT = "..."


class Board:
    """What is drawn: the title with the whole work's line, then a line for each name, as many as there is room for.

    Args:
        title: what is done.
        lines: by name; read anew at every drawing.
    """

    def __init__(self, title: str, lines: Mapping[str, Line]) -> None:
        self.title, self.lines, self.began = title, lines, time.monotonic()
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(
            get_renderable=self.picture, console=self.console, auto_refresh=False, transient=True, redirect_stdout=False
        )
        self.live.start()

    def draw(self) -> None:
        """Draw it now."""
        self.live.refresh()

    def close(self) -> None:
        """Take it away."""
        self.live.stop()

    def picture(self) -> Group:
        """All lines as they are now."""
        named = {name: line for name, line in self.lines.items() if name}
        room = max(1, self.console.height - 2)
        if len(named) > room:  # those that have ended are in the tables below
            named = {name: line for name, line in named.items() if line.phase} or named
        wide = max(map(len, named), default=0)
        rows = [self.row(f"  {name:<{wide}}", line) for name, line in list(named.items())[:room]]
        return Group(self.row(f"{self.title} {clock(time.monotonic() - self.began)}".strip(), self.lines[""], "bold"), *rows)

    def row(self, name: str, line: Line, head: str = "") -> Text:
        """One line, cut at the window's edge."""
        whole = "  ".join([name, *line.parts])
        room = self.console.width
        text = Text(whole if len(whole) <= room else whole[: room - len(CUT)] + CUT, no_wrap=True)
        text.stylize(head, 0, len(name))
        if line.verdict:
            text.stylize(look(line.verdict), len(name) + 2, len(name) + 2 + len(line.verdict))
        return text
