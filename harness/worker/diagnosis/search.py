"""From a wrong tensor to its cause: other meanings are tried until one gives the arm's numbers."""

from __future__ import annotations

from itertools import combinations
from math import isfinite
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ...interface import LIMIT, Arrays, error
from . import catalogue
from .makers import makers
from .setting import Setting, WhatIf, both

#: meanings that explain a part, of which pairs are tried
PAIRED = 8
#: what may go wrong in a meaning that does not fit a program
IMPOSSIBLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError)


class Tool(NamedTuple):
    """The reference.

    Attributes:
        adapter: its module, which has `Program` and `replay`.
    """

    adapter: Any

    def replay(self, setting: Setting, dtype: str = "float64", mode: str = "", only: Optional[Set[str]] = None) -> Arrays:
        """A step, node by node, from the arm's numbers."""
        program = self.adapter.Program(setting.spec, dtype, "cpu", mode)
        found: Arrays = self.adapter.replay(program, setting.state, setting.batch, setting.tensors, only)
        return found


class Answer(NamedTuple):
    """How well a meaning fits.

    Attributes:
        what: the meaning.
        excess: largest error over its ceiling; at most LIMIT where it explains everything.
        fixed: wrong tensors that it makes right.
        left: largest share of a wrong tensor's difference that it leaves.
    """

    what: WhatIf
    excess: float
    fixed: int
    left: float


class Question(NamedTuple):
    """What has to be explained.

    Attributes:
        tool: the reference.
        setting: the step.
        maker: the node, or `loss` or `optimizer`.
        errors: of every tensor that it makes, wrong or not.
        ceilings: what rounding does to them.
    """

    tool: Tool
    setting: Setting
    maker: str
    errors: Dict[str, float]
    ceilings: Dict[str, float]

    @property
    def nodes(self) -> Set[str]:
        """What has to be replayed: whoever has a share in the tensors."""
        return {maker for name in self.errors for maker in makers(self.setting.spec, name)}

    @property
    def wrong(self) -> List[str]:
        """The tensors that are wrong."""
        return [name for name, size in self.errors.items() if not size <= LIMIT * self.ceilings[name]]

    def ask(self, what: WhatIf) -> Optional[Answer]:
        """How well a meaning fits; None where it cannot be."""
        try:
            made = self.tool.replay(what.change(self.setting), only=self.nodes)
            made = what.back(made) if what.back else made
        except IMPOSSIBLE:
            return None
        sizes = {name: error(self.setting.tensors[name], made[name]) for name in self.errors}
        excess = max(size / self.ceilings[name] for name, size in sizes.items())
        fixed = sum(sizes[name] <= LIMIT * self.ceilings[name] for name in self.wrong)
        left = max(min(sizes[name] / self.errors[name], 1.0) if isfinite(self.errors[name]) else 1.0 for name in self.wrong)
        return Answer(what, excess, fixed, left)


def causes(question: Question) -> List[Answer]:
    """The meanings that explain all that is wrong, and spoil nothing: the first of the catalogue among the closest, then others that are as
    close. Empty where there is none, nor a pair."""
    answers = [answer for answer in map(question.ask, catalogue.what_ifs(question.setting, question.maker)) if answer is not None]
    found = closest(answers)
    if found:
        return found
    partial = sorted((answer for answer in answers if answer.fixed), key=lambda answer: (-answer.fixed, answer.excess))[:PAIRED]
    pairs = [question.ask(both(one.what, other.what)) for one, other in combinations(partial, 2)]
    return closest([answer for answer in pairs if answer is not None])


def closest(answers: Sequence[Answer]) -> List[Answer]:
    """Of those that explain everything, the closest; within its ceiling one is as close as another."""
    fitting = [answer for answer in answers if answer.excess <= LIMIT]
    least = max(1.0, min((answer.excess for answer in fitting), default=0.0))
    return [answer for answer in fitting if answer.excess <= least]
