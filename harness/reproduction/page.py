"""`results/README.md`: the committed tables, for people. Made from the committed files and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from ..registry import parse
from .reference import Reference

HEAD = """# Reference results

Made by `python -m harness reproduce --update --all`; run again and judged, number by number, by `python -m harness reproduce --all`.
Losses are those of free training in float64 by the reference; "apart" is the largest relative distance of an arm's loss from it.
"Gradient error" is the largest relative error of any gradient of a step that starts from the reference's state, "x floor" the largest
in units of what rounding alone does. Times are medians of interleaved blocks, as ratios to the numpy arm on one thread: indicative.
"""


def page(references: Sequence[Reference]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(reference) for reference in references)])


def section(reference: Reference) -> str:
    """One reference."""
    facts = reference.manifest
    machine = facts["machine"]
    lines = [
        f"## {reference.name}",
        "",
        f"{facts['description']}. "
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, {facts['steps']:,} steps, batches of "
        f"{facts['batch_size']}, {facts['dtype']}, seed {facts['seed']}. {facts['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}.",
        "",
        *rows(reference),
        "",
        f"[losses](reference/{reference.name}/losses.csv) · [metrics](reference/{reference.name}/metrics.csv) · "
        f"[tensors](reference/{reference.name}/tensors.csv) · [errors](reference/{reference.name}/errors.csv) · "
        f"[timings](reference/{reference.name}/timings.csv) · "
        f"[experiment](reference/{reference.name}/experiment.toml)",
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
    if column not in errors.columns:
        return ["", ""]
    ratio = (errors[column] / errors["floor"].where(errors["floor"] > 0)).max()
    return [f"{errors[column].max():.1e}", f"{ratio:.1f}" if ratio == ratio else "0.0"]


def version(arm: str, versions: dict[str, str]) -> str:
    """The version of an arm's framework."""
    return versions.get(parse(arm).backend, "")
