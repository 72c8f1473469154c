"""`harness run`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import options
from .console import Progress, notice

DEFAULT = Path("experiments/digits-mlp.toml")


@click.command("run")
@click.argument("experiment", type=click.Path(path_type=Path), required=False)
@options.arms
@options.backends
@options.changes
@options.timing
@options.probes
@options.native
@options.results
@options.as_json
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
    results: Path,
    as_json: bool,
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
      python -m harness run experiments/xor.toml --arm numpy,caffe2 --arm "jax[jax==0.10.0 jaxlib==0.10.0]"
      python -m harness run experiments/xor.toml --backend ./my_backend.py --arm numpy,my_backend

    With --native every framework is also trained with its own defaults, and one table says what each of them moves: what a port would
    have cost that left them out. It decides nothing.

    \b
    Exit codes: 0 all agree, 1 something differs, 2 nothing was run, 3 an arm failed or is missing, 130 interrupted.
    """
    from ..execution.run import run
    from .show import show_run

    named = options.split_arms(arms)
    with Progress(quiet) as progress:
        found = run(
            experiment or DEFAULT,
            arms=named,
            backends=files,
            changes=options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads),
            results=results,
            timing=timing,
            probes=probes,
            native=native,
            progress=progress,
        )
    show_run(found, as_json)
    missing = [record for record in found.arms if record.status == "missing"]
    if missing:
        notice(f"not run: {'; '.join(f'{record.arm}: {record.reason}' for record in missing)}")
    if found.manifest.get("unsaved"):
        notice(f"not saved: {found.manifest['unsaved']} ({found.folder})")
    else:
        notice(f"saved {found.folder}")
    sys.exit(3 if named and missing and found.exit_code in (0, 1) else found.exit_code)
