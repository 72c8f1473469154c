"""What each default of a framework would move: every arm trained with its framework's own, and each default alone by the reference."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy

from ..errors import ArmFailed
from ..interface import flat_state, load_arrays, save_arrays, state_fingerprint
from ..numeric.build import REFERENCE, Build, built
from ..numeric.lane import Lane as NumericLane
from ..numeric.lane import forms_key
from ..pool import Worker
from ..records.record import Record
from ..registry import Arm, backend
from ..spec import ProgramSpec
from ..tables import final_metric
from .defaults import Default, calls, changed, differing
from .layout import initial_state
from .plan import Plan

#: what stands for all of a framework's defaults
ALL = "all of them together"
#: what stands for them where there are none
NONE = "none that differs"
T = TypeVar("T")
#: the formulas that an arm computes in, by name
Forms = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Trained:
    """How a free pass ended.

    Attributes:
        loss: of the last step.
        metric: the first one at the end, on test rows where there are any.
        stopped: the step from which on the loss is not finite.
        gradient: of each parameter at the first step, where it was asked for.
    """

    loss: float
    metric: float | None
    stopped: int | None
    gradient: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ported:
    """An arm with its framework's own defaults.

    Attributes:
        defaults: those that differ.
        trained: how it ended with all of them; None where it was not tried.
        reason: why it was not, or what is to be known of it.
        about: what its row is called.
    """

    defaults: tuple[Default, ...] = ()
    trained: Trained | None = None
    reason: str = ""
    about: str = ALL


@dataclass
class Native:
    """The native variants of one run.

    Attributes:
        plan: the experiment.
        lane: whose workers, data and free pass are taken.
        records: what the aligned run found, by arm.
    """

    plan: Plan
    lane: NumericLane
    records: Mapping[str, Record]
    bases: dict[Forms, Trained | ArmFailed] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def found(self) -> dict[str, Any]:
        """The table's rows, one for each default alone and then one an arm for all together, each part by size; and beside them how far
        rounding alone moves what they move."""
        ported = self.parallel(self.ported, self.plan.arms)
        alone: dict[tuple[Forms, Default], list[str]] = {}
        for arm, port in zip(self.plan.arms, ported, strict=True):
            for default in port.defaults:
                alone.setdefault((self.forms(arm), default), []).append(arm.name)
        wanted = list(dict.fromkeys(forms for forms, default in alone if default.changes))
        self.bases.update(zip(wanted, self.parallel(self.base, wanted), strict=True))
        single = self.parallel(lambda item: self.alone(item[0][0], item[0][1], item[1]), alone.items())
        together = [self.together(arm, port) for arm, port in zip(self.plan.arms, ported, strict=True)]
        floor = self.rounding()
        rows = [*sorted(single, key=size), *sorted(together, key=size)]
        return {"rows": [{**row, "note": row["note"] or self.note(row, floor)} for row in rows], "rounding": floor}

    def forms(self, arm: Arm) -> Forms:
        """The forms that an arm computes in."""
        record = self.records.get(arm.name)
        return tuple(sorted((record.facts.get("forms") or {}).items())) if record else ()

    def rounding(self) -> dict[str, float | None]:
        """How far the arms that agree are from the reference at the end of their own training: rounding, amplified by it."""
        apart: list[dict[str, Any]] = []
        for arm in self.plan.arms:
            record, reference = self.records.get(arm.name), self.lane.references.get(forms_key(dict(self.forms(arm))))
            if record and reference and record.status == "ok" and record.facts.get("verdict") == "agrees":
                right, ended = reference.outcome, Trained(record.losses[-1], final_metric(record.metrics), None)
                apart.append(effect(ended, right.losses[-1], final_metric(right.metrics)))
        return {
            name: max((abs(row[name]) for row in apart if row[name] is not None), default=None) for name in ("loss", "metric")
        }

    def note(self, row: Mapping[str, Any], floor: Mapping[str, float | None]) -> str:
        """What is to be said of a row's numbers: that they are nothing, or no more than rounding moves them too."""
        if "loss" not in row:
            return ""
        if not any(row.get(name) for name in ("gradient", "loss", "metric")):
            return "moves nothing here"
        within = all(floor[name] is not None and abs(row[name] or 0.0) <= floor[name] for name in ("loss", "metric"))
        return "training: no more than rounding" if within else ""

    def parallel(self, job: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """A job for each item, as many at a time as there are cores."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
            return list(threads.map(job, items))

    def ported(self, arm: Arm) -> Ported:
        """One arm with all its framework's defaults, in the framework itself."""
        if arm.name not in self.records or self.records[arm.name].status != "ok":
            return Ported(reason="there is no aligned run to hold it against")
        paths = list(dict.fromkeys(call.path for _, call in calls(self.plan, arm.backend)))
        if not paths:
            return Ported(reason="no calls of its own are listed here, so no defaults", about=NONE)
        defaults: tuple[Default, ...] = ()
        try:
            self.lane.progress(arm.name, {"phase": "reading its defaults"})
            with self.worker(arm, f"{arm.name} native") as worker:
                defaults = tuple(differing(self.plan, arm.backend, worker.ask("signatures", paths=paths)))
                changes = [change for default in defaults for change in default.changes]
                if not changes:
                    return Ported(defaults, reason=self.weightless(arm.backend), about=NONE)
                spec = changed(self.plan.spec, changes)
                build = Build(spec, self.lane.dtype, self.lane.crew.device, arm.mode)
                trained = self.trained(worker, build, f"{arm.name} native", first=False)
        except ArmFailed as problem:
            return Ported(defaults, reason=f"{problem.status}: {problem.reason}")
        self.lane.progress(arm.name, {"done": "trained with its framework's defaults", "reason": "", "verdict": ""})
        return Ported(defaults, trained, self.weightless(arm.backend))

    def weightless(self, backend: str) -> str:
        """What to say of a framework that has layers as functions, or whose first weights are not listed."""
        drawing = any(
            key.endswith("_initializer") for _, call in calls(self.plan, backend) for key in (*call.names, *call.native)
        )
        return "" if drawing else "its calls here have no first weights of their own"

    def base(self, forms: Forms) -> Trained | ArmFailed:
        """The reference as it is, in some forms."""
        return self.reference(self.plan.spec.with_forms(dict(forms)), "no default")

    def reference(self, spec: ProgramSpec, what: str) -> Trained | ArmFailed:
        """A program trained by the reference."""
        name = f"default {next(self.numbers)}"
        self.lane.progress("numpy", {"phase": f"with {what}"})
        try:
            with self.worker(REFERENCE, name) as worker:
                return self.trained(worker, Build(spec, "float64", "cpu", ""), name, first=True)
        except ArmFailed as problem:
            return problem

    @contextmanager
    def worker(self, arm: Arm, name: str) -> Iterator[Worker]:
        """A worker of an arm that has imported its framework.

        Raises:
            ArmFailed: it broke down, or files cannot be written.
        """
        adapter = backend(arm)
        try:
            with self.lane.crew.worker(arm, name) as worker:
                worker.ask("open", module=adapter.module, place=adapter.place)
                yield worker
        except OSError as problem:
            raise ArmFailed("failed", f"temporary files: {problem.strerror or problem}") from None

    def trained(self, worker: Worker, build: Build, name: str, first: bool) -> Trained:
        """Build a program with first weights of its own and train it freely.

        Args:
            worker: with its framework imported.
            build: what is built.
            name: of the folder of its files.
            first: whether the first gradient is wanted.

        Raises:
            ArmFailed: it cannot be built, or broke down.
        """
        folder = Path(self.lane.folder) / name.replace(" ", "-")
        folder.mkdir()
        state = initial_state(build.spec, self.plan.experiment.compare.seed)
        save_arrays(folder / "state-0.npz", flat_state(state))
        built(worker, build, self.lane.folder / "data.npz", folder / "state-0.npz", state_fingerprint(state))
        free = {**self.lane.free, "evaluate": [self.plan.steps]}
        done = worker.ask("free", keep=[], folder=str(folder), **free)
        gradient = self.first_gradient(worker, folder) if first else {}
        return Trained(done["losses"][-1], final_metric(done["metrics"]), done["stopped"], gradient)

    def first_gradient(self, worker: Worker, folder: Path) -> dict[str, Any]:
        """The gradient of each parameter at the first step."""
        worker.ask("forced", steps=[0], states=str(folder), folder=str(folder))
        return {name: array for name, array in load_arrays(folder / "forced-0.npz").items() if name.startswith("gradients/")}

    def alone(self, forms: Forms, default: Default, arms: Sequence[str]) -> dict[str, Any]:
        """The row of one default, computed by the reference in the arms' forms."""
        row = {"arm": ", ".join(arms), "default": default.text, "settings": list(default.settings), "note": default.reason}
        if default.reason:
            return row
        base = self.bases[forms]
        found = base if isinstance(base, ArmFailed) else self.reference(self.ported_spec(forms, default), default.text)
        if isinstance(base, ArmFailed) or isinstance(found, ArmFailed):
            return {**row, "note": str(found)}
        return {**row, "gradient": moved(found.gradient, base.gradient), **effect(found, base.loss, base.metric)}

    def ported_spec(self, forms: Forms, default: Default) -> ProgramSpec:
        """The program with one default."""
        return changed(self.plan.spec.with_forms(dict(forms)), default.changes)

    def together(self, arm: Arm, found: Ported) -> dict[str, Any]:
        """The row of all of a framework's defaults, held against the arm's own aligned run."""
        row = {"arm": arm.name, "default": found.about, "note": found.reason}
        if found.trained is None:
            return row
        record = self.records[arm.name]
        return {**row, **effect(found.trained, record.losses[-1], final_metric(record.metrics))}


def effect(found: Trained, loss: float, metric: float | None) -> dict[str, Any]:
    """What was moved: the loss relatively, the metric by its difference and relatively; a loss that is not finite, infinitely."""
    if found.stopped is not None:
        return {"loss": math.inf, "note": f"the loss is not finite from step {found.stopped} on"}
    by = None if found.metric is None or metric is None else found.metric - metric
    return {
        "final_loss": found.loss, "final_metric": found.metric, "loss": relative(found.loss - loss, loss), "metric": by,
        "metric_moved": None if by is None else relative(by, metric or 0.0),
    }  # fmt: skip


def relative(by: float, whole: float) -> float:
    """A difference in parts of what it is the difference to."""
    return by / abs(whole) if whole else math.copysign(math.inf, by) if by else 0.0


def moved(found: Mapping[str, Any], base: Mapping[str, Any]) -> float:
    """Relative distance of two gradients, all parameters as one vector; a parameter that one of them lacks counts as zero there."""
    zero = numpy.zeros(())
    names = {*found, *base}
    with numpy.errstate(over="ignore", invalid="ignore", divide="ignore"):
        apart = sum(float(((found.get(name, zero) - base.get(name, zero)) ** 2).sum()) for name in names)
        whole = sum(float((array**2).sum()) for array in base.values())
        return math.sqrt(apart / whole) if whole else math.inf * bool(apart)


def size(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    """What rows are sorted by: how far the loss or the metric moves, whichever moves further, then the gradient; what was not computed
    comes last."""
    furthest = max(abs(row.get(name) or 0.0) for name in ("loss", "metric_moved"))
    return ("loss" not in row, -furthest, -abs(row.get("gradient") or 0.0))
