"""`harness check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..report.formats import Format, words
from . import console, options
from .console import result

if TYPE_CHECKING:
    from ..execution.plan import Plan


@click.command("check")
@click.argument("experiments", type=click.Path(path_type=Path), nargs=-1)
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON-Schema of experiment files, for editors.")
@options.backends
@options.changes
@options.as_json
def command(
    experiments: tuple[Path, ...],
    as_schema: bool,
    files: tuple[str, ...],
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
      python -m harness check --schema > experiment.schema.json
    """
    if as_schema:
        from ..spec.reader.schema import schema

        console.document(schema())
        return
    if not experiments:
        raise click.UsageError("name an experiment, e.g. experiments/xor.toml, or ask for the --schema")
    from ..errors import HarnessError
    from ..execution.plan import plan

    options.add_backends(files)
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
    """Each node with what it reads, its shape, and how many numbers it learns and keeps."""
    from ..spec import node_rows

    return [{**row, "reads": ", ".join(row["reads"])} for row in node_rows(found.spec)]


def chained(found: Plan) -> bool:
    """Whether each node reads the one before."""
    from ..spec import INPUT

    names = [INPUT, *(node.name for node in found.spec.nodes)]
    return all(node.inputs == (before,) for node, before in zip(found.spec.nodes, names, strict=False))


def count(value: int) -> str:
    """A number of numbers; nothing for none."""
    return f"{value:,}" if value else ""


def as_document(found: Plan) -> dict[str, Any]:
    """A checked experiment as JSON, with every default written out."""
    from ..spec import encode

    return {"experiment": encode(found.experiment), "layers": layers(found), "steps": found.steps, "rows": found.rows}


def show(found: Plan) -> None:
    """A checked experiment on the screen."""
    from ..spec import INPUT
    from ..spec.layers import by

    experiment = found.experiment
    train = experiment.train
    result(f"{experiment.name}: {experiment.description}" if experiment.description else experiment.name)
    rows = layers(found)
    columns: dict[str, Format] = {"layer": words, "type": words}
    if not chained(found):
        columns["reads"] = words
        for before, row in zip([INPUT, *(row["layer"] for row in rows)], rows, strict=False):
            row["reads"] = "" if row["reads"] == before else row["reads"]
    columns |= {"output": words, "parameters": count}
    if found.spec.statistics:
        columns["statistics"] = count
    console.table("", rows, columns)
    total, kept = (sum(row[name] for row in rows) for name in ("parameters", "statistics"))
    result(
        f"{total:,} parameters{f' and {kept:,} moving statistics' if kept else ''}; {found.rows:,} training rows of "
        f"{by(found.spec.input_shape)}, {found.spec.targets} targets"
    )
    result(
        f"{train.loss.type}, {train.optimizer.type}; {found.steps:,} steps of {found.batch_size} rows ({found.per_epoch} an epoch)"
    )
    result(f"arms: {', '.join(arm.name for arm in found.arms)}; {experiment.compare.dtype}; seed {experiment.compare.seed}")
    result(f"{found.source.path}: ok")
    result()
