"""Layers taken out of a tree, and what read them reading what they read."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from ..spec import INPUT
from .tree import Trail, Tree, at, paths

LAYERS: Trail = ("model", "layers")
#: keys that name one other layer
NAMING = ("mask", "to")


def sequences(tree: Tree) -> list[Trail]:
    """The paths of all lists of layers, the model's own first."""
    inner = (path for path in paths(tree["model"], ("model",)) if path[-1] in ("layers", "shortcut"))
    return [path for path in inner if isinstance(at(tree, path), list)]


def layers(tree: Tree) -> Iterator[dict[str, Any]]:
    """All layers, wherever they stand."""
    for path in sequences(tree):
        yield from at(tree, path)


def references(tree: Tree) -> set[str]:
    """All names by which layers are read."""
    found: set[str] = set()
    for layer in layers(tree):
        found.update(layer.get("inputs", ()))
        found.update(layer[key] for key in NAMING if key in layer)
    return found


def named(tree: Tree) -> Tree:
    """The same experiment in which every layer that is read by its name has it written down: the names that are made count the layers, and
    would change with them."""
    found, read = deepcopy(tree), references(tree)
    for path in sequences(found):
        for index, layer in enumerate(at(found, path)):
            if made_name(at(found, path), index) in read:
                layer.setdefault("name", made_name(at(found, path), index))
    return found


def made_name(sequence: list[dict[str, Any]], index: int) -> str:
    """The name that a layer has, if it is given none."""
    kind = sequence[index]["type"]
    return f"{kind}_{sum(layer['type'] == kind for layer in sequence[: index + 1])}"


def cut(tree: Tree, path: Trail, start: int, end: int) -> Tree:
    """A copy without some layers that stand one behind the other."""
    found = deepcopy(tree)
    sequence = at(found, path)
    gone = sequence[start:end]
    names = {layer["name"] for layer in gone if "name" in layer} & references(found)
    inputs = gone[0].get("inputs")
    source = read_by(found, path, start) if names else None
    del sequence[start:end]
    if source:
        for layer in layers(found):
            redirect(layer, names, source)
    if inputs and start < len(sequence):
        sequence[start].setdefault("inputs", inputs[:1])
    pruned(found)
    return found


def read_by(tree: Tree, path: Trail, index: int) -> str | None:
    """The name of what a layer reads first; the layer before gets its name written down. None where that is known outside of its list
    only."""
    sequence = at(tree, path)
    if "inputs" in sequence[index]:
        return str(sequence[index]["inputs"][0])
    if index:
        return str(sequence[index - 1].setdefault("name", made_name(sequence, index - 1)))
    return INPUT if path == LAYERS else None


def redirect(layer: dict[str, Any], names: set[str], source: str) -> None:
    """Let a layer read something else instead of some names."""
    if "inputs" in layer:
        layer["inputs"] = [source if name in names else name for name in layer["inputs"]]
    if layer.get("mask") in names:
        layer["mask"] = source


def pruned(tree: Tree) -> None:
    """Take out, in place, the layers that nothing reads any more."""
    while dead := next(unread(tree), None):
        del at(tree, dead[:-1])[dead[-1]]


def unread(tree: Tree) -> Iterator[Trail]:
    """Layers that neither the one behind them reads nor any by its name; the last of a list is its output."""
    read = references(tree)
    for path in sequences(tree):
        sequence = at(tree, path)
        for index, layer in enumerate(sequence[:-1]):
            if "inputs" in sequence[index + 1] and layer.get("name", made_name(sequence, index)) not in read:
                yield (*path, index)


def unwrapped(tree: Tree, path: Trail) -> Tree | None:
    """A copy in which a layer that is made of others is replaced by them; None where it is made of none."""
    found = deepcopy(tree)
    outer = at(found, path)
    inner = outer.get("layers") or ([outer["layer"]] if isinstance(outer.get("layer"), dict) else None)
    if inner is None:
        return None
    if "inputs" in outer:
        inner[0].setdefault("inputs", outer["inputs"])
    if "name" in outer:
        inner[-1].setdefault("name", outer["name"])
    at(found, path[:-1])[path[-1] : path[-1] + 1] = inner
    return found
