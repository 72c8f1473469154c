"""A committed reference as a page, as far as its tables tell: what a run's page shows of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import pandas

from ..report.curves import distance_of, drawn_of, losses_of
from ..report.formats import Format, fixed, number, words
from ..report.heat import maps, picture
from ..report.origin import origin
from ..report.page import page
from ..report.parts import Code, Figure, Section, Table, table
from ..report.run import described
from ..report.words import listed
from .page import version
from .reference import Reference

POINTS = "Of the free training a few losses are committed; lines only lead from one to the next."
ABOUT = "Gradient error: the largest of any parameter's gradient; × floor: the largest by what rounding does. Times are ratios: indicative."


def reference_page(reference: Reference, drawn: Sequence[Figure]) -> str:
    """The page of a reference as one HTML file.

    Raises:
        UsageError: what draws is not installed.
    """
    return page(reference.name, lead(reference), sections(reference, drawn), arms(reference), "calm" if reference.edited else "good")


def lead(reference: Reference) -> list[str]:
    """The first sentences."""
    facts = reference.manifest
    edited = [f"Not as it was written any more: {listed(sorted(reference.edited))}."] if reference.edited else []
    return [f"Committed on {facts['date']}: {listed(arms(reference)) or 'no arm'} agreed with the reference.", *edited, *described(facts)]


def sections(reference: Reference, drawn: Sequence[Figure]) -> list[Section]:
    """Everything below."""
    again = Code(f"python -m harness reproduce {reference.name}", "The command that runs it again and judges every number:")
    figure = {each.key: each for each in drawn}
    return [
        Section("summary", "Summary", [summary(reference), again]),
        Section("training", "Training freely", [figure.get("loss"), figure.get("distance")]),
        Section("gradients", "Gradients", maps(errors(reference), "floor")),
        *origin(reference.manifest, reference.folder),
    ]


def reference_figures(reference: Reference) -> list[Figure]:
    """Its figures."""
    curves = drawn_of(losses(reference))
    drawn = (
        ("loss", "Loss", POINTS, "Loss at the committed steps, a line for each arm on the reference's", losses_of(curves)),
        ("distance", "Distance from the reference", f"The largest relative distance of the loss so far. {POINTS}",
         "Largest relative distance of each arm's loss from the reference up to each committed step", distance_of(curves)),
        ("heat", "Gradients by layer and step", "Errors over their floors: blue is below, orange above.",
         "Error of each parameter's gradient in each committed step, a map for each arm", picture(errors(reference), "floor")),
    )  # fmt: skip
    return [Figure(*each) for each in drawn if each[-1] is not None]


def arms(reference: Reference) -> list[str]:
    """The arms that have numbers."""
    return [arm for arm in reference.manifest["arms"] if arm in reference.tables["losses"].columns]


def own(reference: Reference, arm: str) -> str:
    """The reference in an arm's own forms."""
    forms = reference.manifest["arms"][arm]["forms"] or {}
    form = ",".join(f"{name}={value}" for name, value in sorted(forms.items()))
    found = [name for name in reference.tables["losses"].columns if name.startswith("reference")]
    return str(next((name for name in found if name.replace(" ", "") == f"reference[{form}]"), found[0]))


def losses(reference: Reference) -> pandas.DataFrame:
    """Arm, step, loss, reference, gap, envelope (not committed), as `Run.losses` has them."""
    found = reference.tables["losses"]
    parts = []
    for arm in arms(reference):
        right = found[own(reference, arm)]
        gap = (found[arm] - right).abs() / right.abs().where(right != 0)
        parts.append(pandas.DataFrame({"arm": arm, "step": found["step"], "loss": found[arm], "reference": right, "gap": gap}))
    return pandas.concat(parts, ignore_index=True).assign(envelope=numpy.nan)


def errors(reference: Reference) -> pandas.DataFrame:
    """As harness.report.heat.cells; `times` are floors, since ceilings and verdicts are not committed."""
    found = reference.tables["errors"]
    kept = [arm for arm in arms(reference) if arm in found.columns]
    long = found.melt(["step", "tensor", "floor"], kept, "arm", "error").dropna(subset=["error"])
    return long.assign(ceiling=numpy.nan, times=long["error"] / long["floor"].where(long["floor"] > 0), verdict="").fillna({"times": 0.0})


def summary(reference: Reference) -> Table | None:
    """An arm a row; those without numbers with their reason."""
    curves, maps_of, times = losses(reference), errors(reference), reference.tables["timings"]
    rows: list[dict[str, Any]] = []
    for arm, facts in reference.manifest["arms"].items():
        mine, tensors = curves[curves["arm"] == arm], maps_of[maps_of["arm"] == arm]
        row: dict[str, Any] = {"arm": arm, "version": version(arm, facts["versions"]), "status": facts["status"], "reason": facts["reason"]}
        if len(mine):
            row |= {"last": float(mine["loss"].iloc[-1]), "apart": float(mine["gap"].max())}
        if len(tensors):
            row |= {"error": float(tensors["error"].max()), "times": float(tensors["times"].max())}
        rows.append(row | {str(line["quantity"]): line.get(arm) for line in times.to_dict("records")})
    columns: Mapping[str, Format] = {
        "arm": words, "version": words, "status": words, "last": number(6), "apart": number(2), "error": number(2), "times": number(2),
        **dict.fromkeys(map(str, times.get("quantity", [])), fixed(2)), "reason": words,
    }  # fmt: skip
    names = {"last": "last loss", "error": "gradient error", "times": "× floor"}
    return table(rows, columns, names, note=ABOUT)
