"""An experiment as the tree that is cut: dicts and lists, as in its file, without what is a default anyway."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..spec import Experiment, Spec, float32

Tree = dict[str, Any]
Trail = tuple[Any, ...]

#: digits with which every float32 can be written
DIGITS = 9


def tree_of(experiment: Experiment) -> Tree:
    """The tree that is read as this experiment."""
    tree: Tree = plain(experiment)
    if isinstance(tree["data"], str):
        tree["data"] = {"type": tree["data"]}
    return tree


def plain(value: Any, item: bool = False) -> Any:
    """A spec as a table of what is no default, or as its type alone where that says all; an item of a list is always a table."""
    if isinstance(value, Spec):
        table = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if told(value, field)}
        if not value.type:
            return table
        return {"type": value.type, **table} if table or item else value.type
    if isinstance(value, tuple):
        return [plain(part, True) for part in value]
    return short(value) if isinstance(value, float) else value


def told(spec: Spec, field: dataclasses.Field[Any]) -> bool:
    """Whether a field has to be written down."""
    value = getattr(spec, field.name)
    default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    default = float32(default) if isinstance(default, float) else default  # as the value was, when it was read
    return value is not None and (bool(field.metadata.get("required")) or value != default)


def short(number: float) -> float:
    """The number with the fewest digits that float32 rounds to the same."""
    texts = (f"{number:.{digits}g}" for digits in range(1, DIGITS))
    return next((float(text) for text in texts if float32(float(text)) == number), number)


def toml(tree: Tree) -> str:
    """The tree as a file: sections, what is in them on one line each, but of layers one on a line."""
    import tomlkit

    document = tomlkit.document()
    for key, value in tree.items():
        if isinstance(value, dict):
            section = tomlkit.table()
            for name, part in value.items():
                section.add(name, item(part))
            document.add(key, section)
        else:
            document.add(key, value)
    return tomlkit.dumps(document)


def item(value: Any) -> Any:
    """A value on one line; a list of tables on several."""
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for key, part in value.items():
            table.add(key, item(part))
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        for part in value:
            array.append(item(part))
        return array.multiline(bool(value) and isinstance(value[0], dict))
    return value


def moved(tree: Tree, here: Path) -> Tree:
    """The same experiment for a file in the folder `here`: a path in it is relative to that."""
    found = deepcopy(tree)
    if "path" in found["data"]:
        found["data"]["path"] = Path(os.path.relpath(found["data"]["path"], here.resolve())).as_posix()
    return found


def anchored(tree: Tree, folder: Path) -> Tree:
    """The same experiment for any folder: a path in it, relative to `folder` so far, is whole."""
    found = deepcopy(tree)
    if "path" in found["data"]:
        found["data"]["path"] = str((folder / Path(found["data"]["path"]).expanduser()).resolve())
    return found


def at_step(tree: Tree, step: int) -> Tree:
    """The same experiment ended by one step, the only one that is forced."""
    found = deepcopy(tree)
    found["train"] = {key: value for key, value in found["train"].items() if key != "epochs"} | {"steps": step + 1}
    found["compare"] = {key: value for key, value in found.get("compare", {}).items() if key != "forced_steps"}
    if step:
        found["compare"]["forced_steps"] = [step]
    return found


def at(tree: Any, path: Trail) -> Any:
    """What stands at a path.

    Raises:
        KeyError, IndexError: there is nothing.
    """
    for step in path:
        tree = tree[step]
    return tree


def there(tree: Any, path: Trail) -> bool:
    """Whether something stands at a path."""
    try:
        at(tree, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def with_value(tree: Tree, *values: tuple[Trail, Any]) -> Tree:
    """A copy with other values at some paths."""
    found = deepcopy(tree)
    for path, value in values:
        at(found, path[:-1])[path[-1]] = deepcopy(value)
    return found


def without(tree: Tree, path: Trail) -> Tree:
    """A copy that lacks what stands at a path."""
    found = deepcopy(tree)
    del at(found, path[:-1])[path[-1]]
    return found


def paths(value: Any, path: Trail = ()) -> Iterator[Trail]:
    """Every path in a tree, each thing before its parts."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from paths(part, (*path, key))


def dotted(path: Trail) -> str:
    """A path as `--set` has it."""
    return ".".join(map(str, path))
