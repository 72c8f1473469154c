"""The nodes at which an arm goes wrong at one step, in the order in which the step computes them."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy

from ...interface import LIMIT, errors, floors
from .makers import blamed, makers, place
from .search import Question, Tool, causes
from .setting import Setting

#: numbers of a tensor that are shown
WORST = 3


def located(adapter: Any, setting: Setting, dtype: str, replicas: Sequence[str]) -> List[Dict[str, Any]]:
    """What is wrong at one step.

    Args:
        adapter: the reference's module.
        setting: the step, with what the arm made of it.
        dtype: the arm's.
        replicas: modes of the replicas that measure how far rounding goes; those named sequential only raise the ceiling.

    Returns:
        One entry for each node (or the loss, or the optimizer) that is wrong by itself: `makers`, `tensors` (rows of tensor, error, floor,
        ceiling, and the worst numbers), `cause` (text, others that fit as well, share of the difference that it explains) or None.
    """
    tool = Tool(adapter)
    right = tool.replay(setting)
    sizes = errors(setting.tensors, right)
    measured = {mode: errors(tool.replay(setting, dtype, mode), right) for mode in replicas}
    sequential = [found for mode, found in measured.items() if "sequential" in mode]
    level = floors([found for mode, found in measured.items() if "sequential" not in mode], sequential, dtype)
    ceilings = {name: level[name].ceiling for name in right}
    # what a node makes of numbers that are not finite already is a convention, and no fault of its own
    finite = [name for name, wanted in right.items() if numpy.isfinite(wanted).all()]
    bad = sorted((name for name in finite if not sizes[name] <= LIMIT * ceilings[name]), key=lambda name: place(setting.spec, name))
    found = []
    for who, names in blamed(setting.spec, bad).items():
        rows = [
            {
                "tensor": name, "error": sizes[name], "floor": level[name].floor, "ceiling": ceilings[name],
                "worst": worst(setting.tensors[name], right[name]),
            }
            for name in names
        ]  # fmt: skip
        found.append({"makers": list(who), "tensors": rows, "cause": explained(tool, setting, who, names, sizes, ceilings)})
    return found


def explained(
    tool: Tool,
    setting: Setting,
    who: Tuple[str, ...],
    wrong: Sequence[str],
    sizes: Mapping[str, float],
    ceilings: Mapping[str, float],
) -> Any:
    """The cause in words, and how much of the difference it explains; None where none was found."""
    for maker in who:
        alone = [name for name in sizes if makers(setting.spec, name) == (maker,)]
        # what several make together, one alone may not explain
        own = alone if set(alone).intersection(wrong) else [*alone, *wrong]
        question = Question(tool, setting, maker, {name: sizes[name] for name in own}, {name: ceilings[name] for name in own})
        answers = causes(question)
        if answers:
            others = [answer.what.text for answer in answers[1:]]
            return {"text": answers[0].what.text, "or": others, "explains": 1 - answers[0].left, "of": maker}
    return None


def worst(found: Any, right: Any) -> List[Dict[str, Any]]:
    """The numbers of a tensor that are furthest off."""
    left, wanted = numpy.asarray(found, numpy.float64), numpy.asarray(right, numpy.float64)
    if left.shape != wanted.shape:
        return []
    distance = numpy.nan_to_num(abs(left - wanted), nan=numpy.inf, posinf=numpy.inf)
    order = numpy.argsort(distance, axis=None)[::-1][:WORST]
    places = [numpy.unravel_index(index, wanted.shape) for index in order]
    return [
        {"index": [int(axis) for axis in place], "found": float(left[place]), "right": float(wanted[place])} for place in places
    ]
