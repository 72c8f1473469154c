"""A run on the screen: verdict in words, then the tables of agreement, losses, gradients, timings and memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..interface import LIMIT
from ..numeric.trajectory import INFINITE
from ..numeric.words import bits
from ..tables import Run, place
from . import console
from .console import number, result, words
from .show_costs import COSTS, show_costs
from .show_native import as_rows, show_native

error = number(2)
#: columns of the table of losses
STEPS = 6
#: the row of the table of losses that says how far replicas of the reference come
ENVELOPE = "by rounding alone"


def show_run(run: Run, as_json: bool) -> None:
    """Everything about one run."""
    if as_json:
        console.document(as_document(run))
        return
    head(run)
    preflight(run)
    summary(run)
    losses(run)
    gradients(run)
    probes(run)
    show_costs(run)
    show_native(run)
    result(verdict(run))
    causes(run)
    for note in run.manifest.get("notes", []):
        result(f"Note: {note}.")


def as_document(run: Run) -> dict[str, Any]:
    """A run as one JSON document; its keys are a public interface."""
    return {
        "schema": "harness.run/1",
        "manifest": run.manifest,
        "exit_code": run.exit_code,
        "arms": [
            {"arm": record.arm, "status": record.status, "reason": record.reason, "facts": record.facts} for record in run.arms
        ],
        **{name: rows(getattr(run, name)) for name in ("summary", "losses", "metrics", "gradients", "probed", *COSTS)},
        **({"native": as_rows(run)} if "native" in run.manifest else {}),
    }


def rows(frame: Any) -> list[dict[str, Any]]:
    """A DataFrame as rows."""
    found: list[dict[str, Any]] = frame.astype(object).to_dict("records")
    return found


def head(run: Run) -> None:
    """What was run, in one line."""
    facts = run.manifest
    if not facts:
        result(f"{run.folder.name}: this run did not end; what was saved of it:")
        return
    result(f"{facts['experiment']}: {facts['description']}" if facts.get("description") else facts["experiment"])
    result(
        f"{facts['parameters']:,} parameters, {facts['rows']:,} training rows, batches of {facts['batch_size']}, {facts['steps']:,} steps, "
        f"{facts['dtype']}, {facts['device']}, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''}, seed {facts['seed']}"
    )
    result()


def preflight(run: Run) -> None:
    """What is wrong with an arm before any number is compared: it is the likely reason for what differs."""
    lines = [f"{arm} is a version with a known fault: {text}" for arm, text in run.faults]
    for record in run.arms:
        found = record.facts.get("preflight") or {}
        beside = "".join(f"; {name}={value}" for name, value in found.get("variables", {}).items())
        lines += [f"{record.arm}: {problem}{beside}" for problem in found.get("problems", ())]
    for line in lines:
        result(f"Before the numbers: {line}")
    if lines:
        result()


def summary(run: Run) -> None:
    """Do they agree?"""
    found = rows(run.summary)
    reasons = {record.arm: record.reason for record in run.arms}
    for row in found:
        row["reason"] = reasons[row["arm"]]
    columns: Mapping[str, console.Format] = {
        "arm": words, "verdict": words, "form": words, "first_difference": words, "gradient_error": error, "floor_ratio": error,
        "final_loss": number(6), "metric": number(4), "reason": words,
    }  # fmt: skip
    names = {"gradient_error": "largest gradient error", "floor_ratio": "x floor", "metric": run.metric_name}
    console.table("Agreement with the float64 reference", found, columns, names)


def losses(run: Run) -> None:
    """Loss at chosen steps: the reference, and how far each arm is from it."""
    table = run.losses
    if table.empty:
        return
    found: list[dict[str, Any]] = []
    steps = shown(sorted(set(run.agreement["step"])) if len(run.agreement) else [0])
    for arm in dict.fromkeys(table["arm"]):
        part = table[table["arm"] == arm].set_index("step")
        if arm.startswith("reference"):
            found.insert(
                0, {"arm": arm, **{f"step {step}": number(6)(float(part["loss"][step])) for step in steps if step in part.index}}
            )
        else:
            found.append(
                {"arm": arm, **{f"step {step}": error(float(part["gap"][step])) for step in steps if step in part.index}}
            )
    around = table.drop_duplicates("step").set_index("step")["envelope"]
    measured = {f"step {step}": error(float(around[step])) for step in steps if step in around.index and around[step] == around[step]}
    if measured:
        found.append({"arm": ENVELOPE, **measured})
    columns: dict[str, console.Format] = {"arm": words, **{f"step {step}": text_number for step in steps}}
    console.table("Loss of the reference, and each arm's relative distance from it (training freely)", found, columns)


def shown(steps: list[int]) -> list[int]:
    """At most STEPS of the steps, the first and the last included."""
    if len(steps) <= STEPS:
        return steps
    return [steps[round(index * (len(steps) - 1) / (STEPS - 1))] for index in range(STEPS)]


def text_number(value: Any) -> str:
    """A number that is text already, set to the right."""
    return words(value)


def gradients(run: Run) -> None:
    """Largest gradient error of each parameter over the forced steps, with the floor."""
    table = run.gradients
    arms = [record.arm for record in run.arms if record.agreement]
    if table.empty or not arms:
        return
    worst = table.pivot_table(index="tensor", columns="arm", values="error", aggfunc="max", sort=False)
    floor = table[table["arm"] == arms[0]].groupby("tensor", sort=False)["floor"].max()
    seen = run.seen_from
    found = [
        {"tensor": tensor, "floor": float(floor[tensor]), "seen": seen.get(tensor), **{arm: float(worst[arm][tensor]) for arm in arms}}
        for tensor in floor.index
    ]
    columns: dict[str, console.Format] = {"tensor": words, "floor": error, "seen": error, **dict.fromkeys(arms, error)}
    title = "Gradients: largest relative error over the forced steps, beside what rounding alone does and from where on a fault is seen"
    console.table(title, found, columns, {"seen": "seen from", **{arm: arm for arm in arms}})


def probes(run: Run) -> None:
    """Steps that training does not bring."""
    table = run.probed
    if table.empty:
        return
    found = rows(table[table["probe"] != INFINITE])
    arms = [name for name in table.columns if name != "probe"]
    title = f"Directed probes: the largest error of any tensor, by what rounding alone can do; a fault from {LIMIT:g} on"
    console.table(title, found, {"probe": words, **dict.fromkeys(arms, error)}, {arm: arm for arm in arms})
    hiding = [record.arm for record in run.arms if record.facts.get("differs_at_infinity") and record.facts.get("verdict") == "agrees"]
    if hiding:
        result(f"Not judged: an infinite input gives a loss that is finite in {', '.join(hiding)} or in the reference, but not in both.")
        result()


def difference(first: Mapping[str, Any]) -> str:
    """What a difference is, in a word; of arithmetic, to how many bits it is right."""
    found = str(first.get("verdict", "differs"))
    return f"{found} to about {bits(first['error'], first['ceiling'])} bits" if found == "reduced precision" else found


def sight(run: Run) -> str:
    """What "agree" means here: from what size on a wrong gradient would have been seen."""
    table = run.seen_from
    visible = table[table < 1]
    if visible.empty:
        return ""
    text = f"A gradient that is off by {visible.max():.1g} of its length would have been seen in every layer"
    blind = table[table >= 1]
    return f"{text} ({', '.join(blind.index)} is rounding alone)." if len(blind) else f"{text}."


def causes(run: Run) -> None:
    """Of every arm that differs: the nodes that are wrong by themselves, each with its cause and its worst number."""
    for record in run.arms:
        if "not_located" in record.facts:
            result(f"{record.arm}: where it goes wrong could not be found ({record.facts['not_located']})")
        if "no_float64" in record.facts:
            result(f"{record.arm}: no float64 to tell whether a formula or its arithmetic is off ({record.facts['no_float64']})")
        for entry in record.facts.get("located") or []:
            result(f"{record.arm}, {place(entry['step'])}, {' or '.join(entry['makers'])}: {why(entry['cause'])}")
            result(f"  {distance(entry['tensors'][0])}")
        if "parted" in record.facts:
            result(f"{record.arm}: computes rightly, and {departure(record.facts['parted'])}")
        alike: dict[str, list[str]] = {}
        for entry in record.facts.get("amplified") or []:
            alike.setdefault(parting(entry["flips"]), []).append(place(entry["step"]))
        for text, places in alike.items():
            result(f"{record.arm}, {', '.join(places)}: every node is right by itself; {text}")


def why(cause: Mapping[str, Any] | None) -> str:
    """A cause in words."""
    if cause is None:
        return "no cause found"
    only = f", {cause['only']} alone" if "only" in cause else ""
    others = f"; or {', or '.join(cause['or'][:3])}" if cause["or"] else ""
    return f"{cause['text']}{others} (explains {100 * cause['explains']:.4g} % of the difference{only})"


def distance(row: Mapping[str, Any]) -> str:
    """How far a located tensor is off, and the number that is furthest off."""
    times = excess(row)
    size = f"{row['error']:.2g} off, {times:.2g} times what rounding can do" if times is not None else "finite in other places"
    most = next(iter(row["worst"]), None)
    where = "" if most is None else f"; most at {most['index']}: {plain(most['found'])}, where {plain(most['right'])} is right"
    return f"{row['tensor']} is {size}{where}"


def excess(row: Mapping[str, Any]) -> float | None:
    """A located tensor's error in ceilings; None where it is not finite, which a saved run writes as nothing."""
    error = row["error"]
    return None if error is None or not math.isfinite(error) else float(error / row["ceiling"])


