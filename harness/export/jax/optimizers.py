"""Optimizers: optax's own, in a chain with clipping and decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...spec import Optimizer
from ..draft import NotWritten
from .text import assigned, call

#: optimizers into which optax itself puts their decay
DECAYING = ("adamw", "lamb")


def adam_like(name: str) -> Callable[[Any, str], str]:
    """One of Adam's family, with its own decay where it has one."""

    def written(o: Any, rate: str) -> str:
        decay = o.weight_decay if o.type in DECAYING else None
        return call(f"optax.{name}", rate, b1=o.beta_1, b2=o.beta_2, eps=o.epsilon, weight_decay=decay)

    return written


def sgd(o: Any, rate: str) -> str:
    """With momentum where there is."""
    return call("optax.sgd", rate, momentum=o.momentum or None, nesterov=o.nesterov or None)


def rmsprop(o: Any, rate: str) -> str:
    """epsilon stands behind the root."""
    return call("optax.rmsprop", rate, decay=o.rho, eps=o.epsilon, eps_in_sqrt=False, momentum=o.momentum or None)


def adagrad(o: Any, rate: str) -> str:
    """epsilon stands under the root."""
    return call("optax.adagrad", rate, initial_accumulator_value=o.initial_accumulator_value, eps=o.epsilon)


#: type -> optax's call, of the spec and the learning rate as it is written
RULES: Mapping[str, Callable[[Any, str], str]] = {
    "sgd": sgd,
    **{name: adam_like(name) for name in ("adam", "adamw", "nadam", "adamax", "lamb")},
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adadelta": lambda o, rate: call("optax.adadelta", rate, rho=o.rho, eps=o.epsilon),
    "lion": lambda o, rate: call("optax.lion", rate, b1=o.beta_1, b2=o.beta_2, weight_decay=0.0),
}


def warmup(s: Any, rate: float) -> str:
    """A line up, and a cosine down where there is one."""
    start, over = rate * s.start, float(s.over)
    if s.until <= s.over:
        return call("optax.linear_schedule", start, rate, transition_steps=over)
    return call(
        "optax.warmup_cosine_decay_schedule", start, rate, warmup_steps=over, decay_steps=float(s.until), end_value=rate * s.end
    )


def step_decay(s: Any, rate: float) -> str:
    """By a factor every so many updates."""
    return call("optax.exponential_decay", rate, transition_steps=float(s.every), decay_rate=s.rate, staircase=True)


def exponential(s: Any, rate: float) -> str:
    """By a factor in so many updates."""
    return call("optax.exponential_decay", rate, transition_steps=float(s.over), decay_rate=s.rate)


#: why numbers of updates are no whole numbers in the script
FLOATS = "# optax divides whole numbers in float32: numbers of updates are floats"
#: type -> a schedule of optax's, of the spec and the learning rate
SCHEDULES: Mapping[str, Callable[[Any, float], str]] = {
    "step": step_decay,
    "exponential": exponential,
    "cosine": lambda s, rate: call("optax.cosine_decay_schedule", rate, decay_steps=float(s.over), alpha=s.end),
    "warmup": warmup,
    "one_cycle": lambda s, rate: call("one_cycle", rate, s.over, s.rise, s.divide, s.final_divide),
}


def optimizer_text(spec: Optimizer) -> str:
    """The schedule where there is one, and the optimizer: accumulate, clip, coupled decay, the rule, decoupled decay.

    Raises:
        NotWritten: the optimizer or its schedule is not.
    """
    if spec.type not in RULES:
        raise NotWritten(f'the optimizer "{spec.type}" is not written for JAX')
    parts = [*clipping(spec)]
    if spec.coupled_decay:
        parts.append(call("optax.add_decayed_weights", spec.coupled_decay))
    parts.append(RULES[spec.type](spec, rate_of(spec)))
    if spec.decoupled_decay and spec.type not in DECAYING:
        parts.append(shrinking(spec))
    return "\n".join([*schedule(spec), *chained(parts, spec.gradient_accumulation_steps)])


def chained(parts: list[str], every: int) -> list[str]:
    """Transformations one behind the other, and the accumulation of gradients around them."""
    name = "optimizer" if every == 1 else "each_update"
    lines = assigned(name, parts[0]) if len(parts) == 1 else [f"{name} = optax.chain(", *(f"    {part}," for part in parts), ")"]
    if every > 1:
        around = call("optax.MultiSteps", name, every_k_schedule=every, accumulator_dtype="DTYPE")
        lines.append(f"optimizer = {around}  # float32 otherwise")
    return lines


def schedule(spec: Optimizer) -> list[str]:
    """The schedule, where there is one.

    Raises:
        NotWritten: there is no such schedule here.
    """
    if spec.schedule is None:
        return []
    if spec.schedule.type not in SCHEDULES:
        raise NotWritten(f'the schedule "{spec.schedule.type}" is not written for JAX')
    value = SCHEDULES[spec.schedule.type](spec.schedule, spec.learning_rate)
    return [*([FLOATS] if "_steps=" in value else []), *assigned("schedule", value)]


def rate_of(spec: Optimizer) -> str:
    """The learning rate: a number or the schedule."""
    return "schedule" if spec.schedule else repr(spec.learning_rate)


def shrinking(spec: Optimizer) -> str:
    """p <- p - rate decay p, behind any rule."""
    decay = spec.decoupled_decay
    factor = f"lambda count: -schedule(count) * {decay}" if spec.schedule else f"-{spec.learning_rate} * {decay}"
    return call("optax.add_decayed_weights", factor)


def clipping(spec: Optimizer) -> list[str]:
    """What clips, if anything does."""
    if spec.clip_value is not None:
        return [call("optax.clip", spec.clip_value)]
    if spec.global_clip_norm is not None:
        return [call("optax.clip_by_global_norm", spec.global_clip_norm)]
    if spec.clip_norm is not None:
        return [call("clip_by_norm", spec.clip_norm)]
    return []
