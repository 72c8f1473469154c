"""The protocol: epochs of fresh processes, rounds in random order and its reverse, until intervals are narrow enough. It knows neither
workers nor clocks, so that it can be tried on a simulated machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from .presets import Preset

Row = dict[str, Any]


class Work(NamedTuple):
    """What is done: the work, with whose dropout (harness.timing.works), and with which program."""

    name: str
    variant: str
    point: int = 0




@dataclass(frozen=True)
class Visit:
    """One block of one arm.

    Attributes:
        work: what is done.
        epoch, number, position: which epoch, which round of this work, which place in the round.
        before: the arm that computed before; "" at the start.
    """

    work: Work
    epoch: int
    number: int
    position: int
    before: str


#: arm -> what does a block of it; None where the arm has failed
Field = Mapping[str, Callable[[Visit], Row | None]]
Opened = Callable[[int, Sequence[str]], AbstractContextManager[Field]]


def session(
    names: Sequence[str], works: Mapping[Work, int], preset: Preset, seed: int, opened: Opened, enough: Callable[[int], bool]
) -> int:
    """Epochs until they are enough.

    Args:
        names: arms, the twin among them.
        works: work -> its rounds in an epoch, in order.
        preset: how many epochs.
        seed: of all orders.
        opened: starts an epoch's processes, in a given order, and ends them.
        enough: whether to stop after so many epochs; asked from the preset's least on.

    Returns:
        How many epochs there were.
    """
    for epoch in range(preset.most):
        dice = random.Random(f"{seed}/{epoch}")
        order = dice.sample(list(names), len(names))
        with opened(epoch, order) as field:
            for work, rounds in works.items():
                play(field, work, epoch, rounds, dice)
        if epoch + 1 >= preset.least and enough(epoch + 1):
            return epoch + 1
    return preset.most


def play(field: Field, work: Work, epoch: int, rounds: int, dice: random.Random) -> None:
    """All rounds of one work: every round a random order and its reverse, so that a drift strikes all alike."""
    before = ""
    for number in range(rounds):
        order = dice.sample(sorted(field), len(field))
        for position, name in enumerate([*order, *reversed(order)]):
            if field[name](Visit(work, epoch, number, position, before)) is not None:
                before = name
