"""Keys: which a thing has, which it must have, and what was meant by one that it does not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from harness.spec import Compare, Data, Experiment, Model, Optimizer, Spec, Train, family

from . import hints
from .places import Trail
from .words import quoted

#: where a key may belong that stands in another section
SECTIONS: tuple[tuple[Trail, type[Spec], str], ...] = (
    ((), Experiment, "at the top, before the first [table]"),
    (("model",), Model, "in [model]"),
    (("train",), Train, "in [train]"),
    (("compare",), Compare, "in [compare]"),
    (("data",), Data, "in [data]"),
)

#: how deep a table lies that is no section
NESTED = 2


def names(cls: type[Spec]) -> dict[str, Mapping[str, str]]:
    """The keys of a thing, and what others call them."""
    return {item.name: item.metadata.get("also", {}) for item in dataclasses.fields(cls)}


def required(item: dataclasses.Field[Any]) -> bool:
    """Whether a key must be given: it says so, or there is nothing to fall back on."""
    return bool(item.metadata.get("required")) or (item.default is item.default_factory is dataclasses.MISSING)


def meant(cls: type[Spec], key: str, trail: Trail) -> tuple[Trail | None, str]:
    """The key that was meant by an unknown one, where that can be guessed, and a hint: another framework's name, one that belongs
    elsewhere, a misspelling."""
    own = names(cls)
    if guess := hints.known(key, own):
        return (*trail, guess.name), guess.hint
    if len(trail) < NESTED and (found := next(elsewhere(key), None)):
        return found
    if guess := hints.near(key, own, hints.KEY_LIKENESS):
        return (*trail, guess.name), guess.hint
    return None, f"its keys are {quoted(own)}" if own else "it has no parameters"


def elsewhere(key: str) -> Iterator[tuple[Trail, str]]:
    """Where a key belongs that stands in the wrong section."""
    for home, cls, place in SECTIONS:
        if guess := hints.known(key, names(cls)):
            yield (*home, guess.name), f'"{guess.name}" belongs {place}'
    for optimizer in family(Optimizer).values():
        if guess := hints.known(key, names(optimizer)):
            hint = f'"{guess.name}" belongs to the optimizer: optimizer = {{ type = "...", {guess.name} = ... }}'
            yield ("train", "optimizer", guess.name), hint
