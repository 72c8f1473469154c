"""The numeric lane: the reference and every arm run the same steps, and are held against each other. Nothing here is timed."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArmFailed
from ..interface import Floor, errors, floors, load_arrays
from ..pool import Crew, Worker
from ..records.store import file_name
from ..registry import Arm, backend
from ..spec import ProgramSpec, encode, relevant_forms
from .agreement import compare, conclusion
from .diagnosis import joined, tell, witnessed, wrong_steps
from .trajectory import Trajectory

REFERENCE = Arm("numpy")
#: replicas with sequential sums: PyTorch sums a channel's 4096 numbers so one after the other, XLA most of what it sums
SEQUENTIAL = 6
Progress = Callable[[str, dict[str, Any]], None]


class Build(NamedTuple):
    """What a program is built of. The reference computes on the CPU, whatever the arms use."""

    spec: ProgramSpec
    dtype: str
    device: str
    mode: str


@dataclass
class Outcome:
    """What the numeric lane found of one arm (or of the reference).

    Attributes:
        facts: versions, forms, fingerprints, the conclusion.
        losses: loss of each step of the free pass.
        metrics: rows of step, split, metric, value.
        agreement: rows of harness.numeric.compare; for the reference itself the norms and floors.
        final: file with the final state.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    final: Path | None = None


