"""`harness new`."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from .console import result


@click.group("new")
def command() -> None:
    """Write a file of your own to start from."""


@command.command("backend")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default=True,
    help="Where NAME.py is written.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def backend_command(name: str, folder: Path, force: bool) -> None:
    """Write NAME.py: a backend for a framework that is not there yet.

    It passes for dense layers, the mean squared error and gradient descent, by numpy where your framework goes; its comments say what to
    put in, and `harness conformance` whether it holds.

    \b
    Example:
      python -m harness new backend my_backend
      python -m harness conformance my_backend --backend ./my_backend.py --case line
      python -m harness run experiments/line.toml --backend ./my_backend.py --arm numpy,my_backend
    """
    from ..records.store import write_text
    from ..registry.backends import NAME, backends

    if not NAME.fullmatch(name):
        raise UsageError(f'"{name}" is no name for a backend', "small letters, digits and _ only: my_backend")
    if name in backends():
        raise UsageError(f'there is a backend "{name}" already', "choose another name")
    path = folder / f"{name}.py"
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "choose another name, or --force")
    template = Path(__file__).parents[1] / "templates" / "backend.py"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, template.read_text(encoding="utf-8").replace("BACKEND", name))
    shown = path.as_posix() if path.is_absolute() else f"./{path.as_posix()}"
    result(f"written {path}; it passes for one layer. Next:")
    result(f"  python -m harness conformance {name} --backend {shown} --case line")
    result(f"  python -m harness run experiments/line.toml --backend {shown} --arm numpy,{name}")
