"""Several runs side by side, in every form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..report.comment import comment
from ..report.formats import Format, fixed, number, words
from ..report.parts import Section, Table, Text, table
from ..tables import Run
from .answer import Answer
from .show import as_document
from .show import tables as tables_of
from .show_costs import interval


def answer(runs: Sequence[Run]) -> Answer:
    """What the runs are, and every arm of every run in one table.

    Raises:
        UsageError: one of them did not end.
    """
    if any(not run.manifest for run in runs):
        raise UsageError("a run that did not end cannot be compared", "harness compare RUN shows what was saved of it")
    return Answer(
        lambda: list(sections(runs)),
        lambda: {"schema": "harness.compare/1", "verdict": verdict(runs), "arms": arms(runs), "runs": [as_document(run) for run in runs]},
        lambda: tables(runs),
        lambda: as_comment(runs),
    )


def tables(runs: Sequence[Run]) -> dict[str, list[dict[str, Any]]]:
    """Every arm in every run; then all tables of all runs, one below the other."""
    found: dict[str, list[dict[str, Any]]] = {"arms": arms(runs)}
    for index, run in enumerate(runs):
        for name, rows in tables_of(run).items():
            found.setdefault(name, []).extend({"run": f"#{index + 1}", "id": run.manifest["id"], **row} for row in rows)
    return found


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """For people."""
    yield Section("verdict", "", [Text([verdict(runs), honest(runs)])])
    yield Section("settings", "Runs, and the settings in which they differ", [settings(runs)])
    yield Section("versions", "Versions that changed", [versions(runs)])
    yield Section("arms", "Every arm in every run", [shown(runs, arms(runs))])


def verdict(runs: Sequence[Run]) -> str:
    """What moved, in a sentence."""
    found = [row for row in arms(runs) if row["run"] != "#1" and "before" in row]
    turned = [row for row in found if row["before"] != row["verdict"]]
    losses = [row for row in found if row.get("moved")]
    if turned:
        return " ".join(f"{row['arm']} in {row['run']} is {row['verdict'] or 'nothing'} where it was {row['before']}." for row in turned)
    if not losses:
        return f"All verdicts and all final losses of {len(runs)} runs are the same."
    most = max(losses, key=lambda row: float(row["moved"]))
    return (
        f"All verdicts are the same; {len(losses)} of {len(found)} final losses moved, the most by {most['moved']:.2g} of itself "
        f"({most['arm']} in {most['run']})."
    )


def arms(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for every arm in every run; behind the first run, with how far it moved from that."""
    base = {row["arm"]: row for row in rows(runs[0])}
    names = dict.fromkeys(row["arm"] for run in runs for row in rows(run))
    return [
        {"run": f"#{index + 1}", **row, **(moved(row, base.get(name)) if index else {})}
        for name in names for index, run in enumerate(runs) for row in rows(run) if row["arm"] == name
    ]  # fmt: skip


def shown(runs: Sequence[Run], found: Sequence[Mapping[str, Any]]) -> Table | None:
    """Some of these rows as a table."""
    columns: dict[str, Format] = {
        "arm": words, "run": words, "verdict": words, "gradient_error": number(2), "floor_ratio": number(2), "final_loss": number(8),
        "moved": number(2), "metric": number(4), **({"step_us": fixed(1)} if one_machine(runs) else {}), "ratio": fixed(2),
        "interval": words, "speed": words, "peak_mib": fixed(0),
    }  # fmt: skip
    names = {
        "gradient_error": "largest gradient error", "floor_ratio": "x floor", "moved": "loss moved by", "metric": runs[0].metric_name,
        "ratio": base_of(runs), "interval": "95 % interval", "peak_mib": "MiB peak",
    }  # fmt: skip
    return table(found, columns, names)


