"""The search: a smaller experiment is kept if it still shows the difference."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import HarnessError
from ..execution.plan import Plan, plan
from ..registry import Arm
from ..spec.datasets import Random
from .fit import fitted
from .trial import Located
from .tree import Tree


class Size(NamedTuple):
    """How large an experiment is; the first of two that differ decides.

    Attributes:
        named_data: whether its data are those of some data set.
        layers: nodes of its graph.
        numbers: parameters, and what one step computes from one batch, and steps before it.
        letters: of its text.
        parameters: among the numbers.
        rows: of a batch.
    """

    named_data: bool
    layers: int
    numbers: int
    letters: int
    parameters: int
    rows: int

    def __str__(self) -> str:
        return (
            f"{self.layers} layer{'s' * (self.layers > 1)}, {self.parameters:,} parameters, {self.rows} row{'s' * (self.rows > 1)}, "
            f"{self.numbers:,} numbers"
        )


def size_of(found: Plan, tree: Tree) -> Size:
    """The size of an experiment."""
    spec = found.spec
    parameters = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    values = sum(map(math.prod, (spec.input_shape, *(node.output_shape for node in spec.nodes))))
    numbers = parameters + values * found.batch_size + found.steps - 1
    named = tree["data"]["type"] != Random.type
    return Size(named, len(spec.nodes), numbers, len(text_of(tree)), parameters, found.batch_size)


def text_of(tree: Tree) -> str:
    """A tree in letters."""
    return json.dumps(tree)


@dataclass
class Search:
    """The smallest experiment so far.

    Attributes:
        tree: it.
        arm: in which it is tried.
        shows: where an experiment shows the difference; None where it does not.
        progress: told what was cut, and how large it is now.
        entry: where it shows the difference.
        tried: texts of all that were tried.
    """

    tree: Tree
    arm: Arm
    shows: Callable[[Plan], Located | None] = lambda _: None
    progress: Callable[[str], None] = lambda _: None
    entry: Located = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.size = size_of(self.planned(self.tree), self.tree)

    def planned(self, tree: Tree) -> Plan:
        """An experiment, checked.

        Raises:
            HarnessError: it cannot be run.
        """
        return plan(tree, arms=[self.arm.name])

    def attempt(self, what: str, tree: Tree) -> bool:
        """Try an experiment; it is kept if it is smaller and still shows the difference.

        Args:
            what: is done to make it smaller, in words.
            tree: the experiment; random data are made to suit it.
        """
        for candidate in fitted(tree):
            try:
                found = self.planned(candidate)
            except HarnessError:
                continue
            return self.kept(what, candidate, found)
        return False

    def kept(self, what: str, tree: Tree, found: Plan) -> bool:
        """Whether a checked experiment is kept."""
        size, text = size_of(found, tree), text_of(tree)
        if size >= self.size or text in self.tried:
            return False
        self.tried.add(text)
        entry = self.shown(found)
        if entry is None:
            return False
        self.tree, self.size, self.entry = tree, size, entry
        self.progress(f"{what}: {size}")
        return True

    def shown(self, found: Plan) -> Located | None:
        """Where an experiment shows the difference; one that the arm cannot do shows nothing."""
        try:
            return self.shows(found)
        except HarnessError as problem:
            if getattr(problem, "status", "") == "interrupted":
                raise
            return None
