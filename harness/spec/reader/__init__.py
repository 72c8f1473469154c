"""Reading an experiment: a TOML file, checked as a whole, every problem with its line and column. For the parent only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .changes import apply
from .problem import Problem, SpecError
from .source import Origin, Source
from .stated import described, states
from .syntax import parse, read_text

__all__ = ["Problem", "Source", "SpecError", "described", "from_mapping", "read", "states"]


def read(path: Path | str, changes: Sequence[str] = ()) -> Source:
    """The experiment in a file.

    Args:
        path: a TOML file in UTF-8.
        changes: `KEY=VALUE` each, e.g. `train.epochs=1`, `model.layers.0.units=8`; the value is TOML, or else plain text.

    Raises:
        SpecError: with every problem in it.
    """
    path = Path(path)
    text = read_text(path)
    tree = parse(str(path), text)
    origin = Origin.of_file(str(path), text, apply(tree, changes))
    return checked(path, tree, origin)


def from_mapping(tree: Mapping[str, Any], name: str = "<experiment>") -> Source:
    """The experiment in a mapping of the same form; its parts may be spec objects already.

    Raises:
        SpecError: with every problem in it, each at the path to it.
    """
    return checked(Path(name), tree, Origin(name))


def checked(path: Path, tree: Mapping[str, Any], origin: Origin) -> Source:
    """A tree's experiment, or all that is wrong with it as one error."""
    from .check import check  # pydantic's core is loaded only when there is something to check

    experiment, findings = check(tree)
    if experiment is None:
        raise origin.error(findings)
    return Source(path, origin.text or "", experiment, origin.changes, origin, tree)
