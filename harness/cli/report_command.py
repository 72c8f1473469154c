"""`harness report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
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
@options.results
def command(runs: tuple[str, ...], opened: bool, output: Path | None, figures: Path | None, kind: str, results: Path) -> None:
    """Write a run as one page: verdict, curves, distance from the reference, gradients, times, memory, model, environment.

    The page is one HTML file that opens from disk and asks no network; it is complete where no scripts run. A RUN is its id, its unique
    start or end, `latest`, `latest~1`, or a folder; of a sweep its folder. The latest when none is named.

    \b
    Examples:
      python -m harness report --open
      python -m harness report latest~1 latest
      python -m harness report --figures pictures --as png
    """
    if output is not None and len(runs) > 1:
        raise UsageError("--output is the file of one page", "name one run, or leave it out: each page is written beside its run")
    from ..report.drawing import needed, save
    from ..report.page import write

    needed()
    for name in runs or ("latest",):
        folder, content, drawn = made(name, results)
        path = output or folder / "report.html"
        write(path, content)
        result(str(path))
        for figure in drawn if figures is not None else ():
            picture = Path(figures or "") / f"{folder.name}-{figure.key}.{kind}"
            picture.parent.mkdir(parents=True, exist_ok=True)
            save(figure.chart, picture)
            notice(f"drawn {picture}")
        if opened:
            webbrowser.open(path.resolve().as_uri())


def made(name: str, results: Path) -> tuple[Path, str, list[Figure]]:
    """The folder of a run or a sweep, its page, its figures."""
    from ..report.run import figures, run_page
    from ..report.sweep import sweep_figures, sweep_page
    from ..tables import load
    from ..tables.sweep import load_sweep

    folder = next((path for path in (Path(name), results / "sweeps" / name) if (path / "cells.csv").exists()), None)
    if folder is not None:
        sweep = load_sweep(folder)
        return folder, sweep_page(sweep), sweep_figures(sweep)
    run = load(name, results)
    return run.folder, run_page(run), figures(run)
