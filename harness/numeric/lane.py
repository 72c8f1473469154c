"""The numeric lane: the reference and every arm run the same steps, and are held against each other. Nothing here is timed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ArmFailed
from ..interface import Floor, floors, load_arrays
from ..pool import Crew, Worker
from ..records.store import file_name
from ..registry import Arm, backend
from ..spec import ProgramSpec, encode, relevant_forms
from .agreement import compare, conclusion
from .build import REFERENCE, Build, built
from .diagnosis import wrong_steps
from .suspect import Suspect
from .trajectory import EXACT, Step, Trajectory

#: replicas with sequential sums: PyTorch sums a channel's 4096 numbers so one after the other, XLA most of what it sums
SEQUENTIAL = 6
Progress = Callable[[str, dict[str, Any]], None]


@dataclass
class Outcome:
    """What the numeric lane found of one arm (or of the reference).

    Attributes:
        facts: versions, forms, fingerprints, the conclusion.
        losses: loss of each step of the free pass.
        envelope: of the reference, see harness.numeric.parting.
        metrics: rows of step, split, metric, value.
        agreement: rows of harness.numeric.compare; for the reference itself the norms and floors.
        probes: the same of the directed probes, by `probe` instead of `step`.
        final: file with the final state.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    envelope: list[float] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    final: Path | None = None

    def keep(self, rows: Sequence[dict[str, Any]]) -> None:
        """Rows of a comparison, those of probes apart."""
        self.agreement = [row for row in rows if not isinstance(row["step"], str)]
        self.probes = [{"probe": row["step"], **row} for row in rows if isinstance(row["step"], str)]
        for row in self.probes:
            del row["step"]


