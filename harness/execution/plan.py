"""From an experiment to everything that a run needs to know before it starts. Whatever is wrong is found here, before anything
runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from ..data.facts import data_facts, train_rows
from ..environments import environment_of
from ..errors import UsageError
from ..numeric.trajectory import Trajectory, trajectory
from ..registry import Arm, backend, parse
from ..spec import Experiment, Facts, ProgramSpec, SpecProblem, active_slots, program, steps_per_epoch, total_steps
from ..spec.losses import BinaryCrossEntropy
from ..spec.reader import Source, from_mapping, read


@dataclass(frozen=True)
class Plan:
    """A checked experiment.

    Attributes:
        source: the file and the experiment in it.
        folder: what paths in it are relative to.
        facts: rows, features and classes of its data.
        spec: the program, in canonical forms.
        steps: optimizer steps of the whole run.
        per_epoch: steps of an epoch.
        arms: what is compared, in order.
    """

    source: Source
    folder: Path
    facts: Facts
    spec: ProgramSpec
    steps: int
    per_epoch: int
    arms: tuple[Arm, ...]

    @property
    def experiment(self) -> Experiment:
        """The experiment itself."""
        return self.source.experiment

    @property
    def rows(self) -> int:
        """Training rows."""
        return train_rows(self.experiment.data, self.facts)

    @property
    def batch_size(self) -> int:
        """Rows in a step."""
        size = self.experiment.train.batch_size
        return self.rows if isinstance(size, str) else size

    @property
    def trajectory(self) -> Trajectory:
        """Forced steps and replicas."""
        return trajectory(self.spec, self.steps, self.experiment.compare.forced_steps, self.batch_size)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured: as the experiment says, else accuracy for classes and r2 for values."""
        return self.experiment.compare.metrics or (("r2",) if self.spec.targets == "value" else ("accuracy",))

    @property
    def threshold(self) -> float:
        """Above it, an output of one value means the second class: half way for 0 and 1, zero for logits and for -1 and 1."""
        return 0.5 if self.spec.targets == "binary" and not isinstance(self.spec.loss, BinaryCrossEntropy) else 0.0

    @property
    def evaluations(self) -> list[int]:
        """After how many steps metrics are taken: at the end of epochs, and at the end."""
        stride = self.per_epoch * self.experiment.compare.evaluate_every
        return sorted({*range(stride, self.steps + 1, stride), self.steps})


def plan(experiment: str | Path | Mapping[str, Any], changes: Sequence[str] = (), arms: Sequence[str] = ()) -> Plan:
    """Read and check an experiment.

    Args:
        experiment: a TOML file, or its tree.
        changes: `KEY=VALUE`, as `--set` takes them.
        arms: what is compared instead of the experiment's own arms.

    Raises:
        SpecError: it cannot be run; all problems at once, each with its place.
        UsageError: an arm is unknown.
    """
    source = from_mapping(experiment) if isinstance(experiment, Mapping) else read(experiment, changes)
    folder = Path.cwd() if isinstance(experiment, Mapping) else Path(experiment).resolve().parent
    found = source.experiment
    chosen = located_arms(source, arms or found.compare.arms, bool(arms))
    try:
        facts = data_facts(found.data, folder)
        spec = program(found, facts)
        check_metrics(found, spec)
        check_memory(spec)
        rows = train_rows(found.data, facts)
        return Plan(source, folder, facts, spec, total_steps(found, rows), steps_per_epoch(found, rows), chosen)
    except SpecProblem as problem:
        raise source.error(problem) from None


def located_arms(source: Source, names: Sequence[str], on_command_line: bool) -> tuple[Arm, ...]:
    """The arms by name, one that is named twice as a copy of itself; a wrong one is said with its place where it stands in the file."""
    found: list[Arm] = []
    for index, name in enumerate(names):
        try:
            arm = parse(name)
            backend(arm)
            environment_of(arm)
        except UsageError as problem:
            if on_command_line:
                raise
            raise source.error(SpecProblem(("compare", "arms", index), problem.message, problem.hint, code="arm")) from None
        while arm in found:
            arm = replace(arm, copy=arm.copy + 1)
        found.append(arm)
    return tuple(found)


def check_metrics(experiment: Experiment, spec: ProgramSpec) -> None:
    """Metrics have to suit the targets.

    Raises:
        SpecProblem: accuracy of values, or r2 of classes.
    """
    wrong = {"accuracy"} if spec.targets == "value" else {"r2"} if spec.targets == "integer" else set()
    if spec.targets == "integer":
        wrong |= {"mean_squared_error", "mean_absolute_error"}
    for index, name in enumerate(experiment.compare.metrics or ()):
        if name in wrong:
            hint = "use r2 or mean_squared_error" if spec.targets == "value" else "use accuracy"
            raise SpecProblem(
                ("compare", "metrics", index), f'"{name}" cannot be taken of "{spec.targets}" targets', hint, code="metric"
            )


def check_memory(spec: ProgramSpec) -> None:
    """The state and one gradient, in float64, have to fit into the memory that is free.

    Raises:
        SpecProblem: they do not.
    """
    numbers = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    needed = numbers * 8 * (3 + len(active_slots(spec.optimizer)))
    free = psutil.virtual_memory().available
    if needed > free:
        raise SpecProblem(
            ("model", "layers"), f"{numbers:,} parameters and their gradients need {needed / 2**30:,.0f} GiB; {free / 2**30:,.0f} are free",
            "make the layers smaller", code="memory",
        )  # fmt: skip
