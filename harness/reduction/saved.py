"""A saved run as a start: its experiment, as it was run, and the step at which its arm was found to differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ArmFailed, UsageError
from ..execution.plan import Plan
from ..execution.saved import saved_plan
from ..numeric.diagnosis import first_wrong_step
from ..records.record import Record
from ..records.runs import find, read_run


def saved(name: str, results: Path, arm: str | None) -> tuple[Plan, int | None, Path]:
    """What a saved run says of one of its arms.

    Args:
        name: of the run; see harness.records.runs.find.
        results: folder of all results.
        arm: which; the first that differs when not given.

    Returns:
        Its experiment with that arm, the first step at which it differs (None where it agrees), and the run's folder.

    Raises:
        UsageError: there is no such run, or no such arm in it, or a file of it is damaged.
        SpecError: its experiment cannot be run here, e.g. since its data are not here.
        ArmFailed: the arm failed in it.
    """
    folder = find(name, results)
    record = chosen([record for record in read_run(folder)[1] if not record.is_reference], folder, arm)
    if "verdict" not in record.facts:
        raise ArmFailed(record.status, f"{record.arm}, {record.status}: {record.reason}")
    return saved_plan(folder, [record.arm]), first_wrong_step(record.agreement), folder


def chosen(records: Sequence[Record], folder: Path, arm: str | None) -> Record:
    """An arm's record by name, or the first that differs.

    Raises:
        UsageError: there is none.
    """
    names = [record.arm for record in records]
    if arm is None:
        differing = [record.arm for record in records if record.facts.get("verdict", "agrees") != "agrees"]
        arm = next(iter(differing), next(iter(names), ""))
    if arm not in names:
        raise UsageError(f'the run {folder.name} has no arm "{arm}"', f"it has {', '.join(names) or 'none'}")
    return records[names.index(arm)]
