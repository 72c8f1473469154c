"""`harness conformance`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ArmFailed
from ..report.formats import number, words
from ..report.parts import Section, Text
from ..report.parts import table as tabled
from . import complete, options
from .answer import Answer, write
from .console import notice, result
from .progress import Work

if TYPE_CHECKING:
    from ..numeric.known import Conclusion, Known, Row
    from ..registry import Arm
DTYPES = ("float32", "float64")


@click.command("conformance")
@click.argument("arms", nargs=-1, required=True, metavar="ARM...", shell_complete=complete.arms)
@options.backends
@click.option("--dtype", "dtypes", type=click.Choice(DTYPES), multiple=True, help="Only this number format; both when not given.")
@click.option("--case", "cases", multiple=True, metavar="CASE", help='Only this case, or a pattern: "conv2d *"; repeatable.')
@click.option("--item", "items", multiple=True, metavar="ITEM", help="Only cases about this: conv2d, loss/mse, schedule/*; repeatable.")
@click.option(
    "--known", "files_known", multiple=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="More differences that are known; repeatable. A plug-in's known_differences.toml beside it is read anyway.",
)  # fmt: skip
@click.option("--propose", is_flag=True, help="Print entries for what is not recorded yet, to be completed and put in such a file.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random states and batches.")
@options.forms
@options.quiet
def command(
    arms: tuple[str, ...],
    files: tuple[str, ...],
    dtypes: tuple[str, ...],
    cases: tuple[str, ...],
    items: tuple[str, ...],
    files_known: tuple[Path, ...],
    propose: bool,
    seed: int,
    form: str | None,
    table: str | None,
    quiet: bool,
) -> None:
    """Try every law that a backend has to obey: small programs that use every layer, activation, loss, optimizer, schedule and penalty.

    Each is held against the reference, tensor by tensor: in float64 an error of 1e-12 is wrong, in float32 one of 4 times what rounding
    alone does ("x ceiling"). What differs or is unsupported has to stand in known_differences.toml with its reason; what stands there
    and does not differ any more has to be deleted.

    \b
    Examples:
      python -m harness conformance torch
      python -m harness conformance jax --item conv2d --item "schedule/*"
      python -m harness conformance mine --backend ./mine.py --case line
    """
    from ..numeric.known import read_known
    from ..registry import backend, parse
    options.add_backends(files)
    chosen = [parse(name) for name in options.split_arms(arms)]
    for arm in chosen:
        backend(arm)
    more = [known for path in files_known for known in read_known(path)]
    with tempfile.TemporaryDirectory(prefix="harness-") as cache:
        found = {arm.name: tried(arm, dtypes or DTYPES, cases, items, seed, more, Path(cache), quiet) for arm in chosen}
    if propose:
        for name, item in found.items():
            print_entries(name, item)
    else:
        write(answer(found), form, table)
    failed = any(isinstance(item, ArmFailed) for item in found.values())
    sys.exit(3 if failed else 0 if all(not isinstance(item, ArmFailed) and item.holds for item in found.values()) else 1)


def tried(
    arm: Arm,
    dtypes: tuple[str, ...],
    cases: tuple[str, ...],
    items: tuple[str, ...],
    seed: int,
    more: list[Known],
    cache: Path,
    quiet: bool,
) -> Conclusion | ArmFailed:
    """What is concluded of one arm, or why it could not be tried."""
    from ..numeric.known import conclude, known_of
    from ..numeric.laws import try_laws
    from ..registry import backend

    known, found = [*known_of(backend(arm)), *more], {}
    try:
        for dtype in dtypes:
            with Work(f"{arm.name} {dtype}", quiet, telling=False) as work:
                found[dtype] = try_laws(arm, dtype, cases, items, seed=seed, cache=cache, progress=work)
    except ArmFailed as problem:
        return problem
    return conclude(arm, found, known)


def as_data(found: Conclusion | ArmFailed) -> dict[str, Any]:
    """One arm as data."""
    if isinstance(found, ArmFailed):
        return {"failed": {"status": found.status, "reason": found.reason}}
    cases = [
        {
            "case": row.case, "dtype": row.dtype, "about": list(row.about), "state": row.state,
            "problems": [problem["text"] for problem in row.problems],
            "recorded": [{"kind": known.kind, "reason": known.reason, "link": known.link, "place": known.place} for known in row.entries],
            "ratio": row.ratio, "error": row.error,
        }
        for row in found.rows
    ]  # fmt: skip
    return {"holds": found.holds, "cases": cases, "stale": list(found.stale)}


def answer(found: Mapping[str, Conclusion | ArmFailed]) -> Answer:
    """All arms, in every form."""
    data = {name: as_data(item) for name, item in found.items()}

    def tables() -> dict[str, Any]:
        return {"cases": [{"arm": name, **case} for name, item in data.items() for case in item.get("cases", ())]}

    return Answer(
        lambda: [section(name, item) for name, item in found.items()],
        lambda: {"schema": "harness.conformance/2", "arms": data}, tables,
    )  # fmt: skip


def section(name: str, found: Conclusion | ArmFailed) -> Section:
    """One arm: what is concluded, what differs, a line an item."""
    if isinstance(found, ArmFailed):
        return Section(name, name, [Text([f"{name}: {found.status}: {found.reason}"])])
    columns = {"item": words, "cases": number(3), **dict.fromkeys(DTYPES, words), "ratio": number(2), "error": number(2), "note": words}
    count = {state: sum(row.state == state for row in found.rows) for state in ("holds", "recorded", "differs")}
    said = (
        f"{name}: of {len(found.rows)} cases {count['holds']} hold, {count['recorded']} differ as recorded, {count['differs']} differ; "
        f"{len(found.stale)} records are out of date."
    )
    broken = [f"{row.case}: {problem['text']} ({row.dtype})" for row in found.rows for problem in row.problems]
    rows = tabled(list(lines(found)), columns, {"ratio": "x ceiling", "error": "largest error"})
    return Section(name, name, [Text([said, *broken, *found.stale]), rows])


def print_entries(name: str, found: Conclusion | ArmFailed) -> None:
    """What could be recorded of one arm."""
    from ..numeric.propose import proposed

    if isinstance(found, ArmFailed):
        notice(f"{name}: {found.status}: {found.reason}")
        return
    for text in proposed(name, found):
        result(text)


def lines(found: Conclusion) -> Any:
    """One line an item: the worst of its cases in each number format."""
    rows: dict[str, list[Row]] = {}
    for row in found.rows:
        for item in row.about:
            rows.setdefault(item, []).append(row)
    for item, mine in rows.items():
        notes = dict.fromkeys(f"{known.kind}: {known.reason}" for row in mine for known in row.entries)
        yield {
            "item": item,
            "cases": len({row.case for row in mine}),
            **{dtype: worst([row for row in mine if row.dtype == dtype]) for dtype in DTYPES},
            "ratio": max((row.ratio for row in mine if row.ratio is not None), default=None),
            "error": max((row.error for row in mine if row.error is not None and row.dtype == "float64"), default=None),
            "note": "; ".join(notes),
        }


def worst(rows: list[Row]) -> str:
    """One word for some cases, and how many of them it is true of where it is not true of all."""
    for state in ("differs", "recorded", "holds"):
        count = sum(row.state == state for row in rows)
        if count:
            return state if count == len(rows) else f"{state} ({count})"
    return ""
