"""Values, types and things of an experiment in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from harness.spec import ActivationFunction, Data, Experiment, Initializer, Layer, Loss, Optimizer, Regularizer, Schedule, Spec

from .places import Trail
from .problem import printable

UNIONS = (Union, UnionType)
#: one thing, several things
TYPES: Mapping[Any, tuple[str, str]] = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true and false"),
    str: ("text in quotes", "texts in quotes"),
}
#: what a member of a family is called, and whether there is one of it or many
FAMILIES: Mapping[type[Spec], tuple[str, bool]] = {
    Layer: ("layer", True), ActivationFunction: ("activation", True), Initializer: ("initializer", False),
    Loss: ("loss", False), Optimizer: ("optimizer", False), Data: ("data set", False), Regularizer: ("regularizer", True),
    Schedule: ("schedule", True),
}  # fmt: skip
LONGEST, LARGEST = 40, 10**40


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *most, end = names
    return f"{', '.join(most)} {last} {end}" if most else end


def quoted(names: Iterable[str], last: str = "and") -> str:
    """`"a", "b" and "c"`."""
    return listed([f'"{name}"' for name in names], last)


def kind(base: type[Spec]) -> str:
    """What a member of a family is called."""
    return FAMILIES.get(base, (base.__name__.lower(), False))[0]


def thing(cls: type[Spec], trail: Trail) -> str:
    """What a table is: `a "dense" layer`, `[train]`."""
    if cls is Experiment:
        return "the experiment"
    base = cls.__mro__[cls.__mro__.index(Spec) - 1]
    if not cls.type:
        return f"[{'.'.join(map(str, trail))}]"
    many = FAMILIES.get(base, ("", False))[1]
    article = ("an" if cls.type[0] in "aeiou" else "a") if many else "the"
    return f'{article} "{cls.type}" {kind(base)}'


def wanted(hint: Any, choices: Iterable[str] = (), item: bool = False) -> str:
    """A type, or that of a list's items, in words: `a whole number or "full"`."""
    if get_origin(hint) in UNIONS:
        parts = [part for part in get_args(hint) if not item or get_origin(part) is tuple]
        return listed([wanted(part, choices, item) for part in parts], "or")
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return wanted(inner, choices) if item else f"a list of {TYPES.get(inner, ('', 'values'))[1]}"
    if hint is str and choices:
        return quoted(choices, "or")
    return TYPES.get(hint, (str(getattr(hint, "__name__", hint)), ""))[0]


def shown(value: object) -> str:
    """A value as TOML writes it, short and safe to print."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, int) and abs(value) > LARGEST:  # Python writes no more than 4300 digits
        return "a huge number"
    text = printable(str(value)).replace("\t", " ")
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f'"{text}"' if isinstance(value, str) else text
