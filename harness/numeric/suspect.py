"""An arm that differs: what its differences are, where it goes wrong, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArmFailed
from ..interface import Floor, errors, load_arrays
from ..pool import Worker
from ..registry import Arm, backend
from .build import REFERENCE, Build
from .diagnosis import Located, beside, joined, tell, witnessed
from .flips import flips
from .trajectory import Step

if TYPE_CHECKING:
    from .lane import Lane, Reference

Floors = dict[Step, dict[str, Floor]]


@dataclass
class Suspect:
    """An arm whose tensors have been compared.

    Attributes:
        lane, arm, reference: what was compared with what.
        folder: of the arm's tensors.
        rows: of the comparison; `found` writes what each difference is into them.
        wrong: the forced steps that are looked into; none where nothing differs.
        witnesses: errors of the arm in float64, where the run is in float32.
        mute: why there are none.
    """

    lane: Lane
    arm: Arm
    reference: Reference
    folder: Path
    rows: list[dict[str, Any]]
    wrong: Sequence[Step]
    witnesses: dict[Step, dict[str, float]] = field(default_factory=dict)
    mute: str = ""

    def hear(self, worker: Worker) -> None:
        """The second witness: the same steps in float64, by the arm's own worker. None where the arm has no float64."""
        if not self.wrong or self.lane.dtype != "float32":
            return
        folder = self.folder / "float64"
        folder.mkdir()
        try:
            self.lane.build(worker, Build(self.lane.spec, "float64", self.lane.crew.device, self.arm.mode))
            worker.ask("forced", steps=list(self.wrong), states=str(self.reference.folder), folder=str(folder))
        except ArmFailed as problem:
            if problem.status == "interrupted":
                raise
            self.mute = f"{problem.status}: {problem.reason}"
            return
        names = {step: f"forced-{step}.npz" for step in self.wrong}
        self.witnesses = {
            step: errors(load_arrays(folder / name), load_arrays(self.reference.folder / name)) for step, name in names.items()
        }

    def found(self) -> dict[str, Any]:
        """What is `located`, or why nothing could be (`not_located`), where rounding alone parts (`amplified`), and why there was no second
        witness (`no_float64`); nothing where nothing differs."""
        if not self.wrong:
            return {}
        self.lane.progress(self.arm.name, {"phase": "looking for the cause"})
        facts: dict[str, Any] = {}
        level: Floors = {}
        right: list[Step] = []
        try:
            entries, level = self.replayed()
            right = [step for step, found in entries.items() if not found]
            facts = {"located": joined(entries), "amplified": self.amplified(right)}
        except ArmFailed as problem:
            if problem.status == "interrupted":
                raise
            facts = {"not_located": f"{problem.status}: {problem.reason}"}
        heard = {step: witnessed(level.get(step), self.witnesses.get(step)) for step in self.wrong}
        tell(self.rows, self.lane.dtype, heard, right)
        return {name: value for name, value in {**facts, "no_float64": self.mute}.items() if value}

    def replayed(self) -> tuple[dict[Step, list[Located]], Floors]:
        """What is wrong by itself at each step that is looked into, and floors in the other number format. Where nothing is, all other
        steps that differ are looked into as well.

        Raises:
            ArmFailed: the reference cannot say, e.g. in the time that one answer may take.
        """
        lane, reference = self.lane, self.reference
        adapter, other = backend(REFERENCE), "float64" if lane.dtype == "float32" else "float32"
        with lane.crew.worker(REFERENCE, f"{self.arm.name} cause") as worker:
            worker.ask("open", module=adapter.module, place=adapter.place)
            level = lane.measured(worker, reference, other, self.wrong, self.arm.name)
            lane.build(worker, Build(lane.spec.with_forms(reference.forms), "float64", "cpu", ""))
            found = {step: self.located(worker, step) for step in self.wrong}
            if not any(found.values()):
                found.update({step: self.located(worker, step) for step in beside(self.rows, self.wrong)})
        return found, level

    def located(self, worker: Worker, step: Step) -> list[Located]:
        """See harness.worker.diagnosis.located."""
        entries: list[Located] = worker.ask(
            "locate", step=step, states=str(self.reference.folder), tensors=str(self.folder), dtype=self.lane.dtype,
            replicas=self.lane.replica_modes([step]),
        )  # fmt: skip
        return entries

    def amplified(self, steps: Sequence[Step]) -> list[Mapping[str, Any]]:
        """Of steps at which every node is right by itself: the units that stand on the other side of a kink."""
        return [
            {"step": step, "flips": flips(load_arrays(self.folder / name), load_arrays(self.reference.folder / name))}
            for step, name in ((step, f"forced-{step}.npz") for step in steps)
        ]
