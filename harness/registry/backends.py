"""Which backends there are, and what each needs: read from their source without importing it.

An adapter's `REQUIRES` and `MODES` are literals at the top of its module, so the parent can list, check and start arms
without loading a framework, and adding a backend touches no file but its own. Three kinds: those in `backends/`, plug-ins that
installed distributions name under the entry-point group `harness.backends`, and files named on the command line.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from ..errors import UsageError
from .arms import Arm

GROUP = "harness.backends"
DECLARED = ("NAME", "REQUIRES", "MODES")
NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Backend:
    """What is known of a backend from its source.

    Attributes:
        name: the word in arms.
        title: the first line of its docstring.
        requires: import name -> extra of pyproject.toml, "" where there is none.
        modes: mode -> {"requires": ..., "variables": ...}.
        module: what a worker imports.
        place: of a plug-in, the file or folder of its top-level package; a worker in another environment loads it from there.
        origin: where a plug-in comes from, in words; "" for those in `backends/`.
        problem: why it is refused; "" where nothing is wrong so far.
    """

    name: str
    title: str
    requires: Mapping[str, str]
    modes: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=lambda: {"": {}})
    module: str = ""
    place: str = ""
    origin: str = ""
    problem: str = ""

    def needs(self, mode: str) -> Dict[str, str]:
        """What has to be installed for a mode: import name -> extra."""
        return {**self.requires, **self.modes.get(mode, {}).get("requires", {})}

    def variables(self, mode: str) -> Dict[str, str]:
        """Environment variables that a mode asks for."""
        return dict(self.modes.get(mode, {}).get("variables", {}))


def home() -> Path:
    """The folder of the shipped adapters, found without importing it.

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


#: backends of files that were named on the command line
_files: Dict[str, Backend] = {}


def backends() -> Dict[str, Backend]:
    """All backends by name: shipped ones, plug-ins, files."""
    return {**{name: shipped(name) for name in sources()}, **plugins()[0], **_files}


def refused() -> List[str]:
    """Plug-ins that are left out because their name is taken or no name, one line each."""
    return plugins()[1]


@lru_cache(maxsize=None)
def sources() -> Dict[str, Path]:
    """The files of the backends in `backends/`, by name."""
    found = sorted([*home().glob("*/__init__.py"), *home().glob("[!_]*.py")])
    return {path.parent.name if path.name == "__init__.py" else path.stem: path for path in found}


@lru_cache(maxsize=None)
def shipped(name: str) -> Backend:
    """One of the backends in `backends/`. Each is read when it is asked for, and as far as its declarations reach."""
    return read(name, sources()[name], f"backends.{name}")


@lru_cache(maxsize=None)
def plugins() -> Tuple[Dict[str, Backend], List[str]]:
    """The plug-ins of installed distributions by name, and those that are left out."""
    found: Dict[str, Backend] = {}
    left_out = []
    for origin, point in sorted(entry_points(), key=lambda pair: (pair[1].name, pair[0])):
        if not NAME.fullmatch(point.name):
            left_out.append(f'{origin} names its backend "{point.name}": small letters, digits and _ only')
        elif point.name in sources() or point.name in found:
            owner = found[point.name].origin if point.name in found else "harness itself"
            left_out.append(f'{origin} calls its backend "{point.name}", and so does {owner}')
        else:
            found[point.name] = plugin(point.name, point.value, origin)
    return found, left_out


def entry_points() -> List[Tuple[str, Any]]:
    """(distribution in words, entry point) of all plug-ins."""
    if not any(GROUP in text for text in entry_point_files()):
        return []
    from importlib import metadata  # takes 20 ms, and most have no plug-in

    found = []
    for distribution in metadata.distributions():
        for point in distribution.entry_points:
            if point.group == GROUP:
                found.append((f"{distribution.metadata['Name']} {distribution.version}", point))
    return list({(point.name, origin): (origin, point) for origin, point in found}.values())


def entry_point_files() -> Iterator[str]:
    """The text of all files in which installed distributions name entry points."""
    for folder in dict.fromkeys(sys.path):
        for file in Path(folder or ".").glob("*-info/entry_points.txt"):
            yield file.read_text(encoding="utf-8", errors="replace")


