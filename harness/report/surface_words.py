"""What a loss surface shows, in sentences and as a table. The terminal and the page say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..tables.surface import Surface
from .formats import Format, fixed, number, words

#: columns of the table of the paths' ends
ENDS: Mapping[str, Format] = {
    "arm": words, "status": words, "steps": fixed(0), "first_loss": number(5), "last_loss": number(5), "apart": number(2),
    "held": number(4), "x": number(5), "y": number(5), "reason": words,
}  # fmt: skip
#: what a plane is, by its kind; what is called a movement there
KINDS = {
    "path": "along the directions in which it moves most", "random": "along two random directions, as long as the net's own filters",
    "parameters": "over two numbers of the net",
}  # fmt: skip


def heads(found: Surface) -> dict[str, str]:
    """What the columns of ENDS are called."""
    plane = found.manifest["plane"]
    x, y = plane["labels"] if plane["kind"] == "parameters" else ("ends at x", "y")
    return {"x": x, "y": y, "held": "in the plane", "apart": "apart, of the way"}


def landscape(found: Surface) -> Iterator[str]:
    """Where the paths end, how far they are from the reference's, what the plane holds, where it is lowest."""
    facts = found.manifest
    yield ending(found)
    kind, through = facts["plane"]["kind"], facts["plane"]["through"]
    where = f"The plane goes through the {through} of the reference's path, {KINDS[kind]}"
    yield f"{where}; it holds {share(facts['held'])} of the path's movement."
    least, points = facts["lowest"], f"The lowest of {facts['side']} x {facts['side']} points"
    if least is None:
        yield "The loss is finite nowhere on it."
    elif least["edge"]:
        yield f"{points}, {least['loss']:.4g}, lies on the edge: the loss may fall further beyond."
    elif least["single"]:
        yield f"{points} is {least['loss']:.4g}, at {least['x']:.4g}, {least['y']:.4g}."
    else:
        yield f"The lowest loss, {least['loss']:.4g}, is that of many of its points: the bottom is flat."


def ending(found: Surface) -> str:
    """Where the arms end."""
    rows = [row for row in found.manifest["arms"] if "last_loss" in row]
    arms = [row for row in rows if not row["arm"].startswith("reference")]
    right = rows[0]
    if not arms:
        return f"No arm has a path; the reference's ends at a loss of {right['last_loss']:.6g}."
    losses = [row["last_loss"] for row in arms]
    low, high = f"{min(losses):.6g}", f"{max(losses):.6g}"
    ends = low if low == high else f"{low} to {high}"
    furthest = max(arms, key=lambda row: row["apart"] if row["apart"] is not None else -1.0)
    who = f"{arms[0]['arm']} ends" if len(arms) == 1 else f"{len(arms)} arms end"
    last = f"{right['last_loss']:.6g}"
    text = f"{who} at a loss of {ends}{'' if ends == last else f' (the reference at {last})'}"
    if furthest["apart"] is None:
        return f"{text}."
    if not furthest["apart"]:
        return f"{text}, on the reference's path, number for number."
    return f"{text}, no further than {furthest['apart']:.2g} of the way from the reference's path ({furthest['arm']})."


def share(held: float) -> str:
    """A share in percent; all only where it is all."""
    return "all" if held == 1 else f"{100 * held:.4g} %"


def beside(found: Surface) -> Iterator[str]:
    """What has to be known to read the surface rightly."""
    facts = found.manifest
    rows, every = facts["rows"], facts["of_rows"]
    yield f"The loss is that of {'all' if rows == every else f'{rows:,} of'} {every:,} training rows as one batch{treated(facts)}."
    if facts["parameters"] > 2:
        yield (
            f"A plane through {facts['parameters']:,} dimensions is a shadow: what looks like a wall or a valley here may be none where "
            "the path runs."
        )
    for row in facts["arms"]:
        if row["reason"]:
            yield f"{row['arm']}: {row['status']}: {row['reason']}."
    away: dict[int, list[str]] = {}
    for row in facts["arms"]:
        if row.get("leaves") is not None:
            away.setdefault(row["leaves"], []).append(row["arm"])
    yield from (f"Drawn to step {step}, since the loss rises too far after it: {', '.join(arms)}." for step, arms in away.items())
    lost = int(found.grid["loss"].isna().sum())
    if lost:
        yield f"At {lost:,} points the loss is not finite; they are drawn like the highest."


def treated(facts: Mapping[str, Any]) -> str:
    """How the rows are treated."""
    found = ["nothing is dropped and no noise is added"] if facts["random"] else []
    found += ["normalised by the mean and variance of these rows, not by the moving ones"] if facts["statistics"] else []
    return "".join(f"; {text}" for text in found)