def as_comment(runs: Sequence[Run]) -> str:
    """A comment for a pull request: the arms that moved, the rest folded."""
    found = arms(runs)
    names = {row["arm"] for row in found if row.get("moved") or row.get("before", row["verdict"]) != row["verdict"]}
    names |= {row["arm"] for row in found if row["verdict"] not in ("agrees", "missing", "unsupported")}
    other = [row for row in found if row["arm"] in names]
    folded = [each for each in sections(runs) if each.title and each.key != "versions"]
    title = ", ".join(dict.fromkeys(run.manifest["experiment"] for run in runs))
    return comment(title, verdict(runs), [shown(runs, other), versions(runs), Text([honest(runs)])], folded)


def one_machine(runs: Sequence[Run]) -> bool:
    """Whether all runs are of one processor."""
    return len({(run.manifest.get("environment") or {}).get("cpu") for run in runs}) == 1


def base_of(runs: Sequence[Run]) -> str:
    """What ratios are taken to."""
    return f"/ {', '.join(dict.fromkeys(run.base for run in runs if run.base))}"


def honest(runs: Sequence[Run]) -> str:
    """What may be compared of times."""
    ranked = all((run.costs.session.get("preset") or "smoke") != "smoke" for run in runs)
    text = "" if ranked else " Times of a smoke run are indicative."
    if one_machine(runs):
        return f"Runs of different hours: seconds may differ by what else the machine did; ratios are of one run each.{text}"
    return f"Times of different machines are compared as ratios to the base arm of each run only.{text}"


def rows(run: Run) -> list[dict[str, Any]]:
    """A run's summary, with what is proved of its times."""
    found: list[dict[str, Any]] = run.summary.astype(object).to_dict("records")
    costs = {row["arm"]: row for row in run.timings.drop_duplicates("arm").astype(object).to_dict("records")}
    for row in found:
        own = costs.get(row["arm"])
        row.update({"interval": interval(own), "speed": own["verdict"]} if own else {})
    return found


def moved(row: dict[str, Any], base: dict[str, Any] | None) -> dict[str, Any]:
    """The verdict of the first run, and how far the final loss moved from that run's."""
    if base is None:
        return {}
    found = {"before": base["verdict"]}
    if base["final_loss"] and row["final_loss"]:
        found["moved"] = abs(row["final_loss"] - base["final_loss"]) / abs(base["final_loss"])
    return found


def settings(runs: Sequence[Run]) -> Table | None:
    """What the runs are, and the settings in which they differ."""
    shown = ("experiment", "dtype", "device", "threads", "seed", "batch_size", "steps", "parameters", "weights")
    differing = [name for name in shown if len({str(run.manifest[name]) for run in runs}) > 1]
    found = [
        {"run": f"#{index + 1}", "id": run.manifest["id"], **{name: str(run.manifest[name]) for name in differing}, **machine(run)}
        for index, run in enumerate(runs)
    ]
    if one_machine(runs):
        found = [{**row, "machine": ""} for row in found]
    columns: dict[str, Format] = {"run": words, "id": words, "day": words, "timing": words, "machine": words}
    return table(found, {**columns, **dict.fromkeys(differing, words)})


def machine(run: Run) -> dict[str, str]:
    """Day, protocol and machine of a run."""
    facts = run.manifest
    cpu = (facts.get("environment") or {}).get("cpu") or ""
    return {"day": str(facts["started"])[:10], "timing": str(run.costs.session.get("preset") or ""), "machine": cpu}


def versions(runs: Sequence[Run]) -> Table | None:
    """Versions that are not the same in all runs."""
    known: dict[tuple[str, str], list[str]] = {}
    for index, run in enumerate(runs):
        for record in run.arms:
            for name, version in (record.facts.get("versions") or {}).items():
                known.setdefault((record.arm, name), [""] * len(runs))[index] = str(version)
    found = [
        {"arm": arm, "what": name, **{f"#{index + 1}": text for index, text in enumerate(texts)}}
        for (arm, name), texts in known.items()
        if len(set(filter(None, texts))) > 1
    ]
    return table(found, dict.fromkeys(found[0], words)) if found else None