def plugin(name: str, module: str, origin: str) -> Backend:
    """A plug-in, found without importing it."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if not module.replace(".", "_").isidentifier() or spec is None or spec.origin is None:
        return broken(name, origin, f'its module "{module}" is not there')
    place = Path(spec.origin)
    place = place.parent if spec.submodule_search_locations else place
    source = place.joinpath(*rest) / "__init__.py" if place.is_dir() else place
    source = source if source.is_file() else place.joinpath(*rest).with_suffix(".py")
    if not source.is_file():
        return broken(name, origin, f'its module "{module}" is not there')
    return read(name, source, module, str(place), origin)


def add_file(path: Path) -> Backend:
    """Make the adapter in a file, or in a folder with an `__init__.py`, known under the file's name.

    Raises:
        UsageError: there is no such file, its name is no name for a backend, or it is taken.
    """
    place = path.expanduser().resolve()
    source = place / "__init__.py" if place.is_dir() else place
    if not source.is_file() or source.suffix != ".py":
        raise UsageError(f"there is no adapter at {path}", "harness new backend NAME writes one to start from")
    name = place.stem
    if not NAME.fullmatch(name):
        raise UsageError(f'{path}: "{name}" is no name for a backend', "small letters, digits and _ only: my_backend.py")
    if name in sources() or name in plugins()[0] or (name in _files and _files[name].place != str(place)):
        raise UsageError(f'{path}: there is a backend "{name}" already', "give the file another name")
    _files[name] = read(name, source, f"harness_plugin_{name}", str(place), str(path))
    return _files[name]


def read(name: str, source: Path, module: str, place: str = "", origin: str = "") -> Backend:
    """A backend from its source; what is wrong with it becomes its problem."""
    try:
        declared = declarations(source, whole=bool(origin))
    except (OSError, SyntaxError, ValueError) as problem:
        where = f", line {problem.lineno}" if isinstance(problem, SyntaxError) else ""
        text = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        return broken(name, origin, f"{source.name}{where}: {text}")
    if declared.get("NAME", name) != name:
        return broken(name, origin, f'it calls itself "{declared["NAME"]}", not "{name}"')
    lacking = [word for word in ("REQUIRES", "MODES") if word not in declared]
    if lacking:
        return broken(name, origin, f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing in {source.name}")
    return Backend(name, declared["title"], declared["REQUIRES"], declared["MODES"], module, place, origin)


def broken(name: str, origin: str, problem: str) -> Backend:
    """A backend that is refused."""
    return Backend(name, f"refused: {problem}", {}, origin=origin, problem=problem)


def declarations(source: Path, whole: bool) -> Dict[str, Any]:
    """The literals that an adapter declares, and its title; nothing is executed.

    Args:
        source: its module.
        whole: whether the rest is parsed too, so that an error in it is found; else only what stands before the first definition.

    Raises:
        OSError, SyntaxError: it cannot be read.
        ValueError: what it declares is no literal, or of another shape.
    """
    text = source.read_text(encoding="utf-8")
    tree = ast.parse(text if whole else re.split(r"^(?:def|class|@)", text, maxsplit=1, flags=re.MULTILINE)[0])
    found: Dict[str, Any] = {"title": (ast.get_docstring(tree) or "").split("\n")[0]}
    for statement in tree.body:
        names: List[str] = []
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        for name in names:
            if name in DECLARED and getattr(statement, "value", None) is not None:
                found[name] = literal(name, statement.value)  # type: ignore[attr-defined]
    return found


def literal(name: str, value: Any) -> Any:
    """What is declared under a name.

    Raises:
        ValueError: it is no literal, or of another shape.
    """
    try:
        found = ast.literal_eval(value)
    except ValueError:
        raise ValueError(f"{name} must be a literal, since it is read without running the file") from None
    right = isinstance(found, str) if name == "NAME" else isinstance(found, dict) and all(isinstance(key, str) for key in found)
    if right and name == "REQUIRES":
        right = all(isinstance(item, str) for item in found.values())
    if right and name == "MODES":
        right = "" in found and all(isinstance(item, dict) for item in found.values())
    if not right:
        shapes = {"NAME": "a string", "REQUIRES": "a dict of import name -> extra", "MODES": 'a dict with at least "": {}'}
        raise ValueError(f"{name} must be {shapes[name]}")
    return found


def backend(arm: Arm) -> Backend:
    """The backend of an arm.

    Raises:
        UsageError: there is no such backend or mode; the text says which there are.
    """
    found = shipped(arm.backend) if arm.backend in sources() else {**plugins()[0], **_files}.get(arm.backend)
    if found is None:
        raise UsageError(f'there is no backend "{arm.backend}"', suggestion(arm.backend, list(backends())))
    if arm.mode not in found.modes and not found.problem:
        modes = [f"{arm.backend}:{mode}" if mode else arm.backend for mode in found.modes]
        raise UsageError(f'the backend "{arm.backend}" has no mode "{arm.mode}"', suggestion(arm.name, modes))
    return found


def suggestion(word: str, known: List[str]) -> str:
    """What may have been meant, or all there is."""
    close = difflib.get_close_matches(word, known, 1)
    return f'did you mean "{close[0]}"?' if close else f"there are {', '.join(known)}"


def lacking(arm: Arm) -> Dict[str, str]:
    """What an arm needs and this interpreter lacks: import name -> extra."""
    return {name: extra for name, extra in backend(arm).needs(arm.mode).items() if importlib.util.find_spec(name) is None}


def load(module: str, place: str = "") -> Any:
    """Import an adapter: only a worker does this.

    Args:
        module: its name, `backends.numpy` or a plug-in's.
        place: of a plug-in, the file or folder of its top-level package, which may not be installed where the worker runs.
    """
    top = module.split(".", maxsplit=1)[0]
    if place and top not in sys.modules:
        path = Path(place)
        folders = [str(path)] if path.is_dir() else None
        source = path / "__init__.py" if folders else path
        spec = importlib.util.spec_from_file_location(top, source, submodule_search_locations=folders)
        if spec is None or spec.loader is None:
            raise ImportError(f"cannot load {source}")
        sys.modules[top] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[top])
    return importlib.import_module(module)
