"""Differences that are known: read from `known_differences.toml`, and held strictly against what the laws found.

A difference that no entry names fails, and so does an entry whose difference is gone: its line has to be deleted. One entry:

    [[difference]]
    arm = "tensorflow*"            # a pattern of arms, or a list
    item = "activation/gelu"       # or a list, patterns too; or case = ...
    dtype = "float64"              # both when left out
    kind = "upstream cannot"       # or "not written yet", or "different by definition"
    size = 1e-8                    # largest relative error; left out where something is unsupported, or a law broken
    says = "float64"               # words of what is found; anything when left out
    reason = "tf.nn.gelu computes with a float32 sqrt(2)"
    link = "https://..."
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..registry import Arm, Backend
from ..registry.backends import home
from .laws import Tried

FILE = "known_differences.toml"
KINDS = ("not written yet", "upstream cannot", "different by definition")
DTYPES = ("float32", "float64")
KEYS = {"arm", "item", "case", "dtype", "kind", "size", "says", "reason", "link"}


@dataclass(frozen=True)
class Known:
    """One entry.

    Attributes:
        place: file and line.
        arms: patterns of arms.
        items: patterns of items; it is about all cases that use one of them.
        cases: patterns of cases.
        dtypes: number formats.
        kind: one of KINDS.
        size: largest relative error; None where something is unsupported, or a law broken.
        says: words of what is found.
        reason: why it cannot be, or is not yet.
        link: where that can be read.
    """

    place: str
    arms: tuple[str, ...]
    items: tuple[str, ...]
    cases: tuple[str, ...]
    dtypes: tuple[str, ...]
    kind: str
    size: float | None
    says: str
    reason: str
    link: str

    def of(self, arm: Arm) -> bool:
        """Whether it is about an arm. An environment that has the name of its backend is its usual home, others are other versions."""
        return any_match([arm.family if arm.environment == arm.backend else arm.name], self.arms)

    def explains(self, name: str, case: Mapping[str, Sequence[str]], dtype: str, problem: Mapping[str, Any]) -> bool:
        """Whether it names a problem of a case."""
        here = any_match([name], self.cases) or any_match(case["uses"], self.items)
        error = problem.get("error")
        size = (error is None) == (self.size is None) and (error is None or self.size is None or error <= self.size)
        return dtype in self.dtypes and here and size and self.says in problem["text"]


@dataclass(frozen=True)
class Row:
    """What is concluded of one case in one number format.

    Attributes:
        case: its name.
        dtype: number format.
        about: the items that it is there for.
        uses: all items in it.
        state: holds, recorded (all that does not is known), or differs.
        problems: what no entry explains: `text`, and its `error` where it is a number.
        entries: those that explain the rest.
        ratio: largest error in ceilings.
        error: largest error.
    """

    case: str
    dtype: str
    about: Sequence[str]
    uses: Sequence[str]
    state: str
    problems: Sequence[Mapping[str, Any]]
    entries: Sequence[Known]
    ratio: float | None
    error: float | None


@dataclass(frozen=True)
class Conclusion:
    """All rows of an arm, and the entries whose difference is gone."""

    rows: Sequence[Row]
    stale: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether all laws hold, or what does not is recorded."""
        return not self.stale and all(row.state != "differs" for row in self.rows)


def any_match(names: Iterable[str], patterns: Sequence[str]) -> bool:
    """Whether one of some names fits one of some patterns."""
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def known_of(backend: Backend) -> list[Known]:
    """The entries of a backend: of those shipped the shipped ones; a plug-in brings its own, beside its file or in its package."""
    if not backend.place:
        return read_known(home() / FILE)
    place = Path(backend.place)
    path = (place if place.is_dir() else place.parent) / FILE
    return read_known(path) if path.is_file() else []


