"""What a shell offers behind a TAB. It has to be there at once: no framework is imported, no table, no numpy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def matching(words: list[str], begun: str) -> list[CompletionItem]:
    """Those that begin so."""
    return [CompletionItem(word) for word in words if word.startswith(begun)]


def experiments(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Experiment files: those that begin so, or that are called so in experiments/; else whatever file there is."""
    paths = [*Path().glob(f"{begun}*.toml"), *Path("experiments").glob(f"{begun}*.toml")] if not begun.startswith(("/", "~", "..")) else []
    return [CompletionItem(path.as_posix()) for path in sorted(set(paths))] or [CompletionItem(begun, type="file")]


def runs(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Saved runs, the newest first."""
    folder = Path(context.params.get("results") or "results") / "runs"
    names = sorted((path.name for path in folder.glob("*")), key=lambda name: name.rsplit("-", 2)[-2:], reverse=True)
    return matching(["latest", "latest~1", *names], begun)


def experiments_or_runs(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What can be reduced or exported."""
    return [*(runs(context, parameter, begun) if begun else []), *experiments(context, parameter, begun)]


def references(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Committed tables."""
    folder = Path(context.params.get("results") or "results") / "reference"
    return matching(sorted(path.parent.name for path in folder.glob("*/manifest.json")), begun)


def arms(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Arms; behind a comma the next one."""
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{item.value}") for item in matching(all_arms(), last)]


def all_arms() -> list[str]:
    """Every backend in every mode."""
    from ..registry import Arm, backends

    return [Arm(backend.name, mode).name for backend in backends().values() for mode in backend.modes]


def environments(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Environment files, by name."""
    from ..environments.files import environment_files

    return matching(sorted(environment_files()), begun)


def keys(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Keys of an experiment that --set changes."""
    from .. import spec

    sections = {"train": spec.Train, "compare": spec.Compare, "data": spec.Data}
    names = [f"{section}.{item.name}=" for section, cls in sections.items() for item in dataclasses.fields(cls)]
    return matching(["model.width=", "train.optimizer.learning_rate=", *names], begun)


def words(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What can be explained, but for the words of tables, which take longer to come by."""
    from .. import spec
    from ..spec.reader.codes import CODES
    from .explain_command import FAMILIES

    types = [name for family in FAMILIES for name in spec.family(getattr(spec, family))]
    return matching(list(dict.fromkeys([*types, *CODES, *all_arms(), "latest"])), begun)
