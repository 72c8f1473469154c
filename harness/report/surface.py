"""A loss surface as a page and as a picture."""

from __future__ import annotations

from pathlib import Path

from ..tables.surface import Surface
from .contours import contours
from .drawing import save
from .formats import fixed, number, words
from .page import page, write
from .parts import Code, Figure, Section, Text, table
from .surface_words import ENDS, beside, heads, landscape

#: what the figure is called, by the kind of its plane; over two numbers, by their names
TITLES = {"path": "Where the path moves most", "random": "Along two random directions"}
#: how the picture is to be read
CAPTION = (
    "Each line joins places of equal loss; the stronger the tint, the higher. Every arm's path is drawn on the reference's, the wide grey "
    "one: where arms agree their paths lie on each other, each narrower than the one below. A ring is the start, a diamond an arm's end. A "
    "point of a path says its own loss, which is the plane's only as far as the point lies in it."
)


def draw_surface(found: Surface, path: Path) -> None:
    """Draw a surface, as the name's end says: a page (html) or a picture (svg, png).

    Raises:
        UsageError: what draws is not installed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".html":
        write(path, surface_page(found))
    else:
        save(contours(found, title=True), path)


def surface_page(found: Surface) -> str:
    """A surface as one HTML file.

    Raises:
        UsageError: what draws is not installed.
    """
    facts = found.manifest
    said, notes = list(landscape(found)), list(beside(found))
    lead = [said[0], *([facts["description"]] if facts["description"] else []), about(found)]
    x, y = facts["plane"]["labels"]
    ends = table(facts["arms"], ENDS, heads(found), caption="Where the paths end", note=(
        "Losses are the reference's, at the path's own points. In the plane: the share of the path's squared distances from the plane's "
        "point. Apart: the largest distance from the reference's path, in parts of the reference's way."
    ))  # fmt: skip
    points = table(
        [row for row in found.paths.to_dict("records") if row["shown"]],
        {"arm": words, "step": fixed(0), "x": number(5), "y": number(5), "loss": number(6), "off": number(2)},
        {"x": x, "y": y, "off": "off the plane"}, caption="All points of the paths", folded=True,
    )  # fmt: skip
    description = f"Contours of the loss over {x} and {y}, and the paths of descent of {', '.join(drawn(found)) or 'the reference'}"
    text = found.folder / "experiment.toml"
    title = TITLES.get(facts["plane"]["kind"], f"{x} and {y}")
    figure = Figure("surface-figure", title, CAPTION, description, contours(found))
    sections = [
        Section("surface", "The loss and the way down", [figure, Text([*said[1:], *notes])]),
        Section("ends", "The paths", [ends, points]),
        Section("experiment", "Experiment", [Code(facts["command"], "The command that repeats it:"),
                                             Code(text.read_text(encoding="utf-8"), numbered=True) if text.exists() else None]),
    ]  # fmt: skip
    return page(f"{facts['experiment']}: loss surface", lead, sections, drawn(found), "bad" if found.exit_code == 3 else "good")


def drawn(found: Surface) -> list[str]:
    """The arms that have a path."""
    return [arm for arm in dict.fromkeys(found.paths["arm"]) if not arm.startswith("reference")]


def about(found: Surface) -> str:
    """What was computed."""
    facts = found.manifest
    return (
        f"{facts['parameters']:,} parameters, {facts['steps']:,} steps, arms in {facts['dtype']}, surface of {facts['side']} x "
        f"{facts['side']} points in float64, seed {facts['seed']}; {facts['started'][:10]}"
    )
