"""Schedules: the factor on the learning rate as a function of the updates made before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import NotWritten
from .text import number


def step(schedule: Any) -> list[str]:
    """rate^floor(t / every)."""
    return [f"return {number(schedule.rate)} ** (t // {schedule.every})"]


def exponential(schedule: Any) -> list[str]:
    """rate^(t / over)."""
    return [f"return {number(schedule.rate)} ** (t / {schedule.over})"]


def cosine(schedule: Any) -> list[str]:
    """From 1 to `end`."""
    return [f"return {between(schedule.end, f'half_cosine(t / {schedule.over})')}"]


def warmup(schedule: Any) -> list[str]:
    """A line up; then 1, or a cosine."""
    over, until = schedule.over, schedule.until
    later = "1.0" if until <= over else between(schedule.end, f"half_cosine((t - {over}) / ({until} - {over}))")
    return [f"if t < {over}:", f"    return {between(schedule.start, f't / {over}')}", f"return {later}"]


def one_cycle(schedule: Any) -> list[str]:
    """A cosine up, then one down."""
    divide, over = number(schedule.divide), schedule.over
    return [
        f"top = {number(schedule.rise)} * {over}",
        "if t < top:",
        f"    return 1 + (1 / {divide} - 1) * half_cosine(t / top)",
        f"last = 1 / ({divide} * {number(schedule.final_divide)})",
        f"return last + (1 - last) * half_cosine((t - top) / ({over} - top))",
    ]


def between(low: float, share: str) -> str:
    """From `low` to 1, as a share goes from 0 to 1."""
    return f"{number(low)} + (1 - {number(low)}) * {share}" if low else share


SCHEDULES: Mapping[str, Callable[[Any], list[str]]] = {
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "warmup": warmup,
    "one_cycle": one_cycle,
}


def factor(schedule: Any) -> str:
    """The function.

    Raises:
        NotWritten: there is none of that type.
    """
    if schedule.type not in SCHEDULES:
        raise NotWritten(f'the schedule "{schedule.type}" is not written for PyTorch')
    lines = "\n".join(f"    {line}" for line in SCHEDULES[schedule.type](schedule))
    return f'def factor(t):\n    """What the learning rate is multiplied by, t updates having been made."""\n{lines}\n'
