"""The search: a smaller experiment is kept if it still shows the difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import HarnessError
from ..execution.plan import Plan, plan
from ..registry import Arm
from .fit import fitted
from .sizes import size_of, text_of
from .tree import Tree
from .trial import Located


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
        except HarnessError:
            return None
