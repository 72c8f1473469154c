"""`results/README.md`, the gallery of the committed references, and the picture of each. Made from the committed files and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from ..records.store import write_text
from ..report.drawing import drawn, installed, specification
from ..report.floors import floors
from .overview import folders
from .page import page
from .reference import Reference, read

PICTURE = "distance.svg"
#: names side by side below a picture
COLUMNS = 5
#: colours of a picture that stands alone: it lies on a ground of its own, light or dark as the reader's system is
LIGHT = {"paper": "#ffffff", "ink": "#1b1f24", "quiet": "#57606a", "line": "#d8dee4"}
DARK = {"paper": "#0d1117", "ink": "#e6edf3", "quiet": "#9aa4af", "line": "#30363d"}


def write(results: Path) -> list[str]:
    """Write what is out of date, where there is what draws pictures; the names of what was written."""
    written = []
    for path, text in made(results):
        write_text(path, text)
        written.append(path.relative_to(results).as_posix())
    return written


def stale(results: Path) -> list[str]:
    """Names of what is not as the committed tables make it. Pictures are compared by what they are drawn from, since letters are as wide as
    the fonts of the machine that draws them; not at all where there is nothing that draws."""
    return [path.relative_to(results).as_posix() for path, _ in made(results, draw=False)]


def made(results: Path, draw: bool = True) -> Iterator[tuple[Path, str]]:
    """Path and text of what is out of date; pictures stay undrawn unless they are asked for."""
    references = [read(folder) for folder in folders(results)]
    text, path = page(references), results / "README.md"
    if content(path) != text:
        yield path, text
    for reference in references if installed() else ():
        path, mark = reference.folder / PICTURE, fingerprint(reference)
        if mark not in content(path):
            yield path, picture(reference) if draw else ""


def content(path: Path) -> str:
    """What a file holds; nothing where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def fingerprint(reference: Reference) -> str:
    """What a picture is drawn from, as a short text."""
    words = json.dumps([LIGHT, DARK, {**specified(reference), "$schema": ""}], sort_keys=True)
    return f"<!-- drawn from {hashlib.sha256(words.encode()).hexdigest()[:16]} -->"


def specified(reference: Reference) -> dict[str, object]:
    """A reference's picture for Vega-Lite."""
    errors = reference.tables["errors"]
    arms = [arm for arm in reference.manifest["arms"] if arm in errors.columns]
    found = specification(floors(errors, arms), page=True)
    found["config"]["legend"]["columns"] = COLUMNS
    return {**found, "background": "var(--paper)"}


def picture(reference: Reference) -> str:
    """A reference's picture as SVG."""
    light, dark = ("".join(f"--{name}:{value};" for name, value in colours.items()) for colours in (LIGHT, DARK))
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    head, _, body = drawn(specified(reference)).partition(">")
    return f"{head}>{style}{body}\n{fingerprint(reference)}\n"
