"""What a notebook shows of a run: its verdict, its summary, and how far each arm is from the reference. Picture and table stand in the
text itself: no script, no file, nothing to fetch."""

from __future__ import annotations

import re
from html import escape

import numpy
import pandas

from ..tables import Run
from .curves import curves, distance_of
from .drawing import IN_PAGE, drawn, installed, specification
from .formats import Format, fixed, number, words
from .words import verdict

#: columns of the summary, what they are called, and how they are written
COLUMNS: dict[str, tuple[str, Format]] = {
    "arm": ("arm", words), "verdict": ("verdict", words), "first_difference": ("first difference", words),
    "gradient_error": ("gradient error", number(2)), "floor_ratio": ("x floor", number(2)), "final_loss": ("last loss", number(6)),
    "metric": ("metric", number(4)), "step_us": ("step, us", fixed(1)), "peak_mib": ("memory, MiB", fixed(0)),
}  # fmt: skip
#: points that are drawn at most: a notebook is saved with its pictures
POINTS = 600
STYLE = (
    "<style>.harness-run svg{max-width:100%;height:auto}.harness-run table{color:inherit}"
    ".harness-run :is(td,th){text-align:left;padding:.15em 1em .15em 0}</style>"
)


def bundle(run: Run) -> dict[str, str]:
    """The run as text, as Markdown and as HTML, by MIME type. The picture needs the extra `report`; without it there is the table alone."""
    table, sentence = summary(run), verdict(run)
    return {
        "text/plain": f"{run.folder.name}: {sentence}\n\n{table.to_string(index=False)}",
        "text/markdown": "\n".join([f"**{plain(sentence)}**", "", *markdown(table), "", f"`{run.folder.name}`"]),
        "text/html": html(run, table, sentence),
    }


def summary(run: Run) -> pandas.DataFrame:
    """The run's summary as it is written; columns that are empty in every row are left out."""
    rows = run.summary.astype(object).to_dict("records")
    found = {(run.metric_name if name == "metric" else head): [text(row[name]) for row in rows] for name, (head, text) in COLUMNS.items()}
    return pandas.DataFrame({head: texts for head, texts in found.items() if any(texts)})


def markdown(table: pandas.DataFrame) -> list[str]:
    """A table in Markdown."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return ["| " + " | ".join(map(plain, row)) + " |" for row in rows]


def plain(text: str) -> str:
    """Text that Markdown leaves as it is: names come from files."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)


def html(run: Run, table: pandas.DataFrame, sentence: str) -> str:
    """Verdict, table and picture as HTML, in the notebook's own colours."""
    head, name = f"<p><strong>{escape(sentence)}</strong></p>", f"<p><code>{escape(run.folder.name)}</code></p>"
    return f'<div class="harness-run">{STYLE}{head}{table.to_html(index=False, border=0)}{picture(run)}{name}</div>'


def fewer(table: pandas.DataFrame) -> pandas.DataFrame:
    """A table of curves with at most POINTS rows: some steps of all arms, evenly spread, the first and the last among them."""
    steps = numpy.unique(table["step"])
    most = max(2, POINTS // max(1, table["arm"].nunique()))
    kept = steps[numpy.unique(numpy.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))] if len(steps) else steps
    return table[table["step"].isin(kept)]


def picture(run: Run) -> str:
    """How far each arm's loss is from the reference's, as an SVG element of the text's own colour; "" where it cannot be drawn."""
    chart = distance_of(fewer(curves(run))) if installed() else None
    if chart is None:
        return ""
    head, _, body = drawn(specification(chart, page=True)).partition(">")
    ink, quiet, line = IN_PAGE
    body = body.replace(f'"{line}"', '"currentColor" stroke-opacity="0.2"').replace(ink, "currentColor").replace(quiet, "currentColor")
    label = "Largest relative distance of each arm's loss from the reference's up to each step, beside what rounding alone does"
    return f'{head} role="img" aria-label="{label}">{body}'
