"""A comment for a pull request: the verdict in a sentence, what differs, everything else folded."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

from .markdown import lines
from .parts import Cell, Part, Row, Section, Table, Text

#: GitHub takes no longer ones
LONGEST = 65_000


def comment(title: str, verdict: str, shown: Sequence[Part | None], folded: Sequence[Section]) -> str:
    """A comment in GitHub's Markdown. Whatever comes from an experiment or a framework can neither be HTML nor call anybody.

    Args:
        title: of what it is.
        verdict: a sentence.
        shown: what differs.
        folded: what is there to be looked at; what would make the comment too long is left out, and named.
    """
    text = "\n\n".join([f"**{safe(title)}**: {safe(verdict)}", *("\n".join(quiet(part)) for part in shown if part is not None)])
    left: list[str] = []
    for section in folded:
        body = "\n\n".join("\n".join(quiet(part)) for part in section.shown)
        more = f"\n\n<details><summary>{html.escape(section.title)}</summary>\n\n{body}\n\n</details>"
        if body and len(text) + len(more) < LONGEST:
            text += more
        elif body:
            left.append(section.title)
    return f"{text}\n\nToo long for a comment: {safe(', '.join(left))}." if left else text


def quiet(part: Part) -> list[str]:
    """The lines of a part, all text in it harmless."""
    if isinstance(part, Text):
        return [f"- {safe(line.strip())}" for line in part.lines if line]
    if isinstance(part, Table):
        rows = [Row([Cell(safe(cell.text)) for cell in row.cells]) for row in part.rows]
        return lines(replace(part, heads=[(safe(head), right) for head, right in part.heads], rows=rows, note=safe(part.note)))
    return []


def safe(text: str) -> str:
    """Text that is no HTML and no mention: `@name` is a call for somebody, but not with an invisible joiner behind the @."""
    return html.escape(text, quote=False).replace("@", "@\N{WORD JOINER}")
