"""`harness report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..records.store import REPORT_FILE
from . import options
from .console import notice, result

if TYPE_CHECKING:
    from ..report.parts import Figure


@click.command("report")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The page's file; of one run alone.")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Write every figure as a file of its own, too."
)
@click.option("--as", "kind", type=click.Choice(["svg", "png"]), default="svg", show_default=True, help="What figures are written as.")
@click.option("--all", "everything", is_flag=True, help="Write an index of all runs, sweeps and references instead.")
@options.results
def command(
    runs: tuple[str, ...], opened: bool, output: Path | None, figures: Path | None, kind: str, everything: bool, results: Path
) -> None:
    """Write a run as one page: verdict, curves, distance from the reference, gradients, times, memory, model, environment.

    The page is one HTML file that opens from disk and asks no network; it is complete where no scripts run. A RUN is its id, its unique
    start or end, `latest`, `latest~1`, or a folder; of a sweep or a committed reference its name or folder. The latest run when none is
    named.

    \b
    Examples:
      python -m harness report --open
      python -m harness report latest~1 latest
      python -m harness report --figures pictures --as png
      python -m harness report --all --open
    """
    if everything:
        if runs or figures is not None:
            raise UsageError("--all is about all runs, and has no figures", "leave out RUN and --figures")
        finished(index(output or results / "index.html", results), opened)
        return
    if output is not None and len(runs) > 1:
        raise UsageError("--output is the file of one page", "name one run, or leave it out: each page is written beside its run")
    from ..report.drawing import needed, save
    from ..report.page import write

    needed()
    for name in runs or ("latest",):
        folder, content, drawn = made(name, results)
        path = output or folder / REPORT_FILE
        write(path, content)
        finished(path, opened)
        for figure in drawn if figures is not None else ():
            picture = Path(figures or "") / f"{folder.name}-{figure.key}.{kind}"
            picture.parent.mkdir(parents=True, exist_ok=True)
            save(figure.chart, picture)
            notice(f"drawn {picture}")


def finished(path: Path, opened: bool) -> None:
    """Say where a page is, and open it if that was asked for."""
    result(str(path))
    if opened:
        webbrowser.open(path.resolve().as_uri())


def index(path: Path, results: Path) -> Path:
    """Write the index, and where it is. Runs of earlier versions are summarised on the way, once; no report is made."""
    from ..records.overview import overview
    from ..report.drawing import needed
    from ..report.index import index_page
    from ..report.page import write
    from ..reproduction.overview import entries
    from ..tables.summaries import lacking, summarise

    needed()
    found = overview(results)
    old = lacking(found)
    for place, each in enumerate(old, 1):
        notice(f"summarising {each.name}, {place} of {len(old)}: an earlier version saved it")
        summarise(each)
    write(path, index_page(overview(results) if old else found, entries(results), path.parent))
    return path


def committed(folder: Path) -> tuple[Path, str, list[Figure]]:
    """The same of a committed reference."""
    from ..reproduction.reference import read
    from ..reproduction.report import reference_figures, reference_page

    reference = read(folder)
    drawn = reference_figures(reference)
    return folder, reference_page(reference, drawn), drawn


def made(name: str, results: Path) -> tuple[Path, str, list[Figure]]:
    """The folder of a run, a sweep or a committed reference, its page, its figures."""
    from ..report.run import figures, run_page
    from ..report.sweep import sweep_figures, sweep_page
    from ..tables import load
    from ..tables.sweep import load_sweep

    folder = next((path for path in (Path(name), results / "sweeps" / name) if (path / "cells.csv").exists()), None)
    if folder is not None:
        sweep = load_sweep(folder)
        return folder, sweep_page(sweep), sweep_figures(sweep)
    folder = next((path for path in (Path(name), results / "reference" / name) if (path / "losses.csv").exists()), None)
    if folder is not None:
        return committed(folder)
    run = load(name, results)
    drawn = figures(run)
    return run.folder, run_page(run, drawn), drawn