@dataclass
class Reference:
    """The reference in one set of forms: its outcome, its tensors' folder, its forced steps (probes behind), its floors."""

    folder: Path
    outcome: Outcome
    forms: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    floors: dict[Step, Any] = field(default_factory=dict)


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
        brief: in a grid, where many programs are tried in the same workers: neither is the installation looked at (pre-flight, known
            faults), nor are the reference's own norms kept.
    """

    crew: Crew
    spec: ProgramSpec
    trajectory: Trajectory
    dtype: str
    folder: Path
    free: Mapping[str, Any]
    weights: str
    progress: Progress
    brief: bool = False
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
            if self.trajectory.probes:
                found.steps += worker.ask("probes", folder=str(folder))
            self.force(worker, name, found.steps, str(folder), str(folder))
            found.floors = self.measured(worker, found, self.dtype, found.steps, name)
            self.progress(name, {"phase": "ready"})
        outcome.facts["forms"] = dict(forms)
        if not self.brief:
            outcome.keep(self.rows(found, found.folder))
        return found

    def measured(
        self, worker: Worker, found: Reference, dtype: str, steps: Sequence[Step], name: str
    ) -> dict[Step, dict[str, Floor]]:
        """Floors by step: replicas of the reference in a number format, each with roundings of its own, and some with sequential sums.
        `name` is whose progress it is."""
        measured = {}

        def told(answer: Mapping[str, Any]) -> None:
            count = {"step": steps.index(answer["progress"]["replicas"]) + 1, "steps": len(steps)}
            self.progress(name, {"phase": "measuring what rounding does", **count})

        self.progress(name, {"phase": "measuring what rounding does"})
        for part in alike(steps):
            modes = self.replica_modes(part)
            sizes = worker.ask(
                "replicas", spec=encode(self.spec.with_forms(found.forms)), dtype=dtype, modes=modes, steps=part, states=str(found.folder),
                data=str(self.folder / "data.npz"), progress=told,
            )  # fmt: skip
            count = sum("sequential" not in mode for mode in modes)
            measured.update({step: floors(each[:count], each[count:], dtype) for step, each in zip(part, sizes, strict=True)})
        return {step: measured[step] for step in steps}

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
            self.progress(arm.name, {"phase": "waiting for the reference"})
            reference = self.reference(forms)
            self.force(worker, arm.name, reference.steps, str(reference.folder), str(folder))
            if not self.brief:
                outcome.facts.update(self.looked_at(worker, arm))
            rows = self.rows(reference, folder)
            wrong = wrong_steps(rows)
            suspect = Suspect(self, arm, reference, folder, rows, wrong)
            suspect.hear(worker)
        self.check_same_data(outcome, reference)
        outcome.facts.update(suspect.found(), **conclusion(rows), forms=forms)
        outcome.keep(rows)
        for step in reference.steps:
            (folder / f"forced-{step}.npz").unlink()
        return outcome

    def force(self, worker: Worker, name: str, steps: Sequence[Step], states: str, folder: str) -> None:
        """The forced pass: the steps of the training, then the probes."""
        trained = sum(not isinstance(step, str) for step in steps)

        def told(answer: Mapping[str, Any]) -> None:
            done = steps.index(answer["progress"]["forced"]) + 1
            probing = done > trained
            count = {"step": done - trained, "steps": len(steps) - trained} if probing else {"step": done, "steps": trained}
            self.progress(name, {"phase": "directed probes" if probing else "forced steps", **count})

        self.progress(name, {"phase": "forced steps"})
        worker.ask("forced", progress=told, steps=steps, states=states, folder=folder)

    def looked_at(self, worker: Worker, arm: Arm) -> dict[str, Any]:
        """What is known of an arm's installation: faults that its adapter looks for, and the pre-flight."""
        device, threads = self.crew.device, self.crew.threads
        found = worker.ask("preflight", dtype=self.dtype, device=device, mode=arm.mode, threads=threads)
        return {"faults": worker.ask("faults"), "preflight": found}

    def replica_modes(self, steps: Sequence[Step]) -> list[str]:
        """The replicas that measure what rounding does at steps that are alike, those with sequential sums behind: half as many for probes,
        which leave exact results alone where they stand on kinks on purpose."""
        careful, share = "careful-" if EXACT in steps else "", 2 if isinstance(steps[0], str) else 1
        modes = [f"{careful}replica-{number}" for number in range(self.trajectory.replicas // share)]
        return [*modes, *(f"{careful}sequential-{number}" for number in range(SEQUENTIAL // share))]

    def rows(self, reference: Reference, folder: Path) -> list[dict[str, Any]]:
        """The comparison of all forced steps."""
        names = {step: f"forced-{step}.npz" for step in reference.steps}
        return [
            row
            for step, name in names.items()
            for row in compare(step, load_arrays(folder / name), load_arrays(reference.folder / name), reference.floors[step])
        ]

    def free_pass(self, worker: Worker, arm: Arm, name: str, build: Build, folder: Path, keep: Sequence[int]) -> Outcome:
        """Import, build and train freely."""
        self.progress(name, {"phase": "importing"})
        adapter = backend(arm)
        opened = worker.ask("open", module=adapter.module, place=adapter.place)
        self.progress(name, {"phase": "building"})
        made = self.build(worker, build)
        done = worker.ask(
            "free",
            keep=list(keep),
            folder=str(folder),
            progress=lambda answer: self.progress(name, {"phase": "training", **answer["progress"]}),
            **self.free,
        )
        facts = {
            "forms": opened["forms"],
            "python": opened["python"],
            "versions": made["versions"],
            "stopped": done["stopped"],
            "fingerprints": {"weights": made["weights"], **done["fingerprints"]},
        }
        return Outcome(facts, done["losses"], metrics=done["metrics"], final=folder / "final.npz")

    def build(self, worker: Worker, build: Build) -> dict[str, Any]:
        """Build an arm's program.

        Raises:
            ArmFailed: it does not support the program, or does not hold the weights that it was given.
        """
        return built(worker, build, self.folder / "data.npz", self.folder / "initial.npz", self.weights)

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


def alike(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that the same replicas measure: those of the training, the probes, the probe of exact sums."""
    kinds: dict[tuple[bool, bool], list[Step]] = {}
    for step in steps:
        kinds.setdefault((isinstance(step, str), step == EXACT), []).append(step)
    return list(kinds.values())


def forms_key(forms: Mapping[str, str]) -> str:
    """Forms as they stand in names and tables: "" for none, `[adam.epsilon=hat]` otherwise."""
    return f"[{', '.join(f'{name}={value}' for name, value in sorted(forms.items()))}]" if forms else ""
