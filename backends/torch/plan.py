"""A graph's functions in order, as straight as a forward written by hand: over a list of values whose places are used again as soon as
nobody reads them any more, so that memory is freed as early; and the same compiled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Callable, Container, Dict, Hashable, List, Sequence, Tuple

import torch

from .tensors import Function


@dataclass(frozen=True)
class Call:
    """One function of the graph: what it reads, and what its value is called."""

    function: Function
    reads: Tuple[Hashable, ...]
    name: Hashable


class Plan:
    """Calls, from the values that are given to those that are wanted.

    Args:
        calls: in order.
        given: names of the values before.
        wanted: names of the values that it returns.
    """

    def __init__(self, calls: Sequence[Call], given: Sequence[Hashable], wanted: Sequence[Hashable]) -> None:
        last = {name: index for index, call in enumerate(calls) for name in call.reads if name not in wanted}
        places = {name: place for place, name in enumerate(given)}
        free: List[int] = []
        size = len(given)
        self.given, self.wanted = tuple(given), tuple(wanted)
        self.steps: List[Tuple[Callable[[List[Any]], Any], int]] = []
        for index, call in enumerate(calls):
            reads = [places[name] for name in call.reads]
            free += [places[name] for name in dict.fromkeys(call.reads) if last.get(name) == index]
            if not free:
                free, size = [size], size + 1
            places[call.name] = free.pop()
            self.steps.append((reading(call.function, reads), places[call.name]))
        self.more = size - len(given)
        self.results = [places[name] for name in wanted]

    def __call__(self, *given: Any) -> List[Any]:
        """The wanted values."""
        values: List[Any] = [*given, *[None] * self.more]
        for function, place in self.steps:
            values[place] = function(values)
        return [values[place] for place in self.results]


def reading(function: Function, places: Sequence[int]) -> Callable[[List[Any]], Any]:
    """A function of the values that stand in some places."""
    if len(places) == 1:
        place = places[0]
        return lambda values: function(values[place])
    return lambda values: function(*[values[place] for place in places])


class Compiled:
    """A plan in pieces, those between recurrences compiled. Inductor unrolls recurrences (a minute for six steps) or fails at them, so
    Dynamo leaves torch's own modules out too.

    Args:
        calls: in order.
        given: names of the values before.
        wanted: names of the values that it returns.
        eager: names of the calls that are not compiled.
    """

    def __init__(
        self, calls: Sequence[Call], given: Sequence[Hashable], wanted: Sequence[Hashable], eager: Container[Hashable]
    ) -> None:
        self.given, self.wanted = tuple(given), tuple(wanted)
        self.pieces: List[Tuple[Plan, Function]] = []
        groups = [(left_out, list(group)) for left_out, group in groupby(calls, lambda call: call.name in eager)]
        for index, (left_out, group) in enumerate(groups):
            made = {call.name for call in group}
            read = dict.fromkeys(name for call in group for name in call.reads if name not in made)
            later = {name for _, others in groups[index + 1 :] for call in others for name in call.reads}
            plan = Plan(group, list(read), [name for name in made if name in later or name in wanted])
            self.pieces.append((plan, plan if left_out else compiled(plan)))

    def __call__(self, *given: Any) -> List[Any]:
        """The wanted values."""
        values: Dict[Hashable, Any] = dict(zip(self.given, given))
        for plan, run in self.pieces:
            values.update(zip(plan.wanted, run(*[values[name] for name in plan.given])))
        return [values[name] for name in self.wanted]


def compiled(plan: Plan) -> Function:
    """A plan through torch.compile."""

    def run(*given: Any) -> Any:
        return plan(*given)

    # Dynamo keeps 8 compilations of a code object, which all programs of a process would share: each gets its own
    run.__code__ = run.__code__.replace()
    found: Function = torch.compile(run, fullgraph=True, dynamic=False)
    return found
