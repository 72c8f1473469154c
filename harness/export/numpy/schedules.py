"""Schedules, as a function of the updates made before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...spec import Schedule
from ..draft import NotWritten

Number = Callable[[float], str]

RATE = '''\
def learning_rate(t):
    """Of the update that t others came before."""
    {lines}


'''


def falling(share: str, first: str, last: str) -> str:
    """A cosine from one factor to another, at a share of the way."""
    wave = f"(1 + math.cos(math.pi * {share})) / 2"
    if last == "0.0":
        return wave if first == "1" else f"{first} * {wave}"
    return f"{last} + ({first} - {last}) * {wave}"


def step(schedule: Any, rate: str, number: Number) -> list[str]:
    """rate^floor(t / every)."""
    return [f"return {rate} * {number(schedule.rate)} ** (t // {schedule.every})"]


def exponential(schedule: Any, rate: str, number: Number) -> list[str]:
    """rate^(t / over)."""
    return [f"return {rate} * {number(schedule.rate)} ** (t / {schedule.over})"]


def cosine(schedule: Any, rate: str, number: Number) -> list[str]:
    """A cosine down, constant behind it."""
    factor = falling(f"min(t / {schedule.over}, 1)", "1", number(schedule.end))
    return [f"return {rate} * ({factor})"]


def warmup(schedule: Any, rate: str, number: Number) -> list[str]:
    """A line up; then constant, or a cosine down."""
    over, start = schedule.over, number(schedule.start)
    rising = f"t / {over}" if start == "0.0" else f"({start} + (1 - {start}) * t / {over})"
    lines = [f"if t < {over}:", f"    return {rate} * {rising}"]
    if schedule.until <= over:
        return [*lines, f"return {rate}"]
    factor = falling(f"min((t - {over}) / {schedule.until - over}, 1)", "1", number(schedule.end))
    return [*lines, f"return {rate} * ({factor})"]


def one_cycle(schedule: Any, rate: str, number: Number) -> list[str]:
    """A cosine up, a cosine down."""
    return [
        f"top, first = {number(schedule.rise)} * {schedule.over}, 1 / {number(schedule.divide)}",
        f"last = first / {number(schedule.final_divide)}",
        "if t < top:",
        f"    return {rate} * ({falling('t / top', 'first', '1')})",
        f"return {rate} * ({falling(f'min((t - top) / ({schedule.over} - top), 1)', '1', 'last')})",
    ]


SCHEDULES: Mapping[str, Callable[[Any, str, Number], list[str]]] = {
    "step": step, "exponential": exponential, "cosine": cosine, "warmup": warmup, "one_cycle": one_cycle,
}  # fmt: skip


def learning_rate(schedule: Schedule, rate: str, number: Number) -> str:
    """The text of a function.

    Raises:
        NotWritten: the schedule is unknown here.
    """
    if schedule.type not in SCHEDULES:
        raise NotWritten(f'the schedule "{schedule.type}" is not written for NumPy')
    return RATE.format(lines="\n    ".join(SCHEDULES[schedule.type](schedule, rate, number)))
