"""What reaches the screen: results on stdout, progress and notices on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Any, TextIO

import click


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


def live() -> bool:
    """Whether lines on stderr can be drawn over."""
    return terminal(sys.stderr)


def drawn() -> bool:
    """Whether results are drawn, not written as Markdown: on a terminal, or where colour is asked for, as in the logs of CI."""
    return terminal(sys.stdout) or bool(os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR"))


def terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can do more than a typewriter."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def survive_any_encoding() -> None:
    """A letter that the terminal's encoding does not have is written as its number, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