def read_known(path: Path) -> list[Known]:
    """The entries of a file.

    Raises:
        UsageError: it cannot be read, or an entry is not as above.
    """
    try:
        text = path.read_text("utf-8")
        tables = tomllib.loads(text).get("difference", [])
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise UsageError(f"{path}: {problem}") from None
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "[[difference]]"]
    return [entry(f"{path.name}:{line}", table) for line, table in zip(lines, tables, strict=True)]


def entry(place: str, table: Mapping[str, Any]) -> Known:
    """One entry.

    Raises:
        UsageError: a key is missing, unknown, or has a value that cannot be.
    """
    wrong = sorted(set(table) - KEYS)
    if wrong:
        raise UsageError(f'{place}: there is no key "{wrong[0]}"', f"there are {', '.join(sorted(KEYS))}")
    for key in ("arm", "kind", "reason"):
        if not table.get(key):
            raise UsageError(f'{place}: "{key}" is missing')
    if ("item" in table) == ("case" in table):
        raise UsageError(f'{place}: give "item" or "case"')
    if table["kind"] not in KINDS:
        raise UsageError(f'{place}: "{table["kind"]}" is no kind', f"there are {', '.join(KINDS)}")
    if table["kind"] != "not written yet" and not table.get("link"):
        raise UsageError(f'{place}: "{table["kind"]}" needs a "link"')
    dtypes = words(table.get("dtype", DTYPES))
    if not set(dtypes) <= set(DTYPES):
        raise UsageError(f'{place}: "dtype" must be float32 or float64')
    size = table.get("size")
    return Known(
        place, words(table["arm"]), words(table.get("item", ())), words(table.get("case", ())), dtypes, table["kind"],
        None if size is None else float(size), table.get("says", ""), table["reason"], table.get("link", ""),
    )  # fmt: skip


def words(value: Any) -> tuple[str, ...]:
    """One word or several."""
    return (value,) if isinstance(value, str) else tuple(value)


def conclude(arm: Arm, tried: Mapping[str, Tried], known: Sequence[Known]) -> Conclusion:
    """What was found of an arm, by number format, held against what is known of it."""
    mine = [found for found in known if found.of(arm)]
    rows = [row(name, dtype, found, mine) for dtype, found in tried.items() for name in found.found]
    used = {(item.place, name.case, name.dtype) for name in rows for item in name.entries}
    stale = [text for item in mine for dtype in item.dtypes if dtype in tried for text in gone(item, dtype, tried[dtype], used)]
    return Conclusion(rows, stale)


def row(name: str, dtype: str, tried: Tried, known: Sequence[Known]) -> Row:
    """One case."""
    found, case = tried.found[name], tried.cases[name]
    lacks = [{"text": f"unsupported: {reason}", "error": None} for reason in found.get("unsupported", [])]
    problems, entries, left = [*lacks, *found.get("broken", [])], [], []
    for problem in problems:
        explained = [item for item in known if item.explains(name, case, dtype, problem)]
        entries += explained
        left += [] if explained else [problem]
    state = "differs" if left else "recorded" if problems else "holds"
    return Row(
        name,
        dtype,
        case["about"],
        case["uses"],
        state,
        left,
        list(dict.fromkeys(entries)),
        found.get("ratio"),
        found.get("error"),
    )


def gone(item: Known, dtype: str, tried: Tried, used: set[tuple[str, str, str]]) -> Iterator[str]:
    """What an entry names and what does not differ any more. An item differs when a case that is about it does; it is not judged
    where some of those were not tried."""
    about: dict[str, list[str]] = {name: [name] for name in tried.cases if any_match([name], item.cases)}
    for name, case in tried.cases.items():
        for thing in case["about"]:
            if any_match([thing], item.items):
                about.setdefault(thing, []).append(name)
    if not about:
        yield f"{item.place}: there is no {' or '.join([*item.items, *item.cases])}"
    for thing, names in about.items():
        whole = all(name in tried.found for name in names)
        if whole and not any((item.place, name, dtype) in used for name in names):
            yield f"{item.place}: {thing} in {dtype} does not differ any more ({item.kind}: {item.reason}); delete it from there"
