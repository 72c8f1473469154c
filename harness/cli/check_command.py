"""`harness check`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import console, options
from .console import result, words

if TYPE_CHECKING:
    from ..execution.plan import Plan


@click.command("check")
@click.argument("experiments", type=click.Path(path_type=Path), nargs=-1, required=True)
@options.changes
@options.as_json
def command(
    experiments: tuple[Path, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Check experiments without running them: all problems at once, each with its line and column; then layers, shapes and parameters.

    \b
    Example:
      python -m harness check experiments/*.toml
    """
    from ..errors import HarnessError
    from ..execution.plan import plan

    failed = False
    documents = []
    for path in experiments:
        try:
            found = plan(path, options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads))
        except HarnessError as problem:
            failed = True
            click.echo(str(problem), err=True)
            continue
        if as_json:
            documents.append(as_document(found))
        else:
            show(found)
    if as_json and not failed:
        console.document({"schema": "harness.check/1", "experiments": documents})
    sys.exit(2 if failed else 0)


def layers(found: Plan) -> list[dict[str, Any]]:
    """Each node with its shape and number of parameters."""
    return [
        {
            "layer": node.name,
            "type": node.layer.type,
            "output": "x".join(map(str, node.output_shape)),
            "parameters": sum(math.prod(parameter.shape) for parameter in node.parameters),
        }
        for node in found.spec.nodes
    ]


def as_document(found: Plan) -> dict[str, Any]:
    """A checked experiment as JSON, with every default written out."""
    from ..spec import encode

    return {"experiment": encode(found.experiment), "layers": layers(found), "steps": found.steps, "rows": found.rows}


def show(found: Plan) -> None:
    """A checked experiment on the screen."""
    experiment = found.experiment
    train = experiment.train
    result(f"{experiment.name}: {experiment.description}" if experiment.description else experiment.name)
    columns: dict[str, console.Format] = {
        "layer": words,
        "type": words,
        "output": words,
        "parameters": lambda value: f"{value:,}" if value else "",
    }
    console.table("", layers(found), columns)
    total = sum(row["parameters"] for row in layers(found))
    result(
        f"{total:,} parameters; {found.rows:,} training rows of {'x'.join(map(str, found.spec.input_shape))}, {found.spec.targets} targets"
    )
    result(
        f"{train.loss.type}, {train.optimizer.type}; {found.steps:,} steps of {found.batch_size} rows ({found.per_epoch} an epoch)"
    )
    result(f"arms: {', '.join(arm.name for arm in found.arms)}; {experiment.compare.dtype}; seed {experiment.compare.seed}")
    result(f"{found.source.path}: ok")
    result()
