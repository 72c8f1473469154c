"""`harness check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..report.formats import Format, words
from ..report.parts import Section, Text
from ..report.parts import table as tabled
from . import complete, console, options
from .answer import Answer, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..errors import HarnessError
    from ..execution.plan import Plan


@click.command("check", cls=options.Grouped)
@click.argument("experiments", type=click.Path(path_type=Path), nargs=-1, shell_complete=complete.experiments)
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON-Schema of experiment files, for editors.")
@options.backends
@options.changes
@options.forms_and_comment
def command(
    experiments: tuple[Path, ...],
    as_schema: bool,
    files: tuple[str, ...],
    sets: tuple[str, ...],
    dtype: str | None,
    device: str | None,
    seed: int | None,
    threads: int | None,
    form: str | None,
    table: str | None,
) -> None:
    """Check experiments without running them: all problems at once, each with its line and column; then layers, shapes and parameters.

    \b
    Examples:
      python -m harness check experiments/*.toml
      python -m harness check my.toml --set train.batch_size=8
      python -m harness check --schema > experiment.schema.json
      python -m harness check my.toml --format github

    The last one is for GitHub Actions: each problem becomes an annotation beside its line.
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
    changes = options.changed(sets, dtype=dtype, device=device, seed=seed, threads=threads)
    found: list[Plan] = []
    wrong: list[HarnessError] = []
    for path in experiments:
        try:
            found.append(plan(path, changes))
        except HarnessError as problem:
            wrong.append(problem)
    for each in wrong:
        if form == "github":
            console.result("\n".join(annotated(each)))
        console.notice(str(each))
    if found or form == "json":
        write(answer(found, wrong), form, table)
    sys.exit(2 if wrong else 0)


def answer(found: Sequence[Plan], wrong: Sequence[HarnessError]) -> Answer:
    """All experiments, in every form."""

    def document() -> dict[str, Any]:
        problems = [problem for each in wrong for problem in located(each)]
        return {"schema": "harness.check/1", "experiments": [as_document(each) for each in found], "problems": problems}

    def tables() -> dict[str, Any]:
        return {"layers": [{"experiment": each.experiment.name, **row} for each in found for row in layers(each)]}

    return Answer(lambda: [section(each) for each in found], document, tables, lambda: "")


def located(problem: HarnessError) -> list[dict[str, Any]]:
    """Everything wrong with an experiment, each with its place."""
    from ..spec.reader import SpecError

    if not isinstance(problem, SpecError):
        return [{"message": problem.message, "hint": problem.hint}]
    names = ("path", "line", "column", "code", "message", "hint")
    return [{name: getattr(each, name) for name in names} for each in problem.problems]


def annotated(problem: HarnessError) -> Iterator[str]:
    """The same as GitHub Actions shows it beside the line: its workflow command, whose values have their own escapes."""
    for each in located(problem):
        place = {"file": each.get("path", ""), "line": each.get("line") or "", "col": each.get("column") or ""}
        place["title"] = f"error[{each['code']}]" if "code" in each else "error"
        values = ",".join(f"{name}={escaped(str(text), ':,')}" for name, text in place.items() if text)
        yield f"::error {values}::{escaped(each['message'] + (chr(10) + each['hint'] if each['hint'] else ''))}"


def escaped(text: str, more: str = "") -> str:
    """Text in a workflow command: percent signs and ends of lines, in its properties also colons and commas."""
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in text)


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


def section(found: Plan) -> Section:
    """A checked experiment for people."""
    from ..spec import INPUT
    from ..spec.layers import by

    experiment = found.experiment
    train = experiment.train
    rows = layers(found)
    columns: dict[str, Format] = {"layer": words, "type": words}
    if not chained(found):
        columns["reads"] = words
        for before, row in zip([INPUT, *(row["layer"] for row in rows)], rows, strict=False):
            row["reads"] = "" if row["reads"] == before else row["reads"]
    columns |= {"output": words, "parameters": count}
    if found.spec.statistics:
        columns["statistics"] = count
    total, kept = (sum(row[name] for row in rows) for name in ("parameters", "statistics"))
    lines = [
        f"{total:,} parameters{f' and {kept:,} moving statistics' if kept else ''}; {found.rows:,} training rows of "
        f"{by(found.spec.input_shape)}, {found.spec.targets} targets",
        f"{train.loss.type}, {train.optimizer.type}; {found.steps:,} steps of {found.batch_size} rows ({found.per_epoch} an epoch)",
        f"arms: {', '.join(arm.name for arm in found.arms)}; {experiment.compare.dtype}; seed {experiment.compare.seed}",
        f"{found.source.path}: ok",
    ]
    head = f"{experiment.name}: {experiment.description}" if experiment.description else experiment.name
    return Section(experiment.name, "", [Text([head]), tabled(rows, columns), Text(lines)])
