"""From parts to one self-contained HTML file. The page asks no network, is complete without scripts, and escapes whatever comes from a
file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from .drawing import looks, needed, vega
from .parts import Section

FOLDER = Path(__file__).parent / "page"
#: of the drawing of a model: pixels of a row, from wire to wire, and left of the nodes
ROW, LANE, LEFT = 30, 14, 12


def page(title: str, lead: Sequence[str], sections: Sequence[Section], arms: Sequence[str] = (), mood: str = "") -> str:
    """A page as HTML.

    Args:
        title: above everything.
        lead: its first sentences: the verdict.
        sections: those without parts are left out.
        arms: which a reader may hide.
        mood: how the verdict looks: good, bad, calm.

    Raises:
        UsageError: what draws is not installed.
    """
    needed()
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["curve"] = curve
    shown = [section for section in sections if section.shown]
    kinds = {part.kind for section in shown for part in section.shown}
    files = ("page", *(["index"] if "listing" in kinds else []))
    return environment.get_template("page.html").render(
        title=title, lead=lead, sections=shown, arms=looks(arms), mood=mood, version=__version__, style=Markup(text(files, "css")),
        script=Markup(text(files, "js")), vega=Markup(vega()) if "figure" in kinds else "", safe=Markup, row=ROW, left=LEFT,
    )  # fmt: skip


def text(names: Sequence[str], kind: str) -> str:
    """Files of the page's own, one behind the other."""
    return "\n".join((FOLDER / f"{name}.{kind}").read_text(encoding="utf-8") for name in names)


def curve(wire: tuple[int, int]) -> str:
    """The path of a wire between two nodes: straight to the next one, else an arc, further out the further it goes."""
    start, end = (place * ROW + ROW / 2 for place in wire)
    out = LEFT + (0 if wire[1] - wire[0] == 1 else LANE + 3 * min(wire[1] - wire[0], 12))
    return f"M{LEFT},{start} C{out},{start + ROW / 2} {out},{end - ROW / 2} {LEFT},{end}"


def write(path: Path, content: Any) -> None:
    """Write a page beside its place, then rename it."""
    from ..records.store import write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, content)