@dataclass
class Reference:
    """The reference in one set of forms: its outcome, its tensors' folder, its floors."""

    folder: Path
    outcome: Outcome
    forms: dict[str, str] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    floors: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lane:
    """The numeric lane of one run.

    Attributes:
        crew: starts workers.
        spec: the program, in canonical forms.
        trajectory: forced steps and replicas.
        dtype: of the arms.
        folder: of the run's own; holds `data.npz` and `initial.npz`.
        free: arguments of the free pass (steps, evaluate, names, threshold).
        weights: fingerprint that every arm's first weights must have.
        progress: told what an arm is at.
    """

    crew: Crew
    spec: ProgramSpec
    trajectory: Trajectory
    dtype: str
    folder: Path
    free: Mapping[str, Any]
    weights: str
    progress: Progress
    references: dict[str, Reference] = field(default_factory=dict)
    failures: dict[str, ArmFailed] = field(default_factory=dict)
    locks: dict[str, Any] = field(default_factory=dict)
    door: Any = field(default_factory=threading.Lock)

    def reference(self, forms: Mapping[str, str]) -> Reference:
        """The reference in some forms, computed by whoever asks first; others wait.

        Raises:
            ArmFailed: the reference itself failed.
        """
        key = forms_key(forms)
        with self.door:
            lock = self.locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self.references and key not in self.failures:
                try:
                    self.references[key] = self.compute(key, forms)
                except ArmFailed as problem:
                    self.failures[key] = ArmFailed(problem.status, f"the reference: {problem.reason}")
            if key in self.failures:
                raise ArmFailed(self.failures[key].status, self.failures[key].reason)
            return self.references[key]

    def compute(self, key: str, forms: Mapping[str, str]) -> Reference:
        """Run the reference in float64, keep its states and tensors, then measure the floor by replicas."""
        name = f"reference{key}"
        folder = self.folder / f"reference-{list(self.locks).index(key)}"
        folder.mkdir()
        with self.crew.worker(REFERENCE, name) as worker:
            spec = self.spec.with_forms(forms)
            build = Build(spec, "float64", "cpu", "")
            outcome = self.free_pass(worker, REFERENCE, name, build, folder, self.trajectory.steps)
            steps = [step for step in self.trajectory.steps if (folder / f"state-{step}.npz").exists()]
            stopped = outcome.facts["stopped"]
            found = Reference(folder, outcome, dict(forms), [step for step in steps if stopped is None or step < stopped])
            worker.ask("forced", steps=found.steps, states=str(folder), folder=str(folder))
            found.floors = self.measured(worker, found, self.dtype, found.steps)
        outcome.facts["forms"] = dict(forms)
        outcome.agreement = [row for step in found.steps for row in self.rows(found, found.folder, step)]
        return found

    def measured(self, worker: Worker, found: Reference, dtype: str, steps: Sequence[int]) -> dict[int, dict[str, Floor]]:
        """Floors by step: replicas of the reference in a number format, each with roundings of its own, and some with sequential sums."""
        spec = self.spec.with_forms(found.forms)
        sizes: dict[int, list[dict[str, float]]] = {step: [] for step in steps}
        folder = Path(tempfile.mkdtemp(prefix="replica-", dir=found.folder))  # several arms may measure at the same time
        for mode in self.replica_modes():
            self.build(worker, Build(spec, dtype, "cpu", mode))
            worker.ask("forced", steps=list(steps), states=str(found.folder), folder=str(folder))
            for step in steps:
                path = folder / f"forced-{step}.npz"
                sizes[step].append(errors(load_arrays(path), load_arrays(found.folder / path.name)))
                path.unlink()
        count = self.trajectory.replicas
        return {step: floors(replicas[:count], replicas[count:], dtype) for step, replicas in sizes.items()}

    def run(self, arm: Arm) -> Outcome:
        """One arm: free pass, forced pass, comparison.

        Raises:
            ArmFailed: with the status and reason of its row.
        """
        folder = self.folder / file_name(arm.name)
        folder.mkdir()
        with self.crew.worker(arm) as worker:
            build = Build(self.spec, self.dtype, self.crew.device, arm.mode)
            outcome = self.free_pass(worker, arm, arm.name, build, folder, ())
            forms = relevant_forms(self.spec, outcome.facts["forms"])
            reference = self.reference(forms)
            self.progress(arm.name, {"phase": "forced steps"})
            worker.ask("forced", steps=reference.steps, states=str(reference.folder), folder=str(folder))
            outcome.facts["faults"] = worker.ask("faults")
            for step in reference.steps:
                outcome.agreement += self.rows(reference, folder, step)
            wrong = wrong_steps(outcome.agreement)
            witnesses = self.second_witness(worker, arm, outcome, reference, folder, wrong) if wrong else {}
        self.check_same_data(outcome, reference)
        if wrong:
            self.progress(arm.name, {"phase": "looking for the cause"})
            level = self.look_for_cause(arm, outcome, reference, folder, wrong)
            tell(outcome.agreement, self.dtype, {step: witnessed(level.get(step), witnesses.get(step)) for step in wrong})
        outcome.facts.update(conclusion(outcome.agreement), forms=forms)
        for step in reference.steps:
            (folder / f"forced-{step}.npz").unlink()
        return outcome

    def second_witness(
        self, worker: Worker, arm: Arm, outcome: Outcome, reference: Reference, folder: Path, steps: Sequence[int]
    ) -> dict[int, dict[str, float]]:
        """Errors of a float32 arm in float64 at some steps, by tensor; where it has no float64, why is written down."""
        if self.dtype == "float64":
            return {}
        try:
            return self.other_format(worker, arm, reference, folder, steps)
        except ArmFailed as problem:
            if problem.status == "interrupted":
                raise
            outcome.facts["no_float64"] = f"{problem.status}: {problem.reason}"
            return {}

    def other_format(
        self, worker: Worker, arm: Arm, reference: Reference, folder: Path, steps: Sequence[int]
    ) -> dict[int, dict[str, float]]:
        """Errors of an arm in float64 at some steps, by tensor.

        Raises:
            ArmFailed: it has no float64.
        """
        beside = folder / "float64"
        beside.mkdir()
        self.build(worker, Build(self.spec, "float64", self.crew.device, arm.mode))
        worker.ask("forced", steps=list(steps), states=str(reference.folder), folder=str(beside))
        names = {step: f"forced-{step}.npz" for step in steps}
        return {step: errors(load_arrays(beside / name), load_arrays(reference.folder / name)) for step, name in names.items()}

    def look_for_cause(
        self, arm: Arm, outcome: Outcome, reference: Reference, folder: Path, steps: Sequence[int]
    ) -> dict[int, dict[str, Floor]]:
        """Write down what is located, or why nothing could be; floors in the other number format."""
        try:
            outcome.facts["located"], level = self.diagnose(arm, reference, folder, steps)
        except ArmFailed as problem:
            if problem.status == "interrupted":
                raise
            outcome.facts["not_located"] = f"{problem.status}: {problem.reason}"
            return {}
        return level

    def diagnose(
        self, arm: Arm, reference: Reference, folder: Path, steps: Sequence[int]
    ) -> tuple[list[dict[str, Any]], dict[int, dict[str, Floor]]]:
        """Where an arm goes wrong and why, and floors in the other number format.

        Raises:
            ArmFailed: the reference cannot say, e.g. in the time that one answer may take.
        """
        adapter, other = backend(REFERENCE), "float64" if self.dtype == "float32" else "float32"
        with self.crew.worker(REFERENCE, f"{arm.name} cause") as worker:
            worker.ask("open", module=adapter.module, place=adapter.place)
            level = self.measured(worker, reference, other, steps)
            self.build(worker, Build(self.spec.with_forms(reference.forms), "float64", "cpu", ""))
            found = {
                step: worker.ask(
                    "locate", step=step, states=str(reference.folder), tensors=str(folder), dtype=self.dtype, replicas=self.replica_modes()
                )
                for step in steps
            }
        return joined(found), level

    def replica_modes(self) -> list[str]:
        """The replicas that measure what rounding does."""
        return [f"replica-{number}" for number in range(self.trajectory.replicas)] + [
            f"sequential-{number}" for number in range(SEQUENTIAL)
        ]

    def rows(self, reference: Reference, folder: Path, step: int) -> list[dict[str, Any]]:
        """The comparison of one forced step."""
        name = f"forced-{step}.npz"
        return compare(step, load_arrays(folder / name), load_arrays(reference.folder / name), reference.floors[step])

    def free_pass(self, worker: Worker, arm: Arm, name: str, build: Build, folder: Path, keep: Sequence[int]) -> Outcome:
        """Import, build and train freely."""
        self.progress(name, {"phase": "importing"})
        adapter = backend(arm)
        opened = worker.ask("open", module=adapter.module, place=adapter.place)
        self.progress(name, {"phase": "building"})
        built = self.build(worker, build)
        done = worker.ask(
            "free",
            keep=list(keep),
            folder=str(folder),
            progress=lambda facts: self.progress(name, facts["progress"]),
            **self.free,
        )
        facts = {
            "forms": opened["forms"],
            "python": opened["python"],
            "versions": built["versions"],
            "stopped": done["stopped"],
            "fingerprints": {"weights": built["weights"], **done["fingerprints"]},
        }
        return Outcome(facts, done["losses"], done["metrics"], final=folder / "final.npz")

    def build(self, worker: Worker, build: Build) -> dict[str, Any]:
        """Build an arm's program.

        Raises:
            ArmFailed: it does not support the program, or does not hold the weights that it was given.
        """
        built: dict[str, Any] = worker.ask(
            "build", spec=encode(build.spec), dtype=build.dtype, device=build.device, mode=build.mode,
            data=str(self.folder / "data.npz"), state=str(self.folder / "initial.npz"),
        )  # fmt: skip
        if "unsupported" in built:
            raise ArmFailed("unsupported", "; ".join(built["unsupported"]))
        if built["weights"] != self.weights:
            raise ArmFailed("failed", f"its first weights are not those it was given (fingerprint {built['weights']})")
        return built

    def check_same_data(self, outcome: Outcome, reference: Reference) -> None:
        """Every arm has to have seen the reference's batches and masks.

        Raises:
            ArmFailed: it saw others.
        """
        seen, right = outcome.facts["fingerprints"], reference.outcome.facts["fingerprints"]
        whole = outcome.facts["stopped"] is None and reference.outcome.facts["stopped"] is None
        for name in ("batches", "masks"):
            if whole and seen[name] != right[name]:
                raise ArmFailed("failed", f"its {name} are not the reference's (fingerprint {seen[name]}, not {right[name]})")


def forms_key(forms: Mapping[str, str]) -> str:
    """Forms as they stand in names and tables: "" for none, `[adam.epsilon=hat]` otherwise."""
    return f"[{', '.join(f'{name}={value}' for name, value in sorted(forms.items()))}]" if forms else ""
