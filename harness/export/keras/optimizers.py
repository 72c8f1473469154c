"""Optimizers: Keras' own, with its clipping, decoupled decay and accumulation; schedules as factors written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...spec import Optimizer, Schedule
from .text import call, unless, value


def moments(rule: Any) -> dict[str, Any]:
    """What the optimizers with two moments have."""
    return {"beta_1": rule.beta_1, "beta_2": rule.beta_2, "epsilon": rule.epsilon}


#: type -> what Keras calls it
NAMES = {
    "sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "nadam": "Nadam", "adamax": "Adamax", "rmsprop": "RMSprop", "adagrad": "Adagrad",
    "adadelta": "Adadelta", "lion": "Lion", "lamb": "Lamb",
}  # fmt: skip
#: type -> its own options
OPTIONS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "sgd": lambda rule: {"momentum": unless(0.0, rule.momentum), "nesterov": unless(False, rule.nesterov)},
    "adam": moments, "adamw": moments, "nadam": moments, "adamax": moments, "lamb": moments,
    "rmsprop": lambda rule: {"rho": rule.rho, "momentum": unless(0.0, rule.momentum), "epsilon": rule.epsilon},
    "adagrad": lambda rule: {"initial_accumulator_value": rule.initial_accumulator_value, "epsilon": rule.epsilon},
    "adadelta": lambda rule: {"rho": rule.rho, "epsilon": rule.epsilon},
    "lion": lambda rule: {"beta_1": rule.beta_1, "beta_2": rule.beta_2},
}  # fmt: skip


def optimizer(rule: Optimizer, double: bool) -> str:
    """Keras' optimizer as an expression; `double`: see Place."""
    kind = "Nadam" if rule.type == "nadam" and double else f"keras.optimizers.{NAMES[rule.type]}"
    decay = rule.weight_decay if rule.type in ("adamw", "lamb") else rule.decoupled_decay
    found = call(
        kind, learning_rate=learning_rate(rule), **OPTIONS[rule.type](rule),
        weight_decay=decay if decay or rule.type == "adamw" else None,
        clipvalue=rule.clip_value, clipnorm=rule.clip_norm, global_clipnorm=rule.global_clip_norm,
        gradient_accumulation_steps=unless(1, rule.gradient_accumulation_steps),
    )  # fmt: skip
    return call("with_coupled_decay", found, rule.coupled_decay) if rule.coupled_decay else found


def learning_rate(rule: Optimizer) -> Any:
    """A number, or a schedule."""
    if rule.schedule is None:
        return rule.learning_rate
    steps = unless(1, rule.gradient_accumulation_steps)
    return call("Scheduled", rule.learning_rate, "factor", steps_per_update=steps)


def step_decay(schedule: Any) -> list[str]:
    """rate^floor(t / every)."""
    return [f"return {value(schedule.rate)} ** ops.floor(t / {schedule.every})"]


def exponential(schedule: Any) -> list[str]:
    """rate^(t / over)."""
    return [f"return {value(schedule.rate)} ** (t / {schedule.over})"]


def falling(end: float, share: str, start: float = 1.0) -> str:
    """A cosine from `start` to `end`."""
    wave = f"(1 + ops.cos(np.pi * ops.minimum({share}, 1.0))) / 2"
    first = f"{value(end)} + " if end else ""
    return f"{first}{difference(start, end)}{wave}"


def difference(start: float, end: float) -> str:
    """The factor start - end, if it is not 1."""
    return "" if (start, end) == (1.0, 0.0) else f"({value(start)} - {value(end)}) * "


def cosine(schedule: Any) -> list[str]:
    """A cosine down."""
    return [f"return {falling(schedule.end, f't / {schedule.over}')}"]


def warmup(schedule: Any) -> list[str]:
    """A line up, then 1 or a cosine down."""
    first = f"{value(schedule.start)} + " if schedule.start else ""
    rising = f"rising = {first}{difference(1.0, schedule.start)}t / {schedule.over}"
    if schedule.until <= schedule.over:
        return [rising, f"return ops.where(t < {schedule.over}, rising, 1.0)"]
    share = f"(t - {schedule.over}) / {schedule.until - schedule.over}"
    return [rising, f"falling = {falling(schedule.end, share)}", f"return ops.where(t < {schedule.over}, rising, falling)"]


def one_cycle(schedule: Any) -> list[str]:
    """A cosine up, then one down."""
    over, low = f"{schedule.over}", f"1 / {value(schedule.divide)}"
    return [
        f"top = {value(schedule.rise)} * {over}",
        f"first, last = {low}, {low} / {value(schedule.final_divide)}",
        "rising = 1 + (first - 1) * (1 + ops.cos(np.pi * ops.minimum(t / top, 1.0))) / 2",
        f"falling = last + (1 - last) * (1 + ops.cos(np.pi * ops.minimum((t - top) / ({over} - top), 1.0))) / 2",
        "return ops.where(t < top, rising, falling)",
    ]


SCHEDULES: Mapping[str, Callable[[Any], list[str]]] = {
    "step": step_decay, "exponential": exponential, "cosine": cosine, "warmup": warmup, "one_cycle": one_cycle,
}  # fmt: skip


def factor(schedule: Schedule) -> str:
    """The function of a schedule."""
    lines = "\n    ".join(SCHEDULES[schedule.type](schedule))
    return f'def factor(t):\n    """What the learning rate is multiplied by, t updates having been made."""\n    {lines}'
