"""Entries for `known_differences.toml`, made of what is not recorded yet: a start for whoever has to say why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .known import DTYPES, Conclusion

#: what a size is rounded up by: 4e-9 may be 1e-8 with other numbers
ROOM = 10


def proposed(arm: str, found: Conclusion) -> Iterator[str]:
    """One entry for each reason why something is unsupported and each law that is broken, and one for each case that is off."""
    lacks: dict[str, dict[str, set[str]]] = {}
    for row in found.rows:
        for problem in row.problems:
            if problem["error"] is None:
                lacks.setdefault(words_of(problem["text"]), {}).setdefault(row.dtype, set()).add(row.case)
    users: dict[str, set[str]] = {}
    for row in found.rows:
        for item in row.uses:
            users.setdefault(item, set()).add(row.case)
    for text, cases in lacks.items():
        alike = len(cases) == len(DTYPES) and len(set(map(frozenset, cases.values()))) == 1
        for dtype in list(cases)[: 1 if alike else None]:
            items, rest = split(cases[dtype], users)
            yield from entry(arm, "" if alike else dtype, item=items, says=text)
            yield from entry(arm, "" if alike else dtype, case=rest, says=text)
    for row in found.rows:
        size = max((problem["error"] for problem in row.problems if problem["error"] is not None), default=None)
        if size is not None:
            yield from entry(arm, row.dtype, case=[row.case], size=size * ROOM)


def words_of(text: str) -> str:
    """A problem without its step."""
    start, _, rest = text.partition(": ")
    return rest if start.startswith(("step ", "unsupported")) else text


def split(cases: set[str], users: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Some cases as items all of whose users they are, the fewest first, and those that are left."""
    found, left = [], set(cases)
    for item in sorted((item for item in users if users[item] <= cases), key=lambda item: -len(users[item])):
        if users[item] & left:
            found.append(item)
            left -= users[item]
    return found, sorted(left)


def entry(arm: str, dtype: str, **values: Any) -> Iterator[str]:
    """The text of one entry about something; what only a person knows is left open."""
    if values.get("item") or values.get("case"):
        given = {"arm": arm, **values, **({"dtype": dtype} if dtype else {}), "kind": "not written yet", "reason": "..."}
        lines = [f"{key} = {format(value, '.0e') if key == 'size' else json.dumps(value)}" for key, value in given.items()]
        yield "\n".join(["[[difference]]", *lines, ""])
