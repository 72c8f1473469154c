"""One experiment tried in an arm: what is wrong with it, and whether that is the difference that is looked for."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArmFailed
from ..execution.layout import lay_out
from ..execution.plan import Plan
from ..interface import LOSS, OPTIMIZER
from ..numeric.build import REFERENCE, Build
from ..numeric.lane import Lane, Outcome
from ..pool import Crew
from ..registry import Arm, backend
from ..spec import Activation, ProgramSpec, relevant_forms

Located = dict[str, Any]
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


class Sight(NamedTuple):
    """What is seen of a difference, whatever the size of the experiment.

    Attributes:
        makers: the types of the layers (or `loss`, or `optimizer`) at which it is located.
        cause: its cause, without the numbers in it; "" where none was found.
        others: other causes that would explain it as well, alike.
        ways: how many those are, with their numbers.
        finite: whether what is wrong is a number.
    """

    makers: tuple[str, ...]
    cause: str
    others: frozenset[str]
    ways: int
    finite: bool

    def shown_by(self, other: Sight) -> bool:
        """Whether another one is the same difference, and says its cause at least as clearly."""
        same = (self.makers, self.cause, self.finite) == (other.makers, other.cause, other.finite)
        return same and other.others <= self.others | {self.cause} and other.ways <= self.ways


def sight(spec: ProgramSpec, entry: Located) -> Sight:
    """What is seen of something that was located."""
    cause = entry["cause"] or {"text": "", "or": ()}
    makers = tuple(sorted(kind(spec, name) for name in entry["makers"]))
    finite = math.isfinite(entry["tensors"][0]["error"])
    return Sight(makers, general(cause["text"]), frozenset(map(general, cause["or"])), len(cause["or"]), finite)


def general(text: str) -> str:
    """A cause without its numbers, which are others in an experiment of another size."""
    return NUMBER.sub("#", text)


def kind(spec: ProgramSpec, maker: str) -> str:
    """The type of a node; of an activation, that of its function."""
    if maker in (LOSS, OPTIMIZER):
        return maker
    layer = next(node.layer for node in spec.nodes if node.name == maker)
    function = layer.activation if isinstance(layer, Activation) else None
    return function.type if function else layer.type


@dataclass(frozen=True)
class Trial:
    """One experiment at its first forced step.

    Attributes:
        plan: the experiment.
        arm: in which it is tried.
        lane: builds programs of it.
        forms: the arm's.
    """

    plan: Plan
    arm: Arm
    lane: Lane
    forms: dict[str, str]

    def located(self, dtype: str) -> list[Located]:
        """The nodes that are wrong by themselves, in a number format of the arm.

        Raises:
            ArmFailed: the arm cannot do it, or the reference cannot say.
        """
        step, folder = self.plan.trajectory.steps[0], self.lane.folder
        with self.lane.crew.worker(self.arm) as worker:
            self.lane.build(worker, Build(self.plan.spec, dtype, self.lane.crew.device, self.arm.mode))
            worker.ask("forced", steps=[step], states=str(folder), folder=str(folder))
        with self.lane.crew.worker(REFERENCE, "reference") as worker:
            found: list[Located] = worker.ask(
                "locate", step=step, states=str(folder), tensors=str(folder), dtype=dtype, replicas=self.lane.replica_modes([step])
            )
        return found

    def wide(self, seen: Sight) -> bool | None:
        """Whether the same nodes are wrong in float64 too, whatever the cause: then it is the formula, not the arithmetic. None where that
        cannot be tried."""
        if self.lane.dtype != "float32":
            return None
        try:
            return any(sight(self.plan.spec, entry).makers == seen.makers for entry in self.located("float64"))
        except ArmFailed:
            return None


@dataclass(frozen=True)
class Bench:
    """Where an arm's experiments are tried.

    Attributes:
        crew: whose workers are kept.
        arm: the arm.
    """

    crew: Crew
    arm: Arm

    @contextmanager
    def trial(self, plan: Plan) -> Iterator[Trial]:
        """An experiment laid out, the reference at its first forced step.

        Raises:
            ArmFailed: the arm cannot be started, or the reference fails.
        """
        with tempfile.TemporaryDirectory(dir=self.crew.folder) as name:
            lane = self.lane(plan, Path(name))
            with self.crew.worker(self.arm) as worker:
                forms = relevant_forms(plan.spec, opened(worker, self.arm)["forms"])
            with self.crew.worker(REFERENCE, "reference") as worker:
                opened(worker, REFERENCE)
                lane.build(worker, Build(plan.spec.with_forms(forms), "float64", "cpu", ""))
                worker.ask("free", keep=list(plan.trajectory.steps), folder=name, **lane.free)
            yield Trial(plan, self.arm, lane, forms)

    def lane(self, plan: Plan, folder: Path) -> Lane:
        """The numeric lane of an experiment, without metrics, and without probes: no experiment states one."""
        free = {"steps": plan.steps, "evaluate": [], "names": [], "threshold": plan.threshold}
        dtype, steps = plan.experiment.compare.dtype, replace(plan.trajectory, probes=False)
        return Lane(self.crew, plan.spec, steps, dtype, folder, free, lay_out(plan, folder), lambda *_: None)

    def judged(self, plan: Plan) -> Outcome:
        """The whole verdict, as a run gives it.

        Raises:
            ArmFailed: with the status and reason of its row.
        """
        with tempfile.TemporaryDirectory(dir=self.crew.folder) as name:
            return self.lane(plan, Path(name)).run(self.arm)


def opened(worker: Any, arm: Arm) -> dict[str, Any]:
    """Let a worker import its adapter; once is enough, and again costs nothing."""
    adapter = backend(arm)
    found: dict[str, Any] = worker.ask("open", module=adapter.module, place=adapter.place)
    return found
