"""From an arm that differs to the smallest experiment that still shows it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ArmFailed, HarnessError
from ..execution.interrupts import one_interrupt
from ..execution.plan import Plan, plan
from ..numeric.diagnosis import first_wrong_step
from ..pool import Crew
from ..pool.warm import WarmCrew
from ..spec.tree import tree_of
from .cuts import smallest
from .search import Search
from .sizes import Size
from .tree import Tree, anchored, at_step
from .trial import Bench, Located, Sight, sight
from .wires import named

#: what stays of [compare]: what the arm is, and where it computes
KEPT = ("arms", "dtype", "device", "seed", "threads", "forced_steps", "time_limit")


@dataclass(frozen=True)
class Reduced:
    """The smallest experiment that was found.

    Attributes:
        tree: it; a path in it is whole.
        entry: what is located in it, as a run says it.
        before: size of the experiment that it was made of, at the step at which that differs.
        after: size of the smallest.
        tried: how many were tried.
        whole: whether the search came to its end.
    """

    tree: Tree
    entry: Located
    before: Size
    after: Size
    tried: int
    whole: bool


@dataclass(frozen=True)
class Aim:
    """The difference that every smaller experiment has to show.

    Attributes:
        seen: what it is.
        wide: whether it is there in float64 too; None where that cannot be tried.
    """

    seen: Sight
    wide: bool | None

    def shown(self, bench: Bench, found: Plan) -> Located | None:
        """Where an experiment shows it; each node is looked at alone.

        Raises:
            ArmFailed: the experiment cannot be done.
        """
        with bench.trial(found) as trial:
            entry = self.among(found, trial.located(trial.lane.dtype))
            return entry if entry and trial.wide(self.seen) == self.wide else None

    def confirmed(self, bench: Bench, found: Plan) -> Located | None:
        """Where a run of an experiment would show it; None also where the arm fails."""
        try:
            outcome = bench.judged(found)
        except ArmFailed:
            return None
        return self.among(found, outcome.facts.get("located", []))

    def among(self, found: Plan, entries: list[Located]) -> Located | None:
        """The first of what was located that is it."""
        return next((entry for entry in entries if self.seen.shown_by(sight(found.spec, entry))), None)


def reduce(found: Plan, progress: Callable[[str], None], step: int | None = None) -> Reduced | None:
    """Cut an experiment down as far as its arm still shows the same difference: located at a layer of the same type (or the loss, or the
    optimizer), with the same cause, in float64 too or not.

    Args:
        found: the experiment, with one arm.
        progress: told what was cut, and how large it is now.
        step: at which it is known to differ; looked for when not given.

    Returns:
        The smallest; None where the arm agrees. After an interrupt the smallest so far.

    Raises:
        HarnessError: the difference cannot be located.
        ArmFailed: the arm, or the reference, cannot do the experiment.
    """
    (arm,), compare = found.arms, found.experiment.compare
    with one_interrupt(), tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True) as name:
        warm, fresh = Path(name) / "warm", Path(name) / "fresh"
        warm.mkdir()
        fresh.mkdir()
        settings = compare.device, compare.threads, compare.time_limit
        with WarmCrew(warm, *settings) as crew:
            bench = Bench(crew, arm)
            entries: list[Located] = []
            if step is None:
                step, entries = first_wrong(bench, found)
            if step is None:
                return None
            start = Search(started(found, step), arm)
            start.entry, aim = aimed(bench, start.planned(start.tree), entries)
            progress(f"step {step}, {' or '.join(start.entry['makers'])}: {start.size}")
            return searched(start, aim, bench, Bench(Crew(fresh, *settings), arm), progress)


def first_wrong(bench: Bench, found: Plan) -> tuple[int | None, list[Located]]:
    """The first step at which an arm differs, None where it agrees; and what is located there, if only that step was looked at, as is done
    first: nearly all that is wrong shows at the first step of all."""
    first = plan(started(found, found.trajectory.steps[0]), arms=[bench.arm.name])
    for tried in (first, found):
        outcome = bench.judged(tried)
        step = first_wrong_step(outcome.agreement)
        if step is not None:
            return step, outcome.facts.get("located", []) if tried is first else []
    return None, []


def started(found: Plan, step: int) -> Tree:
    """The tree of an experiment that ends with one forced step."""
    tree = at_step(named(anchored(tree_of(found.experiment), found.folder)), step)
    tree["compare"] = {key: value for key, value in tree["compare"].items() if key in KEPT} | {"arms": [found.arms[0].name]}
    tree.pop("description", None)
    return tree


def aimed(bench: Bench, found: Plan, entries: list[Located]) -> tuple[Located, Aim]:
    """What is located first, and what of it has to stay.

    Raises:
        HarnessError: nothing is located.
    """
    with bench.trial(found) as trial:
        entries = entries or trial.located(trial.lane.dtype)
        if not entries:
            raise HarnessError(
                f"{bench.arm.name} differs, but every node alone is right: nothing is located that a smaller experiment could show"
            )
        seen = sight(found.spec, entries[0])
        return entries[0], Aim(seen, trial.wide(seen))


def searched(start: Search, aim: Aim, bench: Bench, fresh: Bench, progress: Callable[[str], None]) -> Reduced:
    """The smallest that a run in fresh processes confirms. That is asked at the end; where it says no, the search is made again and every
    step of it confirmed."""
    for careful in (False, True):

        def shows(found: Plan, careful: bool = careful) -> Located | None:
            entry = aim.shown(bench, found)
            return aim.confirmed(bench, found) if entry and careful else entry

        search = Search(start.tree, start.arm, shows, progress, entry=start.entry)
        whole = True
        try:
            smallest(search)
            entry = search.entry if search.tree == start.tree else aim.confirmed(fresh, search.planned(search.tree))
        except KeyboardInterrupt:
            entry, whole = search.entry, False
        if entry:
            return Reduced(search.tree, entry, start.size, search.size, len(search.tried), whole)
        progress("a fresh process does not show it: again, step by step")
    return Reduced(start.tree, start.entry, start.size, start.size, len(search.tried), True)
