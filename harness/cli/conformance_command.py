"""`harness conformance`."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..errors import ArmFailed
from . import console, options
from .console import notice, number, result, words


@click.command("conformance")
@click.argument("arms", nargs=-1, required=True, metavar="ARM...")
@options.backends
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Only this case; repeatable.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random states and batches.")
@options.as_json
@options.quiet
def command(
    arms: tuple[str, ...], files: tuple[str, ...], dtype: str, cases: tuple[str, ...], seed: int, as_json: bool, quiet: bool
) -> None:
    """Try every law that a backend has to obey: small programs that use each layer, activation, loss and optimizer once.

    Each is held against the reference, tensor by tensor, in units of what rounding does ("x ceiling" beyond 4 is wrong). What a backend
    says that it cannot do is no fault.

    \b
    Examples:
      python -m harness conformance torch
      python -m harness conformance my_backend --backend ./my_backend.py --case line
    """
    from ..registry import backend, parse

    options.add_backends(files)
    chosen = [parse(name) for name in options.split_arms(arms)]
    for arm in chosen:
        backend(arm)
    found = {arm.name: tried(arm, dtype, cases, seed, quiet) for arm in chosen}
    if as_json:
        console.document({"schema": "harness.conformance/1", "dtype": dtype, "arms": found})
    else:
        for name, cases_of in found.items():
            show(name, dtype, cases_of)
    failed = any("failed" in item for item in found.values())
    sys.exit(3 if failed else 1 if any(row.get("broken") for item in found.values() for row in item.values()) else 0)


def tried(arm: Any, dtype: str, cases: tuple[str, ...], seed: int, quiet: bool) -> dict[str, Any]:
    """What was found of one arm; under `failed` why it could not be tried."""
    from ..numeric.laws import try_laws

    try:
        with console.Work(f"{arm.name}: ", quiet or not sys.stderr.isatty()) as work:
            return dict(try_laws(arm, dtype, cases, seed=seed, progress=work))
    except ArmFailed as problem:
        return {"failed": {"status": problem.status, "reason": problem.reason}}


def show(name: str, dtype: str, found: dict[str, Any]) -> None:
    """One arm."""
    if "failed" in found:
        notice(f"{name}: {found['failed']['status']}: {found['failed']['reason']}")
        return
    rows = [
        {
            "case": case,
            "state": "unsupported" if "unsupported" in item else "broken" if item["broken"] else "holds",
            "x_ceiling": item.get("ratio"),
            "error": item.get("error"),
            "reason": first_of(item.get("unsupported", [])),
        }
        for case, item in found.items()
    ]
    columns = {"case": words, "state": words, "x_ceiling": number(2), "error": number(2), "reason": words}
    console.table(f"{name}, {dtype}", rows, columns, {"x_ceiling": "x ceiling", "error": "largest error"})
    for case, item in found.items():
        for text in item.get("broken", []):
            result(f"{case}: {text}")
    count = sum(row["state"] == "holds" for row in rows)
    result(f"{name}: {count} of {len(rows)} cases hold, {sum(row['state'] == 'unsupported' for row in rows)} are unsupported.")


def first_of(reasons: list[str]) -> str:
    """The first of some reasons, and how many more there are."""
    return reasons[0] + (f" (and {len(reasons) - 1} more)" if reasons[1:] else "") if reasons else ""
