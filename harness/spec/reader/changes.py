"""`--set KEY=VALUE`: changes of an experiment for one run."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .places import Entry, Span, Trail, find
from .problem import Problem, SpecError
from .rules import EITHER

NAME = "--set"
#: not a key of the file: the size of every layer inside
WIDTH = ("model", "width")
SIZES = ("units", "filters")


@dataclass(frozen=True)
class Change:
    """One `KEY=VALUE`; `places` are those in its text."""

    text: str
    key: tuple[str, ...]
    value: Any
    places: dict[Trail, Entry]

    def refuse(self, number: int, message: str, hint: str = "") -> SpecError:
        """The error for a key that leads nowhere, at one of its parts."""
        return refused(self.text, self.places[self.key[: number + 1]].key, message, hint)


def parsed(text: str) -> Change:
    """A change as it was written: its value is TOML, or else plain text.

    Raises:
        SpecError: it is not KEY=VALUE.
    """
    key, equals, raw = text.partition("=")
    try:
        tomllib.loads(f"{key}=0")
        places = find(f"{key}=0")
    except tomllib.TOMLDecodeError:
        equals = ""
    if not equals or "\n" in key:
        hint = "e.g. train.epochs=1 or model.layers.0.units=8"
        raise refused(text, Span(0, len(text)), "this is not KEY=VALUE", hint)
    parts = max((tuple(map(str, trail)) for trail in places), key=len)
    try:
        tree = tomllib.loads(f"value={raw}")
    except ValueError:
        tree = {}
    if len(tree) == 1:
        return Change(text, parts, tree["value"], find(text))
    places[parts] = Entry(places[parts].key, Span(len(key) + 1, len(text)))
    return Change(text, parts, raw.strip(), places)


def refused(text: str, span: Span, message: str, hint: str = "") -> SpecError:
    """The error for a change that cannot be made."""
    return SpecError([Problem(NAME, 0, span.start + 1, span.end + 1, "set", message, hint, text)], NAME)


def apply(tree: dict[str, Any], texts: Sequence[str]) -> list[tuple[Change, Trail]]:
    """Make the changes in a tree; each with where in the tree it is.

    Raises:
        SpecError: some are not KEY=VALUE, or their keys lead nowhere.
    """
    made: list[tuple[Change, Trail]] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            change = parsed(text)
            made += [(change, trail) for trail in (widen(tree, change) if change.key == WIDTH else [put(tree, change)])]
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems, NAME)
    replace_other(tree, {trail for _, trail in made})
    return made


def widen(tree: dict[str, Any], change: Change) -> list[Trail]:
    """`model.width=64`: units or filters of every layer of the model but the last that has them. A layer in `repeat` or `residual` keeps
    its own.

    Raises:
        SpecError: there is no such layer.
    """
    layers = (tree.get("model") or {}).get("layers") or []
    sized = [
        ("model", "layers", place, name)
        for place, layer in enumerate(layers) if isinstance(layer, dict) for name in SIZES if name in layer
    ]  # fmt: skip
    if len(sized) < 2:
        raise change.refuse(1, "the model has no width: no layer but the last has units or filters", "name a layer's own key")
    for trail in sized[:-1]:
        layers[trail[2]][trail[3]] = change.value
    return list(sized[:-1])


def replace_other(tree: dict[str, Any], given: set[Trail]) -> None:
    """Setting epochs takes steps out, and the other way round, since exactly one can stand."""
    for mine, other in (EITHER, EITHER[::-1]):
        if ("train", mine) in given and ("train", other) not in given:
            tree["train"].pop(other, None)


def put(tree: dict[str, Any], change: Change) -> Trail:
    """Put one value in its place; tables on the way are made, a bare type becomes a table with that type."""
    node: Any = tree
    trail: Trail = ()
    for number, part in enumerate(change.key):
        step = part if isinstance(node, dict) else index(node, number, change)
        trail += (step,)
        if number == len(change.key) - 1:
            node[step] = change.value
        elif isinstance(node, dict) and step not in node:
            node[step] = {}
        elif isinstance(node[step], str):
            node[step] = {"type": node[step]}
        node = node[step]
    return trail


def index(node: object, number: int, change: Change) -> int:
    """The index in a list that a part of a key names."""
    part, before = change.key[number], ".".join(change.key[:number])
    if not isinstance(node, list):
        raise change.refuse(number, f'"{before}" has no keys')
    if part.isdecimal() and int(part) < len(node):
        return int(part)
    raise change.refuse(number, f'"{before}" has {len(node)} items, counted from 0', f"e.g. {before}.0")
