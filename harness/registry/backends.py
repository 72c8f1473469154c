"""Which backends there are, and what each needs: read from their source without importing it.

An adapter's `REQUIRES` and `MODES` are literals at the top of its module, so the parent can list, check and start arms
without loading a framework, and adding a backend touches no file but its own.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ..errors import UsageError
from .arms import Arm

DECLARED = ("REQUIRES", "MODES")


@dataclass(frozen=True)
class Backend:
    """What is known of a backend from its source.

    Attributes:
        name: the word in arms, and the module `backends.<name>`.
        title: the first line of its docstring.
        requires: import name -> extra of pyproject.toml.
        modes: mode -> {"requires": ..., "variables": ...}.
    """

    name: str
    title: str
    requires: Mapping[str, str]
    modes: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def needs(self, mode: str) -> Dict[str, str]:
        """What has to be installed for a mode: import name -> extra."""
        return {**self.requires, **self.modes.get(mode, {}).get("requires", {})}

    def variables(self, mode: str) -> Dict[str, str]:
        """Environment variables that a mode asks for."""
        return dict(self.modes.get(mode, {}).get("variables", {}))


def home() -> Path:
    """The folder of the adapters, found without importing it.

    Raises:
        UsageError: there is none beside `harness`.
    """
    found = importlib.util.find_spec("backends")
    places = list(found.submodule_search_locations or []) if found else []
    beside = Path(__file__).resolve().parents[2] / "backends"
    for place in [beside, *map(Path, places)]:
        if (place / "numpy" / "__init__.py").is_file():
            return place
    raise UsageError("the package `backends` was not found beside `harness`", "install the project: pip install -e .")


@lru_cache(maxsize=None)
def backends() -> Dict[str, Backend]:
    """All backends by name."""
    sources = sorted(home().glob("*/__init__.py")) + sorted(home().glob("*.py"))
    found: Dict[str, Backend] = {}
    for source in sources:
        name = source.parent.name if source.name == "__init__.py" else source.stem
        declared = declarations(source)
        if "REQUIRES" in declared:
            found[name] = Backend(name, declared["title"], declared["REQUIRES"], declared.get("MODES", {"": {}}))
    return found


def declarations(source: Path) -> Dict[str, Any]:
    """The literals that an adapter declares, and its title; nothing is executed."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found: Dict[str, Any] = {"title": (ast.get_docstring(tree) or "").split("\n")[0]}
    for statement in tree.body:
        names: List[str] = []
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        for name in names:
            if name in DECLARED and getattr(statement, "value", None) is not None:
                found[name] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
    return found


def backend(arm: Arm) -> Backend:
    """The backend of an arm.

    Raises:
        UsageError: there is no such backend or mode; the text says which there are.
    """
    known = backends()
    if arm.backend not in known:
        raise UsageError(f'there is no backend "{arm.backend}"', suggestion(arm.backend, list(known)))
    found = known[arm.backend]
    if arm.mode not in found.modes:
        modes = [f"{arm.backend}:{mode}" if mode else arm.backend for mode in found.modes]
        raise UsageError(f'the backend "{arm.backend}" has no mode "{arm.mode}"', suggestion(arm.name, modes))
    return found


def suggestion(word: str, known: List[str]) -> str:
    """What may have been meant, or all there is."""
    close = difflib.get_close_matches(word, known, 1)
    return f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known)}"


def not_installed(arm: Arm) -> Dict[str, str]:
    """What an arm needs and this interpreter lacks: import name -> extra. An arm with an environment of its own is asked there."""
    if arm.environment:
        return {}
    return {name: extra for name, extra in backend(arm).needs(arm.mode).items() if importlib.util.find_spec(name) is None}


def load(name: str) -> Any:
    """Import an adapter: only a worker does this."""
    return importlib.import_module(f"backends.{name}")
