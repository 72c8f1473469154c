"""`harness run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import complete, options
from .answer import write
from .console import notice
from .progress import Progress

if TYPE_CHECKING:
    from ..tables.sweep import Sweep

DEFAULT = Path("experiments/digits-mlp.toml")


@click.command("run", cls=options.Grouped)
@click.argument("experiment", type=click.Path(path_type=Path), required=False, shell_complete=complete.experiments)
@options.arms
@options.backends
@options.changes
@options.timing
@options.probes
@options.native
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="KEY=V1,V2,...",
    help="Time the training step for every value, e.g. train.batch_size=1,8,64 or model.width=8,64,512; repeatable: a grid.",
)
@options.results
@options.forms_and_comment
@options.quiet
def command(
    experiment: Path | None,
    *,
    arms: tuple[str, ...],
    files: tuple[str, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    timing: str,
    probes: bool,
    native: bool,
    sweeps: tuple[str, ...],
    results: Path,
    form: str | None,
    table: str | None,
    quiet: bool,
) -> None:
    """Run an experiment through all its frameworks, save what was found and show it.

    EXPERIMENT is a TOML file; experiments/digits-mlp.toml when not given. Every framework runs in a process of its own, from the
    same weights, with the same batches and dropout masks, and is held against a NumPy reference in float64.

    \b
    Examples:
      python -m harness run experiments/xor.toml
      python -m harness run experiments/xor.toml --dtype float64 --arm numpy,torch
      python -m harness run --set train.epochs=2 --arm torch --arm torch:compile
      python -m harness run experiments/xor.toml --arm "jax[jax==0.10.0]"
      python -m harness run experiments/xor.toml --sweep model.width=8,64
      python -m harness run my.toml --backend ./my_backend.py --arm my_backend

    With --native every framework is also trained with its own defaults, and one table says what each of them moves: what a port would
    have cost that left them out. It decides nothing.

    Exit codes: 0 all agree, 1 something differs, 2 nothing was run, 3 an arm failed or is missing, 130 interrupted.
    """
    from ..execution.run import run
    from .show import answer

    named = options.split_arms(arms)
    changes = options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads)
    if sweeps:
        swept(experiment or DEFAULT, sweeps, named, files, changes, results, timing, form, table, quiet)
    with Progress((experiment or DEFAULT).stem, quiet) as progress:
        found = run(
            experiment or DEFAULT,
            arms=named,
            backends=files,
            changes=changes,
            results=results,
            timing=timing,
            probes=probes,
            native=native,
            progress=progress,
        )
    write(answer(found), form, table)
    missing = [record for record in found.arms if record.status == "missing"]
    if missing:
        notice(f"not run: {'; '.join(f'{record.arm}: {record.reason}' for record in missing)}")
    if found.manifest.get("unsaved"):
        notice(f"not saved: {found.manifest['unsaved']} ({found.folder})")
    else:
        notice(f"saved {found.folder}")
    sys.exit(3 if named and missing and found.exit_code in (0, 1) else found.exit_code)


def swept(
    experiment: Path, sweeps: tuple[str, ...], arms: list[str], files: tuple[str, ...], changes: list[str], results: Path, timing: str,
    form: str | None, table: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Run a grid, show it and end."""
    from ..execution.sweep import sweep
    from .show_sweep import answer

    with Progress(experiment.stem, quiet) as progress:
        found = sweep(
            experiment, sweeps, arms=arms, backends=files, changes=changes, results=results, timing=timing, progress=progress
        )
    write(answer(found), form, table)
    notice(f"not saved: {found.manifest['unsaved']}" if found.manifest.get("unsaved") else f"saved {found.folder}")
    draw(found)
    sys.exit(found.exit_code)


def draw(found: Sweep) -> None:
    """A sweep's picture, where there is what draws it."""
    from ..report.drawing import installed, save
    from ..report.growth import of_sweep

    chart = of_sweep(found) if installed() else None
    if chart is not None and found.folder.exists():
        save(chart, found.folder / "costs.svg")
        notice(f"drawn {found.folder / 'costs.svg'}")
    elif not installed():
        notice("no picture: pip install -e '.[report]'")
