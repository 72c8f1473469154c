"""A loss surface: every arm's path, a plane, and the reference's loss on it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import pandas

from ..errors import ArmFailed
from ..execution.interrupts import one_interrupt
from ..execution.layout import lay_out
from ..execution.plan import Plan, plan
from ..execution.run import Progress, ended, nothing_run, silent, working_folder
from ..execution.sweep import stopping
from ..interface import load_arrays, save_arrays
from ..numeric.build import REFERENCE, Build, built
from ..numeric.lane import forms_key
from ..pool import Crew, Worker
from ..records.provenance import command, environment
from ..records.store import Store, file_name
from ..registry import Arm, add_file, backend
from ..spec import relevant_forms
from ..tables.surface import SCHEMA, Surface
from .descent import Descent, apart, marks
from .grid import Effort, Range, affordable, box, lines, most_rows
from .plane import Plane, along, at_random, over
from .wish import Wish, named

#: points whose time says how long all take, and points that are computed at a time
TRIED, CHUNK = 3, 64
#: seconds of work from which on it is shared by several processes
SHARED = 2.0


def surface(
    experiment: str | Path | Mapping[str, Any],
    *,
    over: Sequence[str] = (),
    directions: str | None = None,
    through: str = "end",
    grid: int | None = None,
    rows: int | None = None,
    every: int | None = None,
    x: Range | None = None,
    y: Range | None = None,
    arms: Sequence[str] = (),
    backends: Sequence[str | Path] = (),
    changes: Sequence[str] = (),
    results: str | Path = "results",
    progress: Progress = silent,
) -> Surface:
    """Compute the loss over a plane through an experiment's parameters, and every arm's path of descent on it; save and return them.

    The surface is the reference's (numpy in float64): the loss of the training rows as one batch, penalties included, nothing dropped,
    normalised by the batch's own statistics. An arm's path are its parameters while it trains on its own, projected onto the plane.

    Args:
        experiment: a TOML file, or the same tree as dicts and lists.
        over: two numbers by name, e.g. `["dense_1/kernel[0,0]", "dense_1/bias[0]"]`.
        directions: `path` (the two principal directions of the reference's path), `random` (filter-normalised) or `parameters` (the
            net's first two numbers). When neither is given: `parameters` for nets of at most three numbers, `path` for others.
        through: `end` or `start`: the point of the reference's path that lies on the plane.
        grid: points along an axis; as many as 20 seconds allow when not given.
        rows: training rows at each point; all when not given and time and memory allow.
        every: steps from one point of a path to the next; chosen when not given.
        x, y: ends of the axes; around the paths when not given.
        arms, backends, changes, results, progress: see `harness.run`.

    Returns:
        The surface; `.grid`, `.paths`, `.arms` are DataFrames. Arms that failed are rows with their reason.

    Raises:
        SpecError: the experiment cannot be run (nothing was).
        UsageError: an argument is wrong, or results cannot be written.
        ArmFailed: the reference failed.
    """
    for file in backends:
        add_file(Path(file))
    wish = Wish(tuple(over), directions, through, grid, rows, every, x, y)
    wish.check()
    found = plan(experiment, changes, arms)
    names = named(found.spec, wish)
    store = Store.create(Path(results), found.experiment.name, "surfaces")
    with one_interrupt() as no_more_interrupts, working_folder(store) as folder:
        work = Work(found, wish, names, store, folder, progress)
        with nothing_run(store):
            work.begin()
            work.descend()
            work.measure()
        no_more_interrupts()
        return work.end()


@dataclass
class Work:
    """A surface while it is computed."""

    plan: Plan
    wish: Wish
    names: list[str]
    store: Store
    folder: Path
    progress: Progress
    paths: dict[str, Descent] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def begin(self) -> None:
        """Lay out the data."""
        compare = self.plan.experiment.compare
        self.environment = environment()
        self.store.text("experiment.toml", self.plan.source.text)
        self.crew = Crew(self.folder, compare.device, compare.threads, compare.time_limit)
        self.progress("", {"phase": "preparing data"})
        self.weights = lay_out(self.plan, self.folder)
        self.marks = marks(self.plan.spec, self.plan.steps, self.wish.every)

    def descend(self) -> None:
        """Every arm's path, and the reference's in all forms that they need."""
        names = ["reference", *(arm.name for arm in self.plan.arms)]
        self.paths = {name: Descent(name) for name in names}
        arms = sorted(self.plan.arms, key=lambda arm: arm.backend == "numpy")  # what starts in no time goes last
        self.parallel(self.follow_reference, [self.paths["reference"]], self.follow, arms)
        if not self.reference.there:
            raise ArmFailed(self.reference.status, f"the reference: {self.reference.reason}")
        others = {}
        for name in names[1:]:
            key = forms_key(self.paths[name].forms)
            if self.paths[name].there and self.paths[name].forms != self.reference.forms:
                others[f"reference{key}"] = Descent(f"reference{key}", forms=self.paths[name].forms)
        self.parallel(self.follow_reference, others.values())
        self.paths = {"reference": self.reference, **others, **{name: self.paths[name] for name in names[1:]}}

    @property
    def reference(self) -> Descent:
        """The path that decides where the plane lies: the reference's in canonical forms."""
        return self.paths["reference"]

    def parallel(self, *pairs: Any) -> list[Any]:
        """Jobs and their items, pair by pair, as many at a time as there are cores; an interrupt ends them."""
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads, stopping(self.crew):
            jobs = [threads.submit(job, item) for job, items in zip(pairs[::2], pairs[1::2], strict=True) for item in items]
            ended(jobs)
            return [job.result() for job in jobs]

    def follow_reference(self, path: Descent) -> None:
        """The reference's path, in the path's forms."""
        forms = relevant_forms(self.plan.spec, path.forms)
        self.trained(path, REFERENCE, Build(self.plan.spec.with_forms(forms), "float64", "cpu", ""))
        path.forms = forms

    def follow(self, arm: Arm) -> None:
        """An arm's path; whatever happens becomes its row."""
        path, compare = self.paths[arm.name], self.plan.experiment.compare
        self.trained(path, arm, Build(self.plan.spec, compare.dtype, compare.device, arm.mode))
        self.progress(arm.name, {"done": path.status, "reason": path.reason, "verdict": "" if path.reason else "has its path"})

    def trained(self, path: Descent, arm: Arm, build: Build) -> None:
        """Train an arm and keep where it goes."""
        file = self.path_file(path)
        try:
            with self.worker(arm, path.arm, build) as (worker, forms):
                path.forms = forms
                done = worker.ask(
                    "descend", marks=self.marks, file=str(file), progress=lambda facts: self.progress(path.arm, facts["progress"])
                )
            path.take(self.marks, load_arrays(file)["points"], done["stopped"])
        except ArmFailed as problem:
            path.status, path.reason = problem.status, problem.reason
        except OSError as problem:
            path.status, path.reason = "failed", f"temporary files: {problem.strerror or problem}"

    def path_file(self, path: Descent) -> Path:
        """Where a path's points lie for workers."""
        return self.folder / f"{file_name(path.arm)}.npz"

    @contextmanager
    def worker(self, arm: Arm, name: str, build: Build) -> Iterator[tuple[Worker, dict[str, str]]]:
        """A worker of an arm with its program built, and the forms that it computes in.

        Raises:
            ArmFailed: it broke down, or cannot build the program.
        """
        adapter = backend(arm)
        with self.crew.worker(arm, name) as worker:
            self.progress(name, {"phase": "importing"})
            opened = worker.ask("open", module=adapter.module, place=adapter.place)
            built(worker, build, self.folder / "data.npz", self.folder / "initial.npz", self.weights)
            yield worker, relevant_forms(self.plan.spec, opened["forms"])

    def surveyor(self, name: str) -> Any:
        """A worker of the reference that computes losses."""
        return self.worker(REFERENCE, name, Build(self.plan.spec, "float64", "cpu", ""))

    def measure(self) -> None:
        """The losses along the paths, the plane, and the losses on it."""
        cores = os.cpu_count() or 1
        self.parallel(self.along_paths, [cores])
        self.plane = self.chosen_plane()
        spans = box([self.plane.coordinates(path.drawn) for path in self.there], 1.0 if self.plane.kind == "random" else 0.0)
        self.x, self.y = (lines(span, self.effort.side) for span in (self.wish.x or spans[0], self.wish.y or spans[1]))
        self.file = self.folder / "plane.npz"
        save_arrays(self.file, {"origin": self.plane.origin, "directions": self.plane.directions})
        points = [(float(x), float(y)) for y in self.y for x in self.x]
        helpers = cores if self.cost * len(points) > SHARED else 1
        self.todo = [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]
        self.heights, self.done = numpy.full(len(points), math.nan), 0
        self.parallel(self.survey, [(number, helpers) for number in range(helpers)])

    def along_paths(self, cores: int) -> None:
        """How long a point takes, and so what can be computed; then the losses along the paths."""
        rows = self.wish.rows or most_rows(self.plan.spec, self.plan.rows)
        rows = min(rows, self.plan.rows)
        with self.surveyor("surface") as (worker, _):
            self.progress("surface", {"phase": "how long does a point take?"})
            save_arrays(self.file_of_first, {"points": self.reference.points[:1].repeat(TRIED, 0)})
            worker.ask("heights", rows=rows, file=str(self.file_of_first))  # the first is always slower
            began = time.perf_counter()
            worker.ask("heights", rows=rows, file=str(self.file_of_first))
            self.cost = (time.perf_counter() - began) / TRIED
            self.effort = self.chosen_effort(rows, cores)
            self.cost *= self.effort.rows / rows
            for path in self.paths.values():
                if path.there:
                    self.progress("surface", {"phase": f"losses along {path.arm}"})
                    save_arrays(self.path_file(path), {"points": path.points})
                    path.measured(worker.ask("heights", rows=self.effort.rows, file=str(self.path_file(path))))

    @property
    def file_of_first(self) -> Path:
        """Where the points lie that are tried."""
        return self.folder / "first.npz"

    def chosen_effort(self, rows: int, cores: int) -> Effort:
        """Points along an axis and rows, as wished or as time allows."""
        others = sum(len(path.steps) for path in self.there)
        found = affordable(self.cost, rows, others, cores)
        if self.wish.side is not None:
            return Effort(self.wish.side, rows)
        return Effort(found.side, rows) if self.wish.rows is not None else found

    @property
    def there(self) -> list[Descent]:
        """The paths that there are."""
        return [path for path in self.paths.values() if path.there]

    def chosen_plane(self) -> Plane:
        """The plane that was asked for, through the end or the start of what is drawn of the reference's path."""
        spec, seed, points = self.plan.spec, self.plan.experiment.compare.seed, self.reference.drawn
        base = points[-1 if self.wish.through == "end" else 0]
        if self.names:
            return over(spec, self.names, base)
        return at_random(spec, seed, base) if self.wish.directions == "random" else along(spec, points, seed, base)

    def survey(self, share: tuple[int, int]) -> None:
        """One helper's share of the grid: every so many chunks one."""
        number, helpers = share
        with self.surveyor(f"surface {number}") as (worker, _):
            for place in range(number, len(self.todo), helpers):
                losses = worker.ask("heights", rows=self.effort.rows, file=str(self.file), coordinates=self.todo[place])
                found = [math.nan if loss is None else loss for loss in losses]
                self.heights[place * CHUNK : place * CHUNK + len(found)] = found
                self.done += len(found)
                self.progress("surface", {"phase": f"{self.done} of {len(self.heights)} points"})

    def end(self) -> Surface:
        """Save everything."""
        xs, ys = numpy.meshgrid(self.x, self.y)
        grid = pandas.DataFrame({"x": xs.ravel(), "y": ys.ravel(), "loss": self.heights})
        paths = pandas.concat([self.table(path) for path in self.there], ignore_index=True)
        found = Surface(self.store.folder, self.manifest(grid), grid, paths)
        self.store.text("grid.csv", grid.to_csv(index=False, lineterminator="\n"))
        self.store.text("paths.csv", paths.to_csv(index=False, lineterminator="\n"))
        self.store.save(lambda: (self.store.folder / "plane.npz").write_bytes(self.file.read_bytes()))
        self.store.save(self.keep_logs)
        self.store.finish(found.manifest)
        if self.store.problem:
            found.manifest["unsaved"] = self.store.problem
        return found

    def keep_logs(self) -> None:
        """What arms printed that have no path."""
        for path in self.paths.values():
            log = self.crew.log(path.arm)
            if not path.there and log.exists() and log.stat().st_size:
                folder = self.store.folder / "arms" / file_name(path.arm)
                folder.mkdir(parents=True)
                (folder / "log.txt").write_bytes(log.read_bytes())

    def table(self, path: Descent) -> pandas.DataFrame:
        """The points of a path."""
        x, y = self.plane.coordinates(path.points).T
        return pandas.DataFrame({
            "arm": path.arm, "step": path.steps, "x": x, "y": y, "loss": path.losses, "off": self.plane.off(path.points),
            "shown": numpy.arange(len(path.steps)) < path.shown,
        })  # fmt: skip

    def row(self, path: Descent) -> dict[str, Any]:
        """How a path ends."""
        found: dict[str, Any] = {"arm": path.arm, "status": path.status, "reason": path.reason, "forms": path.forms}
        if not path.there:
            return found
        x, y = self.plane.coordinates(path.points[-1:])[0]
        right = self.paths[f"reference{forms_key(path.forms)}" if path.forms != self.reference.forms else "reference"]
        return {
            **found, "steps": path.steps[-1], "first_loss": float(path.losses[0]), "last_loss": float(path.losses[-1]),
            "x": float(x), "y": float(y), "held": self.plane.held(path.drawn), "apart": None if path is right else apart(path, right),
            "leaves": path.steps[path.shown - 1] if path.shown < len(path.steps) else None,
        }  # fmt: skip

    def manifest(self, grid: pandas.DataFrame) -> dict[str, Any]:
        """What the surface is."""
        experiment, compare = self.plan.experiment, self.plan.experiment.compare
        return {
            "schema": SCHEMA, "id": self.store.folder.name, "experiment": experiment.name, "description": experiment.description,
            "command": command(), "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            "seconds": round(time.time() - self.started, 2), "dtype": compare.dtype, "device": compare.device, "threads": compare.threads,
            "seed": compare.seed, "steps": self.plan.steps, "parameters": len(self.plane.base),
            "rows": self.effort.rows, "of_rows": self.plan.rows, "side": self.effort.side,
            "plane": {"kind": self.plane.kind, "labels": list(self.plane.labels), "through": self.wish.through},
            "held": self.plane.held(self.reference.drawn),
            "lowest": lowest(grid),
            "random": any(node.layer.random for node in self.plan.spec.nodes), "statistics": bool(self.plan.spec.statistics),
            "arms": [self.row(path) for path in self.paths.values()], "environment": self.environment,
        }  # fmt: skip


def lowest(grid: pandas.DataFrame) -> dict[str, Any] | None:
    """The lowest point that was computed, whether it is the only one as low, and whether it lies on the edge, so that there may be lower
    ones beyond; None where nothing is finite."""
    if grid["loss"].isna().all():
        return None
    found = grid[grid["loss"] == grid["loss"].min()]
    first = found.iloc[0]
    edge = any(first[axis] in (grid[axis].min(), grid[axis].max()) for axis in ("x", "y"))
    return {"x": float(first["x"]), "y": float(first["y"]), "loss": float(first["loss"]), "single": len(found) == 1, "edge": bool(edge)}
