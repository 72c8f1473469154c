"""`harness list`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options
from .answer import plain, write
from .console import notice

if TYPE_CHECKING:
    from ..registry import Arm, Backend

Rows = list[dict[str, Any]]


def first_line(cls: type) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def experiments(results: Path) -> Rows:
    """Experiment files, with their descriptions."""
    import tomllib

    found = []
    for path in sorted(Path("experiments").glob("*.toml")):
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            tree = {"description": f"cannot be read: {problem}"}
        found.append({"experiment": path.as_posix(), "about": tree.get("description", "")})
    return found


def runs(results: Path) -> Rows:
    """Saved runs, newest first."""
    from ..records.overview import overview

    return [
        {
            "run": found.name, "state": found.state, "outcome": found.outcome, "dtype": found.dtype,
            "arms": ", ".join(row["arm"] for row in found.arms), "note": found.note,
        }
        for found in overview(results) if found.kind == "run"
    ]  # fmt: skip


def references(results: Path) -> Rows:
    """Committed references."""
    return [{"reference": path.parent.name} for path in sorted((results / "reference").glob("*/manifest.json"))]


def arms(results: Path) -> Rows:
    """What can be compared here."""
    from ..registry import Arm, backends

    found = []
    for backend in backends().values():
        for mode in backend.modes:
            arm = Arm(backend.name, mode)
            found.append({"arm": arm.name, "here": where(arm, backend), "about": backend.title})
    return found


def where(arm: Arm, backend: Backend) -> str:
    """Whether an arm can be started here, and in which environment; else what is missing."""
    from ..environments.resolve import environment_of, why_not_in
    from ..registry import lacking

    if backend.problem:
        return "no: refused"
    own = environment_of(arm)
    if why_not_in(own, arm):
        return f"no: env create {own.name}" if own else f"no: {', '.join(lacking(arm))}"
    return f"in {own.name}" if own else "yes"


def environments(results: Path) -> Rows:
    """Environment files, for arms with @."""
    from ..environments import environment_files

    return [{"environment": name, "file": path.name} for name, path in environment_files().items()]


def of_family(name: str) -> Callable[[Path], Rows]:
    """The things of one family that an experiment can name."""

    def found(results: Path) -> Rows:
        from .. import spec

        base = getattr(spec, name)
        return [{"type": kind, "about": first_line(cls)} for kind, cls in spec.family(base).items()]

    return found


LISTS: dict[str, Callable[[Path], Rows]] = {
    "experiments": experiments, "runs": runs, "references": references, "arms": arms, "environments": environments,
    "layers": of_family("Layer"), "activations": of_family("ActivationFunction"), "losses": of_family("Loss"),
    "optimizers": of_family("Optimizer"), "schedules": of_family("Schedule"), "regularizers": of_family("Regularizer"),
    "initializers": of_family("Initializer"), "datasets": of_family("Data"),
}  # fmt: skip


@click.command("list")
@click.argument("what", type=click.Choice(list(LISTS)), required=False)
@options.results
@options.backends
@options.forms
def command(what: str | None, results: Path, files: tuple[str, ...], form: str | None, table: str | None) -> None:
    """List what there is: experiments and arms, or one of the other lists by name.

    \b
    Examples:
      python -m harness list
      python -m harness list layers
      python -m harness list arms --json
    """
    options.add_backends(files)
    chosen = [what] if what else ["experiments", "arms"]
    found = {name: LISTS[name](results) for name in chosen}
    write(plain("harness.list/1", found), form, table)
    for name, rows in found.items():
        if not rows:
            notice(f"no {name}")
    if what is None:
        notice(f"more: harness list {'|'.join(name for name in LISTS if name not in chosen)}")
