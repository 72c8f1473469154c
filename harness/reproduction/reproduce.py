"""Run a committed reference again and judge it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..environments import environment_of
from ..errors import UsageError
from ..execution.run import run
from ..registry import parse
from ..tables import Run
from . import cells
from .judge import ABSENT, CHANGED, Cell, judge
from .reference import Reference, arm_facts, fingerprints

Progress = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Reproduction:
    """What came of running a reference again.

    Attributes:
        reference: as committed.
        run: as made anew.
        cells: every committed number with its verdict.
        versions: what changed since, by arm: `torch 2.12.0 -> 2.13.0`.
        start: fingerprints that are not the committed ones; where there are any, everything after is noise.
        named: whether its arms were asked for by name.
    """

    reference: Reference
    run: Run
    cells: Sequence[Cell]
    versions: Mapping[str, str]
    start: Sequence[str]
    named: bool = False

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """Table -> number of cells in each state."""
        found = {name: Counter[str]() for name in cells.KEYS}
        for item in self.cells:
            found[item.table][item.state] += 1
        return found

    @property
    def changed(self) -> list[Cell]:
        """The cells that rounding does not explain."""
        return [item for item in self.cells if item.state == CHANGED]

    def states(self, arm: str) -> Counter[str]:
        """Number of an arm's judged cells in each state."""
        return Counter(item.state for item in self.cells if item.arm == arm and item.table != "timings")

    @property
    def absent(self) -> list[str]:
        """Arms that cannot run here, or failed."""
        absent = dict.fromkeys(item.arm for item in self.cells if item.state == ABSENT and item.table != "timings")
        return [arm for arm in absent if arm not in self.elsewhere]

    @property
    def elsewhere(self) -> list[str]:
        """Committed arms that would run in environments of their own, which are not created here: they are said, and count for
        nothing unless they were asked for by name."""
        if self.named:
            return []
        missing = [record.arm for record in self.run.arms if record.status == "missing"]
        return [arm for arm in missing if environment_of(parse(arm)) is not None]

    @property
    def exit_code(self) -> int:
        """0 it holds, 1 a number changed or a file was edited, 3 an arm failed or is missing, 130 interrupted."""
        if self.run.manifest.get("interrupted"):
            return 130
        if self.changed or self.start or self.reference.edited:
            return 1
        return 3 if self.absent else max(self.run.exit_code, 0)

    @property
    def verdict(self) -> str:
        """In a few words."""
        if self.run.faults and not (self.changed or self.start or self.reference.edited or self.absent):
            return "the numbers hold, by a version with a known fault"
        return {0: "holds", 1: "changed", 3: "cannot run all of it here", 130: "interrupted"}[self.exit_code]


def reproduce(reference: Reference, timings: bool, progress: Progress, arms: Sequence[str] = ()) -> Reproduction:
    """Run a reference again, in a folder that is thrown away, and judge every number.

    Args:
        reference: which.
        timings: whether times are measured too; they are reported, never judged.
        progress: see harness.execution.run.
        arms: only these; all committed ones when empty. Another version of a committed arm, `jax@0.10.2`, is judged by it.

    Raises:
        UsageError: an arm is not committed, in any version.
    """
    inherited = heirs(reference, arms)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        found = run(
            reference.experiment,
            arms=arms or list(reference.manifest["arms"]),
            results=folder,
            timing="smoke" if timings else "none",
            probes=False,  # no committed table holds them
            progress=progress,
        )
        judged = judge(reference.tables, cells.committed(found), found, inherited)
    if not timings:
        judged = [item for item in judged if item.table != "timings"]
    if arms:
        wanted = set(arms) | {record.arm for record in found.records}
        judged = [item for item in judged if item.arm in wanted]
    versions = changed_versions(reference, found, inherited)
    return Reproduction(reference, found, judged, versions, changed_start(reference, found), bool(arms))


def heirs(reference: Reference, arms: Sequence[str]) -> dict[str, list[str]]:
    """Committed arm -> the arms that are held against it: itself, and the same backend and mode in another environment.

    Raises:
        UsageError: an arm is not committed, in any version.
    """
    committed = list(reference.manifest["arms"])
    found: dict[str, list[str]] = {}
    for name in arms:
        arm = parse(name)
        old = next((old for old in (arm.name, arm.family) if old in committed), None)
        if old is None:
            raise UsageError(f'the reference "{reference.name}" has no arm "{arm.family}"', f"it has {', '.join(committed)}")
        found.setdefault(old, []).append(arm.name)
    return found


def changed_versions(reference: Reference, found: Run, inherited: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is of another version than when the reference was made: arm -> `jax 0.10.1 -> 0.10.2, ...`."""
    committed_as = {arm: old for old, arms in inherited.items() for arm in arms}
    changed = {}
    for record in found.arms:
        committed = reference.manifest["arms"].get(committed_as.get(record.arm, record.arm), {})
        old, new = committed.get("versions", {}), arm_facts(record)["versions"]
        changes = [f"{name} {old[name]} -> {new[name]}" for name in old if name in new and old[name] != new[name]]
        if changes:
            changed[record.arm] = ", ".join(changes)
    return changed


def changed_start(reference: Reference, found: Run) -> list[str]:
    """What the run did not start from as committed: weights, batches, masks."""
    if not any(record.is_reference for record in found.records):
        return []
    old, new = reference.manifest["fingerprints"], fingerprints(found)
    return [name for name in old if old[name] != new.get(name)]
