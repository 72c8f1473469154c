"""The tree of an experiment while it is cut: paths into it, copies with parts of it changed, and as a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

Tree = dict[str, Any]
Trail = tuple[Any, ...]

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
