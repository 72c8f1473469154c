"""`harness surface`."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..report.parts import Section, Text
from ..report.parts import table as as_table
from . import options
from .answer import Answer, Rows, write
from .console import notice
from .progress import Progress

if TYPE_CHECKING:
    from ..tables.surface import Surface

#: files that are drawn, by the ends of their names
PICTURES = (".svg", ".png", ".html")


def ends(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """`LOW:HIGH` as two numbers."""
    if value is None:
        return None
    try:
        low, high = map(float, value.split(":"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not LOW:HIGH, e.g. -2:3", ctx, param) from None
    return low, high


@click.command("surface", cls=options.Grouped)
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--over", multiple=True, metavar="NUMBER", help='One of the two numbers on the axes, e.g. "dense_1/kernel[0,0]"; give it twice.'
)
@click.option(
    "--directions",
    type=click.Choice(["path", "random", "parameters"]),
    help="Along what: the path's principal directions, filter-normalised random ones, or the net's first two numbers.",
)
@click.option(
    "--through", type=click.Choice(["end", "start"]), default="end", show_default=True,
    help="Which point of the reference's path lies on the plane.",
)  # fmt: skip
@click.option("--grid", type=click.IntRange(3), metavar="N", help="Points along each axis; as many as 20 seconds allow when not given.")
@click.option("--rows", type=click.IntRange(1), metavar="N", help="Training rows at each point; all when not given and time allows.")
@click.option("--every", type=click.IntRange(1), metavar="N", help="Steps between two points of a path; chosen when not given.")
@click.option("--x", metavar="LOW:HIGH", callback=ends, help="Ends of the horizontal axis; around the paths when not given.")
@click.option("--y", metavar="LOW:HIGH", callback=ends, help="Ends of the vertical axis.")
@click.option("--steps", type=click.IntRange(1), help="Short for --set train.steps=.")
@options.arms
@options.backends
@options.changes
@options.results
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it there too: .svg, .png or .html."
)
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser.")
@options.forms
@options.quiet
def command(
    experiment: Path,
    *,
    over: tuple[str, ...],
    directions: str | None,
    through: str,
    grid: int | None,
    rows: int | None,
    every: int | None,
    x: tuple[float, float] | None,
    y: tuple[float, float] | None,
    steps: int | None,
    arms: tuple[str, ...],
    files: tuple[str, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    results: Path,
    output: Path | None,
    opened: bool,
    form: str | None,
    table: str | None,
    quiet: bool,
) -> None:
    """Draw the loss as a landscape, and on it the way down that every framework takes.

    EXPERIMENT is a TOML file. Every arm trains on its own; the loss at each point of a plane is the float64 reference's, of all
    training rows, with nothing dropped. A tiny net has two axes, its own numbers. Of a large net one sees a plane through
    thousands of dimensions: a shadow. How much of the paths' movement lies in it is said.

    \b
    Which plane:
      --directions path    where the path moves most, in its two principal
                           directions: the default, which shows paths best
      --directions random  how sharp the surroundings of the end are; paths
                           hardly show (Li et al. 2018)
      --over A --over B    two numbers of the net, all others as at the end:
                           the default for nets of three numbers at most

    \b
    Examples:
      python -m harness surface experiments/line.toml --open
      python -m harness surface experiments/line.toml --arm torch -o line.svg
      python -m harness surface experiments/digits-mlp.toml --directions random
      python -m harness surface experiments/xor.toml \\
          --over "dense_1/kernel[0,0]" --over "dense_1/bias[0]"

    Numbers, picture and page are saved in results/surfaces. An interrupt leaves nothing.

    Exit codes: 0 drawn, 2 nothing was run, 3 an arm or the reference failed or is missing (the rest is drawn), 130 interrupted.
    """
    from ..landscape import surface

    if output is not None and output.suffix not in PICTURES:
        raise UsageError(f"cannot draw {output}", f"its name ends in {', '.join(PICTURES)}")
    if output is not None or opened:
        from ..report.drawing import needed

        needed()
    named = options.split_arms(arms)
    changes = options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads)
    try:
        with Progress(experiment.stem, quiet) as progress:
            found = surface(
                experiment, over=over, directions=directions, through=through, grid=grid, rows=rows, every=every, x=x, y=y, arms=named,
                backends=files, changes=[*changes, *([] if steps is None else [f"train.steps={steps}"])], results=results,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        notice("interrupted: nothing was saved; a smaller --grid, or fewer --rows, take less time")
        sys.exit(130)
    draw(found, output, opened)
    write(answer(found), form, table)
    missing = any(row["status"] == "missing" for row in found.manifest["arms"])
    sys.exit(3 if named and missing else found.exit_code)


def answer(found: Surface) -> Answer:
    """What was found, in words and as a table."""
    from ..report.surface_words import ENDS, beside, heads, landscape

    def sections() -> list[Section]:
        ends = as_table(found.manifest["arms"], ENDS, heads(found))
        return [Section("verdict", "", [Text([*landscape(found), *beside(found)])]), Section("arms", "", [ends])]

    def tables() -> dict[str, Rows]:
        return {"arms": found.manifest["arms"], "paths": found.paths.to_dict("records"), "grid": found.grid.to_dict("records")}

    def document() -> dict[str, Any]:
        grid, paths = found.grid.to_dict("list"), found.paths.to_dict("records")
        return {**found.manifest, "folder": str(found.folder), "grid": grid, "paths": paths}

    return Answer(sections, document, tables)


def draw(found: Surface, output: Path | None, opened: bool) -> None:
    """Picture and page beside the numbers, and where they were asked for."""
    from ..report.drawing import installed
    from ..report.surface import draw_surface

    if found.manifest.get("unsaved"):
        notice(f"not saved: {found.manifest['unsaved']} ({found.folder})")
    else:
        notice(f"saved {found.folder}")
    if not installed():
        return notice("no picture: pip install altair vl-convert-python jinja2, or the extra `report`")
    page = found.folder / "surface.html"
    for path in (found.folder / "surface.svg", page, *([output] if output else [])):
        draw_surface(found, path)
        notice(f"drawn {path}")
    if opened:
        webbrowser.open(page.resolve().as_uri())
    return None