def plain(value: float | None) -> str:
    """One number of a tensor."""
    return "a number that is not finite" if value is None or not math.isfinite(value) else f"{value:.8g}"


def departure(found: Mapping[str, Any]) -> str:
    """Where a free training parts by rounding alone."""
    flip, text = found["flip"], f"parts by rounding alone: its loss leaves what rounding does to replicas at step {found['step']}"
    if flip is None:
        return f"{text} ({found['reason']})" if found.get("reason") else text
    sides = ("off", "on") if flip["off"] else ("on", "off")
    return f"{text}; at step {flip['step']} {flip['node']} at {flip['index']} is {sides[0]}, and {sides[1]} in the reference"


def parting(flips: Sequence[Mapping[str, Any]]) -> str:
    """Where rounding alone parts two arms."""
    if not flips:
        return "rounding alone is magnified"
    first = flips[0]
    more = f", and {len(flips) - 1} more" if len(flips) > 1 else ""
    return (
        f"rounding moved a unit over its kink: {first['node']} at {first['index']} is {first['found']:.2g}, {first['right']:.2g} in the "
        f"reference{more}"
    )


def verdict(run: Run) -> str:
    """The whole run in a sentence."""
    judged = [record for record in run.arms if record.status == "ok" and record.facts.get("verdict")]
    differing = [record for record in judged if record.facts["verdict"] != "agrees"]
    failed = [record for record in run.arms if record.status not in ("ok", "unsupported", "missing")]
    if differing:
        first = differing[0].facts["first"]
        where = f"{place(first['step'])}, {first['kind']} of {first['tensor']}"
        names = ", ".join(record.arm for record in differing)
        text = f"{names} of {len(judged)} arms: {difference(first)}, no rounding, first at {where}."
    elif judged:
        worst = max(judged, key=lambda record: record.facts["largest_ratio"])
        text = (
            f"{len(judged)} of {len(run.arms)} arms agree with the reference: the largest error of any tensor is "
            f"{worst.facts['largest_ratio']:.1f} times the rounding floor ({worst.arm}). {sight(run)}"
        ).rstrip()
    else:
        text = "No arm could be judged."
    return f"{text} {len(failed)} failed: {', '.join(f'{r.arm} ({r.status})' for r in failed)}." if failed else text
