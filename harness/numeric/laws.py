"""The laws of harness.worker.conformance, tried on one arm in a worker of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import ArmFailed, UsageError
from ..pool import Crew
from ..registry import Arm, backend, suggestion

Progress = Callable[[str, int, int], None]
#: seconds that one case may take
TIME_LIMIT = 300.0


@dataclass(frozen=True)
class Tried:
    """What was found of one arm in one number format.

    Attributes:
        cases: all there are: name -> the items that it is `about`, and all that it `uses`.
        found: of those that were tried: name -> `unsupported` (reasons), or `broken` (what does not hold: `text`, `error`), the largest
            `ratio` to the ceiling and the largest `error`.
    """

    cases: Mapping[str, Mapping[str, Sequence[str]]]
    found: Mapping[str, Mapping[str, Any]]


def try_laws(
    arm: Arm,
    dtype: str,
    names: Sequence[str] = (),
    items: Sequence[str] = (),
    *,
    device: str = "cpu",
    seed: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Tried:
    """Try the laws. A case that ends the worker is broken, and the next one gets a new worker.

    Args:
        arm: whose adapter is tried.
        dtype: float32 or float64.
        names: cases, or patterns of them; all when neither these nor `items` are given.
        items: the cases that are about these items, or patterns of them; `conv2d` is short for `layer/conv2d`.
        device: cpu or gpu.
        seed: of the random states and batches.
        cache: folder in which the reference's tensors are kept for other arms.
        progress: told the case that is being tried, and how many of how many have been.

    Raises:
        ArmFailed: the arm cannot be started.
        UsageError: there is no such case or item.
    """
    adapter, found = backend(arm), dict[str, dict[str, Any]]()
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        crew = Crew(Path(folder), device, 1, TIME_LIMIT)
        cases: dict[str, Any] = {}
        left: list[str] | None = None
        while left is None or left:
            with crew.worker(arm) as worker:
                worker.ask("open", module=adapter.module, place=adapter.place)
                if left is None:
                    cases = worker.ask("cases")
                    left = chosen(cases, names, items)
                while left:
                    name = left.pop(0)
                    if progress is not None:
                        progress(name, len(found), len(found) + 1 + len(left))
                    try:
                        found[name] = worker.ask(
                            "conformance", name=name, dtype=dtype, device=device, mode=arm.mode, seed=seed, cache=str(cache or "")
                        )
                    except ArmFailed as problem:
                        text = f"{problem.status}: {problem.reason}"
                        found[name] = {"broken": [{"text": text, "error": None}], "ratio": 0.0, "error": 0.0}
                        break
    return Tried(cases, found)


def chosen(cases: Mapping[str, Mapping[str, Sequence[str]]], names: Sequence[str], items: Sequence[str]) -> list[str]:
    """The cases that are meant, in their own order.

    Raises:
        UsageError: a word means none.
    """
    if not names and not items:
        return list(cases)
    about = {item for case in cases.values() for item in case["about"]}
    wanted = {case for word in names for case in matching(word, list(cases), "case")}
    for word in items:
        meant = set(matching(word, sorted(about), "item"))
        wanted |= {name for name, case in cases.items() if meant & set(case["about"])}
    return [name for name in cases if name in wanted]


def matching(word: str, known: Sequence[str], what: str) -> list[str]:
    """What a word or a pattern means: a whole name, or what stands behind its slash.

    Raises:
        UsageError: nothing.
    """
    found = [name for name in known if fnmatchcase(name, word) or fnmatchcase(name.rpartition("/")[2], word)]
    if not found:
        raise UsageError(f'there is no {what} "{word}"', suggestion(word, list(known)))
    return found
