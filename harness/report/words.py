"""What a run found, in sentences. The terminal and the report say the same words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..numeric.words import bits
from ..records.record import Record
from ..tables import Run, place


def headline(run: Run) -> str:
    """The whole run in as few words as there can be."""
    judged = [record.arm for record in run.arms if record.status == "ok" and record.facts.get("verdict")]
    agreeing = [record.arm for record in run.arms if record.arm in judged and record.facts["verdict"] == "agrees"]
    failed = [record.arm for record in run.arms if record.status not in ("ok", "unsupported", "missing")]
    apart = [arm for arm in judged if arm not in agreeing]
    if apart:
        text = f"{listed(apart)} differ{'s' if len(apart) == 1 else ''} from the reference"
    elif not judged:
        text = "No arm could be judged"
    elif len(agreeing) == len(run.arms):
        text = f"{'All ' + str(len(agreeing)) + ' arms agree' if len(agreeing) > 1 else agreeing[0] + ' agrees'} with the reference"
    else:
        text = f"{len(agreeing)} of {len(run.arms)} arms agree with the reference"
    return f"{text}; {listed(failed)} failed." if failed else f"{text}."


def shown(run: Run) -> str:
    """What stands behind the headline."""
    text = verdict(run)
    near = text.partition(" agree with the reference: ")[2]
    return f"{near[:1].upper()}{near[1:]}" if near else text


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


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
        text = f"{len(judged)} of {len(run.arms)} arms agree with the reference: {evidence(run, judged)}"
    else:
        text = "No arm could be judged."
    return f"{text} {len(failed)} failed: {', '.join(f'{r.arm} ({r.status})' for r in failed)}." if failed else text


def evidence(run: Run, judged: Sequence[Record]) -> str:
    """How near the arms are that agree, and what would have been seen."""
    worst = max(judged, key=lambda record: record.facts["largest_ratio"])
    near = f"the largest error of any tensor is {worst.facts['largest_ratio']:.1f} times the rounding floor ({worst.arm})."
    return f"{near} {sight(run)}".rstrip()


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


def before(run: Run) -> list[str]:
    """What is wrong with an arm before any number is compared: it is the likely reason for what differs."""
    lines = [f"{arm} is a version with a known fault: {text}" for arm, text in run.faults]
    for record in run.arms:
        found = record.facts.get("preflight") or {}
        beside = "".join(f"; {name}={value}" for name, value in found.get("variables", {}).items())
        lines += [f"{record.arm}: {problem}{beside}" for problem in found.get("problems", ())]
    return lines


def causes(run: Run) -> Iterator[str]:
    """Of every arm that differs: the nodes that are wrong by themselves, each with its cause and its worst number."""
    for record in run.arms:
        if "not_located" in record.facts:
            yield f"{record.arm}: where it goes wrong could not be found ({record.facts['not_located']})"
        if "no_float64" in record.facts:
            yield f"{record.arm}: no float64 to tell whether a formula or its arithmetic is off ({record.facts['no_float64']})"
        for entry in record.facts.get("located") or []:
            yield f"{record.arm}, {place(entry['step'])}, {' or '.join(entry['makers'])}: {why(entry['cause'])}"
            yield f"  {distance(entry['tensors'][0])}"
        if "parted" in record.facts:
            yield f"{record.arm}: computes rightly, and {departure(record.facts['parted'])}"
        alike: dict[str, list[str]] = {}
        for entry in record.facts.get("amplified") or []:
            alike.setdefault(parting(entry["flips"]), []).append(place(entry["step"]))
        for text, places in alike.items():
            yield f"{record.arm}, {', '.join(places)}: every node is right by itself; {text}"


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
