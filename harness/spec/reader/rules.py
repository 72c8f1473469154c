"""Rules that no type can tell: names that become folders, how an arm is written, words that stand twice, keys that exclude each
other. They look at what was written, so that they speak even where something beside it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.spec import Compare, Experiment, Layer, Spec

from .places import Trail
from .problem import Finding
from .words import shown

NAME = re.compile(r"\w[\w.-]*")
ARM = re.compile(r"[A-Za-z]\w*(:[\w.-]+)?(@\w[\w.+-]*)?")
#: exactly one of the two must be given
EITHER = ("epochs", "steps")


def name(raw: object, trail: Trail) -> list[Finding]:
    """Names become folders and parts of names."""
    if not isinstance(raw, str) or not raw or NAME.fullmatch(raw):
        return []
    hint = 'letters, digits, "_", "-" and "."; the first a letter, a digit or "_"'
    return [Finding(trail, "name", f"{shown(raw)} cannot be a name", hint)]


def arms(raw: object, trail: Trail) -> list[Finding]:
    """How an arm is written; whether there is such a backend is the registry's to say."""
    hint = 'an arm is backend[:mode][@environment], e.g. "torch:compile"'
    return [
        Finding((*trail, index), "arm", f"{shown(arm)} is not an arm", hint)
        for index, arm in enumerate(raw if isinstance(raw, list | tuple) else ())
        if isinstance(arm, str) and not ARM.fullmatch(arm)
    ]


#: what must hold for a field beside its type and limits
RULES: Mapping[tuple[type[Spec], str], Callable[[object, Trail], list[Finding]]] = {
    (Experiment, "name"): name,
    (Layer, "name"): name,
    (Compare, "arms"): arms,
}


def of_field(cls: type[Spec], key: str, raw: object, trail: Trail) -> list[Finding]:
    """What is wrong with a value apart from its type and limits."""
    found = [rule for (owner, field), rule in RULES.items() if field == key and issubclass(cls, owner)]
    return [finding for rule in found for finding in rule(raw, trail)] + repeated(key, raw, trail)


def repeated(key: str, raw: object, trail: Trail) -> list[Finding]:
    """Words that stand twice in a list."""
    return [
        Finding((*trail, index), "duplicate", f'{shown(word)} stands twice in "{key}"')
        for index, word in enumerate(raw if isinstance(raw, list | tuple) else ())
        if isinstance(word, str) and word in raw[:index]  # type: ignore[index]
    ]


def both(tree: Mapping[str, Any], trail: Trail) -> list[Finding]:
    """Epochs and steps exclude each other."""
    given = [key for key in tree if key in EITHER]
    if len(given) < len(EITHER):
        return []
    message = '"epochs" and "steps" are both given, but exactly one is needed'
    return [Finding((*trail, given[-1]), "conflict", message, "leave one of them out", at_key=True)]
