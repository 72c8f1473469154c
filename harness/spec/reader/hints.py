"""Hints: what was meant by a name that is not known here. Other frameworks' names stand in the spec classes (`also`)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

#: how alike two names of keys, of types and of choices must be; a wrong guess at a type ("gelu": "relu"?) would hide that there
#: is no such type, and all choices ("float16": "float64"?) are told anyway
KEY_LIKENESS, TYPE_LIKENESS, CHOICE_LIKENESS = 0.6, 0.8, 0.9
SHORTEST_BEGINNING = 3

#: names here -> other names of the same thing -> whose they are
Names = Mapping[str, Mapping[str, str]]


class Guess(NamedTuple):
    """What a name most likely means."""

    name: str
    hint: str


def guess(word: str, names: Names, likeness: float) -> Guess | None:
    """The name that was most likely meant."""
    return known(word, names) or near(word, names, likeness)


def known(word: str, names: Names) -> Guess | None:
    """A name that another framework uses, or that differs in case, underscores or `nn.` before it."""
    wanted = plain(word)
    for name, also in names.items():
        for other, owner in also.items():
            if plain(other) == wanted:
                return Guess(name, called(owner, name))
    return next((Guess(name, f'did you mean "{name}"?') for name in names if plain(name) == wanted), None)


def near(word: str, names: Names, likeness: float) -> Guess | None:
    """A name that looks much like it, or the only one that begins like it."""
    pool = {plain(other): name for name, also in names.items() for other in also} | {plain(name): name for name in names}
    close = [pool[match] for match in difflib.get_close_matches(plain(word), pool, 1, likeness)]
    if not close and len(word) >= SHORTEST_BEGINNING:
        close = [name for name in names if name.startswith(word.lower())]
    return Guess(close[0], f'did you mean "{close[0]}"?') if len(close) == 1 else None


def plain(word: str) -> str:
    """A name without case, underscores and module: `nn.MSELoss` -> `mseloss`."""
    return word.rpartition(".")[2].lower().replace("_", "").replace("-", "").replace(" ", "")


def called(owner: str, name: str) -> str:
    """Whose name that is, and what it is here."""
    if owner in ("short", "other tools"):
        return f'here it is "{name}"'
    return f'{owner} {"call" if " and " in owner else "calls"} it that; here it is "{name}"'
