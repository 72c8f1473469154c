"""`harness new`."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .console import result

TEMPLATES = Path(__file__).parents[1] / "templates"
#: kinds of experiments, and what each shows
KINDS = ("mlp", "cnn", "rnn", "transformer")
SCHEMA = "experiment.schema.json"

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), show_default=True, help="Where it is written.",
)  # fmt: skip
force_option = click.option("--force", is_flag=True, help="Write over a file that is there.")


class New(click.Group):
    """`new NAME` is short for `new experiment NAME`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """An experiment, where no kind of file is named."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["experiment", *args])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options may stand before the name."""
        known = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if known or not args else ["experiment", *args])


@click.group("new", cls=New)
def command() -> None:
    """Write a file of your own to start from: an experiment, or a backend.

    \b
    Examples:
      python -m harness new my_net                  # short: new experiment my_net
      python -m harness new my_net --from transformer
      python -m harness new flowers --data flowers.csv
      python -m harness new backend my_backend
    """


@command.command("experiment", short_help="Write an experiment that runs as it is, every line explained.")
@click.argument("name")
@click.option("--from", "kind", type=click.Choice(KINDS), default="mlp", show_default=True, help="What it starts from.")
@click.option("--data", type=click.Path(path_type=Path), metavar="FILE", help="Your own CSV, Parquet or NPZ file, which is looked at.")
@click.option("--target", metavar="COLUMN", help="What is to be learned of it; the last column when not given.")
@folder_option
@force_option
def experiment_command(name: str, kind: str, data: Path | None, target: str | None, folder: Path, force: bool) -> None:
    """Write NAME.toml: an experiment that runs as it is, every line explained.

    With --data it is about a file of your own: which column is learned from which, as classes or as values, how many outputs the model
    has, and the loss that suits them.

    \b
    Examples:
      python -m harness new experiment my_net --from cnn
      python -m harness new experiment flowers --data flowers.csv --target species
    """
    from ..spec.reader.rules import NAME

    if not NAME.fullmatch(name):
        raise UsageError(f'"{name}" is no name for an experiment', "letters, digits, _ and - only: my_net")
    path = folder / f"{name}.toml"
    text = (TEMPLATES / "experiments" / f"{kind}.toml").read_text(encoding="utf-8") if data is None else about_file(data, folder, target)
    write(path, schema_line(folder) + text.replace('"NAME" ', f'"{name}" '), force)
    result(f"written {path}. Next:")
    result(f"  python -m harness check {path.as_posix()}")
    result(f"  python -m harness run {path.as_posix()}")


def about_file(data: Path, folder: Path, target: str | None) -> str:
    """An experiment about somebody's own file."""
    from ..data.look import look
    from ..spec.reader.problem import printable

    relative = Path(os.path.relpath(data.resolve(), folder.resolve())).as_posix()
    found = look(data, relative, target)
    what = "one output a class, no activation: the loss takes logits" if found.classes else "one output a value"
    loss = ("softmax_cross_entropy", "of logits and classes") if found.classes else ("mse", "mean squared error of values")
    parts = {
        "ABOUT": json.dumps(printable(f"{data.name}: {found.about}"), ensure_ascii=False), "DATA": found.text,
        "OUTPUT": f"{{ type = \"dense\", units = {found.outputs} }},    # {what}", "LOSS": f'loss = "{loss[0]}"    # {loss[1]}',
        "BATCH": str(min(32, max(1, found.rows // 4))),
    }  # fmt: skip
    text = (TEMPLATES / "experiments" / "file.toml").read_text(encoding="utf-8")
    return re.sub(rf"\b({'|'.join(parts)})\b", lambda match: parts[match[0]], text)


def schema_line(folder: Path) -> str:
    """What makes editors complete and check an experiment while one types."""
    if (folder / SCHEMA).is_file():
        return f"#:schema ./{SCHEMA}\n"
    return f"# python -m harness check --schema > {SCHEMA}, then a line `#:schema ./{SCHEMA}` here: editors complete and check\n"


def write(path: Path, text: str, force: bool) -> None:
    """Write a new file.

    Raises:
        UsageError: it is there already.
    """
    from ..records.store import write_text

    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "choose another name, or --force")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


@command.command("backend", short_help="Write a backend for another framework.")
@click.argument("name")
@folder_option
@force_option
def backend_command(name: str, folder: Path, force: bool) -> None:
    """Write NAME.py: a backend for a framework that is not there yet.

    It passes for dense layers, the mean squared error and gradient descent, by numpy where your framework goes; its comments say what to
    put in, and `harness conformance` whether it holds.

    \b
    Example:
      python -m harness new backend my_backend
      python -m harness conformance my_backend --backend ./my_backend.py
      python -m harness run my.toml --backend ./my_backend.py --arm my_backend
    """
    from ..registry.backends import NAME, backends

    if not NAME.fullmatch(name):
        raise UsageError(f'"{name}" is no name for a backend', "small letters, digits and _ only: my_backend")
    if name in backends():
        raise UsageError(f'there is a backend "{name}" already', "choose another name")
    path = folder / f"{name}.py"
    write(path, (TEMPLATES / "backend.py").read_text(encoding="utf-8").replace("BACKEND", name), force)
    shown = path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
    result(f"written {path}; it passes for one layer. Next:")
    result(f"  python -m harness conformance {name} --backend {shown} --case line")
    result(f"  python -m harness run experiments/line.toml --backend {shown} --arm numpy,{name}")
