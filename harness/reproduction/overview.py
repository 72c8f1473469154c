"""The committed references side by side: what each came to, in a row of the index and in a sentence."""

from __future__ import annotations

from pathlib import Path

import pandas

from ..errors import UsageError
from ..records.overview import Entry, machine
from .reference import Reference, read


def folders(results: Path) -> list[Path]:
    """Folders of all committed references, by name."""
    return [path.parent for path in sorted((results / "reference").glob("*/manifest.json"))]


def entries(results: Path) -> list[Entry]:
    """A row each; a damaged one says so."""
    return [entry(folder) for folder in folders(results)]


def entry(folder: Path) -> Entry:
    """One reference as a row."""
    try:
        return row(read(folder))
    except UsageError as problem:
        return Entry("reference", folder, "damaged", folder.name, note=problem.message)
    except (LookupError, TypeError, AttributeError) as problem:
        return Entry("reference", folder, "damaged", folder.name, note=f"its manifest is not as it was written: {problem}")


def row(reference: Reference) -> Entry:
    """The row of a reference that could be read."""
    facts, losses, errors = reference.manifest, reference.tables["losses"], reference.tables["errors"]
    arms = [
        {"arm": arm, "verdict": "agrees" if arm in losses else own["status"], **largest(errors, arm)} for arm, own in facts["arms"].items()
    ]
    return Entry(
        "reference", reference.folder, "committed", facts["experiment"], facts["dtype"], facts["date"], arms,
        timing="smoke" if len(reference.tables["timings"]) else "", machine=machine(facts["machine"]),
        note=f"edited since it was written: {', '.join(sorted(reference.edited))}" if reference.edited else "",
    )  # fmt: skip


def largest(errors: pandas.DataFrame, arm: str) -> dict[str, float]:
    """An arm's largest relative gradient error, and the largest in units of what rounding alone does; nothing where it has none."""
    if arm not in errors.columns:
        return {}
    ratio = (errors[arm] / errors["floor"].where(errors["floor"] > 0)).max()
    return {"gradient_error": float(errors[arm].max()), "floor_ratio": float(ratio) if ratio == ratio else 0.0}


def worst_floor(found: Entry) -> float:
    """The largest gradient error of any arm, in units of what rounding alone does."""
    return max((arm.get("floor_ratio", 0.0) for arm in found.arms), default=0.0)


def verdict(reference: Reference) -> str:
    """What a reference came to, in a sentence."""
    found = row(reference)
    agree = found.verdicts.get("agrees", [])
    count = f"All {len(agree)}" if len(agree) == len(found.arms) else f"{len(agree)} of {len(found.arms)}"
    others = "; ".join(f"{', '.join(arms)}: {word}" for word, arms in found.verdicts.items() if word != "agrees")
    most = worst_floor(found)
    far = f"no gradient is further from it than {most:.1f} times what rounding alone does" if most else "every gradient is the same number"
    return f"{count} arms agree with the reference: {far}{f' ({others})' if others else ''}."
