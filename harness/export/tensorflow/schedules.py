"""Schedules as functions of the updates made before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import Draft, NotWritten
from .text import number


def falling(draft: Draft, end: float, share: str) -> str:
    """A cosine from 1 to an end, over a share of the way."""
    wave = f"(1 + tf.cos(np.pi * {share})) / 2"
    return f"{number(draft, end)} + (1 - {number(draft, end)}) * {wave}" if end else wave


def cosine(draft: Draft, schedule: Any) -> list[str]:
    """Down to its end."""
    return [f"return {falling(draft, schedule.end, f'tf.minimum(t / {schedule.over}, 1.0)')}"]


def warmup(draft: Draft, schedule: Any) -> list[str]:
    """Up, then 1 or a cosine down."""
    over, start = schedule.over, number(draft, schedule.start)
    rising = f"{start} + (1 - {start}) * (t / {over})" if schedule.start else f"t / {over}"
    if schedule.until <= over:
        return [f"return tf.where(t < {over}, {rising}, 1.0)"]
    share = f"tf.minimum((t - {over}) / {schedule.until - over}, 1.0)"
    return [f"return tf.where(t < {over}, {rising}, {falling(draft, schedule.end, share)})"]


def one_cycle(draft: Draft, schedule: Any) -> list[str]:
    """A cosine up, then a cosine down."""
    divide, final = number(draft, schedule.divide), number(draft, schedule.final_divide)
    return [
        f"top, low, last = {number(draft, schedule.rise)} * {schedule.over}, 1 / {divide}, 1 / ({divide} * {final})",
        "rising = 1 + (low - 1) * (1 + tf.cos(np.pi * tf.minimum(t / top, 1.0))) / 2",
        f"falling = last + (1 - last) * (1 + tf.cos(np.pi * tf.minimum((t - top) / ({schedule.over} - top), 1.0))) / 2",
        "return tf.where(t < top, rising, falling)",
    ]


#: type -> what it is, in words; and the statements that give the factor at t
SCHEDULES: Mapping[str, tuple[str, Callable[[Draft, Any], list[str]]]] = {
    "step": ("steps", lambda draft, s: [f"return {number(draft, s.rate)} ** tf.floor(t / {s.every})"]),
    "exponential": ("an exponential", lambda draft, s: [f"return {number(draft, s.rate)} ** (t / {s.over})"]),
    "cosine": ("a cosine", cosine),
    "warmup": ("a warm-up", warmup),
    "one_cycle": ("one cycle up and down", one_cycle),
}


def schedule_function(draft: Draft) -> str:
    """The function `factor`; nothing where the rate stays.

    Raises:
        NotWritten: there is no text for the schedule.
    """
    schedule = draft.spec.optimizer.schedule
    if schedule is None:
        return ""
    if schedule.type not in SCHEDULES:
        raise NotWritten(f'the schedule "{schedule.type}" is not written for TensorFlow')
    words, statements = SCHEDULES[schedule.type]
    lines = [f'"""Factor on the learning rate after t updates: {words}."""', *statements(draft, schedule)]
    return "\n    ".join(["def factor(t):", *lines])
