"""`results/README.md`: the committed tables, for people. Made from the committed files and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from ..registry import parse
from .overview import largest, row, verdict, worst_floor
from .reference import Reference

HEAD = """# Reference results

Every shipped experiment as it was run, committed number by number. `python -m harness reproduce --all` runs them again and judges each
number, `python -m harness reproduce --update --all` makes them anew, `python -m harness report results/reference/NAME` makes the page
of one, and `python -m harness report --all` an index of them and of your own runs.

Losses are those of free training in float64 by the reference; "apart" is the largest relative distance of an arm's loss from it.
"Gradient error" is the largest relative error of any gradient of a step that starts from the reference's state, "x floor" the largest
in units of what rounding alone does to that gradient, in the mean over replicas of the reference: that is grey in the pictures. An arm
is judged by the replica that strays furthest, so a line above the grey may still be rounding: sums in another order, say. Times are
medians of interleaved blocks, as ratios to the numpy arm on one thread: indicative.
"""


def page(references: Sequence[Reference]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *contents(references), "", *(section(reference) for reference in references)])


def contents(references: Sequence[Reference]) -> list[str]:
    """A line a reference."""
    lines = ["| reference | what it is | arms that agree | x floor | day |", "| --- | --- | ---: | ---: | --- |"]
    for reference in references:
        facts, found = reference.manifest, row(reference)
        name, agree = reference.name, f"{len(found.verdicts.get('agrees', ()))} of {len(found.arms)}"
        lines.append(f"| [{name}](#{name}) | {facts['description']} | {agree} | {worst_floor(found):.1f} | {facts['date']} |")
    return lines


def section(reference: Reference) -> str:
    """One reference."""
    facts = reference.manifest
    machine = facts["machine"]
    home, shown = f"reference/{reference.name}", "the largest gradient error of each arm in each forced step, over what rounding alone does"
    lines = [
        f"## {reference.name}",
        "",
        f"**{verdict(reference)}**",
        "",
        f"{facts['description']}. "
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, {facts['steps']:,} steps, batches of "
        f"{facts['batch_size']}, {facts['dtype']}, seed {facts['seed']}. {facts['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}.",
        "",
        f"![{reference.name}: {shown}]({home}/distance.svg)",
        "",
        *rows(reference),
        "",
        f"[losses]({home}/losses.csv) · [metrics]({home}/metrics.csv) · [tensors]({home}/tensors.csv) · [errors]({home}/errors.csv) · "
        f"[timings]({home}/timings.csv) · [experiment]({home}/experiment.toml) · `python -m harness report results/{home}`",
        "",
    ]
    return "\n".join(lines)


def rows(reference: Reference) -> list[str]:
    """One line an arm."""
    losses, metrics, errors, timings = (reference.tables[name] for name in ("losses", "metrics", "errors", "timings"))
    references = [column for column in losses.columns if column.startswith("reference")]
    metric = f"{metrics.iloc[-1]['split']} {metrics.iloc[-1]['metric']}" if len(metrics) else "metric"
    quantities = list(timings["quantity"]) if len(timings) else []
    heads = ["arm", "version", "form", "first loss", "last loss", "apart", "gradient error", "x floor", metric, *quantities]
    table = [heads, ["---", "---", "---", *["---:"] * (len(heads) - 3)]]
    for column in references:
        table.append(
            [
                "reference",
                "float64",
                column[len("reference") :].strip("[]"),
                *numbers(losses, metrics, errors, column, None),
                *["" for _ in quantities],
            ]
        )
    for arm, facts in reference.manifest["arms"].items():
        if arm not in losses.columns:
            table.append(
                [arm, "", facts["status"] + (f": {facts['reason']}" if facts["reason"] else ""), *[""] * (len(heads) - 3)]
            )
            continue
        form = ", ".join(f"{name}={value}" for name, value in sorted((facts["forms"] or {}).items()))
        own = f"reference[{form}]" if form else "reference"
        times = [
            f"{value:.2f}" if value == value else ""
            for value in (timings[arm] if arm in timings.columns else [float("nan")] * len(quantities))
        ]
        table.append([arm, version(arm, facts["versions"]), form, *numbers(losses, metrics, errors, arm, own), *times])
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in table]


def numbers(
    losses: pandas.DataFrame, metrics: pandas.DataFrame, errors: pandas.DataFrame, column: str, reference: str | None
) -> list[str]:
    """First and last loss, distance from the reference, gradient error, last metric."""
    values = losses[column]
    gap = (
        ((values - losses[reference]).abs() / losses[reference].abs().where(losses[reference] != 0, 1)).max()
        if reference
        else None
    )
    last: Any = metrics[column].iloc[-1] if len(metrics) else float("nan")
    apart = "" if gap is None else f"{gap:.1e}"
    return [
        f"{values.iloc[0] + 0.0:.6g}",
        f"{values.iloc[-1] + 0.0:.6g}",
        apart,
        *worst(errors, column),
        f"{last:.4f}" if last == last else "",
    ]


def worst(errors: pandas.DataFrame, column: str) -> list[str]:
    """Largest gradient error of an arm, and the largest in floors."""
    found = largest(errors, column)
    return [f"{found['gradient_error']:.1e}", f"{found['floor_ratio']:.1f}"] if found else ["", ""]


def version(arm: str, versions: dict[str, str]) -> str:
    """The version of an arm's framework."""
    return versions.get(parse(arm).backend, "")
