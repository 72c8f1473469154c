"""Optimizers as papers and harness.spec write them, one parameter after the other, in long double."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from harness.interface import Arrays, State
from harness.spec import Optimizer, active_slots

Real = numpy.longdouble
Slots = dict[str, Arrays]


def long(arrays: Mapping[str, Any]) -> Arrays:
    """Arrays in long double."""
    return {name: numpy.asarray(array, Real) for name, array in arrays.items()}


def after(spec: Optimizer, forms: Mapping[str, str], state: State, gradients: Arrays) -> State:
    """The state after one step."""
    parameters, gradients = long(state.parameters), long(gradients)
    slots = {slot: long(arrays) for slot, arrays in state.slots.items()}
    assert set(slots) == set(active_slots(spec))
    every = spec.gradient_accumulation_steps
    if every > 1:
        total = {name: slots["accumulated"][name] + gradient for name, gradient in gradients.items()}
        complete = state.step % every == every - 1
        slots["accumulated"] = {name: array * (0 if complete else 1) for name, array in total.items()}
        if not complete:
            return State(parameters, slots, state.step + 1, state.statistics)
        gradients = {name: array / every for name, array in total.items()}
    gradients = clipped(spec, gradients)
    count = state.step // every
    for name, p in parameters.items():
        own = {slot: arrays[name] for slot, arrays in slots.items() if slot != "accumulated"}
        g = gradients[name] + Real(spec.coupled_decay) * p
        rate = Real(spec.learning_rate) * (factor(spec.schedule, count) if spec.schedule else 1)
        moved, kept = RULES[spec.type](spec, forms, p, g, own, rate, count + 1)
        parameters[name] = moved - rate * Real(spec.decoupled_decay) * p
        for slot, array in kept.items():
            slots[slot][name] = array
    return State(parameters, slots, state.step + 1, state.statistics)


def clipped(spec: Optimizer, gradients: Arrays) -> Arrays:
    """Each number, each parameter's gradient, or all together."""

    def length(*arrays: Any) -> Any:
        return numpy.sqrt(sum((array**2).sum() for array in arrays))

    def share(limit: float, size: Any) -> Any:
        return min(Real(1), Real(limit) / size) if size else Real(1)

    if spec.clip_value is not None:
        return {name: numpy.clip(g, -Real(spec.clip_value), Real(spec.clip_value)) for name, g in gradients.items()}
    if spec.clip_norm is not None:
        return {name: g * share(spec.clip_norm, length(g)) for name, g in gradients.items()}
    if spec.global_clip_norm is not None:
        whole = share(spec.global_clip_norm, length(*gradients.values()))
        return {name: g * whole for name, g in gradients.items()}
    return gradients


def cosine(share: float) -> float:
    """From 1 down to 0."""
    return (1 + math.cos(math.pi * min(share, 1))) / 2


def factor(schedule: Any, t: int) -> float:
    """The factor on the rate, t updates having been made."""
    if schedule.type == "step":
        return float(schedule.rate ** (t // schedule.every))
    if schedule.type == "exponential":
        return float(schedule.rate ** (t / schedule.over))
    if schedule.type == "cosine":
        return float(schedule.end + (1 - schedule.end) * cosine(t / schedule.over))
    if schedule.type == "warmup":
        if t < schedule.over:
            return float(schedule.start + (1 - schedule.start) * t / schedule.over)
        if not schedule.until:
            return 1.0
        return float(schedule.end + (1 - schedule.end) * cosine((t - schedule.over) / (schedule.until - schedule.over)))
    top, first, last = schedule.rise * schedule.over, 1 / schedule.divide, 1 / (schedule.divide * schedule.final_divide)
    if t < top:
        return float(first + (1 - first) * (1 - cosine(t / top)))
    return float(last + (1 - last) * cosine((t - top) / (schedule.over - top)))


# rules: the parameter and the slots after update number t ---------------------------------------------------------------------


def sgd(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Plain, with momentum, or Nesterov's."""
    mu = Real(spec.momentum)
    if not mu:
        return p - rate * g, {}
    if forms.get("sgd.momentum") == "lr_velocity":
        v = mu * s["velocity"] - rate * g
        return p + (mu * v - rate * g if spec.nesterov else v), {"velocity": v}
    v = mu * s["velocity"] + g
    return p - rate * (g + mu * v if spec.nesterov else v), {"velocity": v}


def moments(spec: Any, g: Any, s: Arrays, t: int) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
    """m, v, their corrections, and both as slots."""
    b1, b2 = Real(spec.beta_1), Real(spec.beta_2)
    m, v = b1 * s["first_moment"] + (1 - b1) * g, b2 * s["second_moment"] + (1 - b2) * g**2
    return m, v, 1 - b1**t, 1 - b2**t, {"first_moment": m, "second_moment": v}


def adam(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Kingma & Ba's algorithm 1, or with their epsilon hat."""
    m, v, c1, c2, kept = moments(spec, g, s, t)
    if forms.get("adam.epsilon") == "hat":
        return p - rate * numpy.sqrt(c2) / c1 * m / (numpy.sqrt(v) + Real(spec.epsilon)), kept
    return p - rate * (m / c1) / (numpy.sqrt(v / c2) + Real(spec.epsilon)), kept


def nadam(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Dozat's, with the schedule of its momentum."""
    m, v, _, c2, kept = moments(spec, g, s, t)
    power = {"decaying": 1 / Real(250), "fast": Real(1)}.get(forms.get("nadam.schedule", "decaying"))

    def u(i: Any) -> Any:
        return Real(spec.beta_1) * (1 - Real("0.96") ** (i * power) / 2 if power else numpy.ones_like(i, Real))

    product = numpy.prod(u(numpy.arange(1, t + 1)))
    ahead = u(t + 1) * m / (1 - product * u(t + 1)) + (1 - u(t)) * g / (1 - product)
    return p - rate * ahead / (numpy.sqrt(v / c2) + Real(spec.epsilon)), kept


def lamb(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """You et al.'s, the decay inside the direction or before."""
    m, v, c1, c2, kept = moments(spec, g, s, t)
    decay = Real(spec.weight_decay)
    r = (m / c1) / (numpy.sqrt(v / c2) + Real(spec.epsilon))
    if forms.get("lamb.decay") == "before":
        p = p - rate * decay * p
    else:
        r = r + decay * p
    size, length = numpy.sqrt((p**2).sum()), numpy.sqrt((r**2).sum())
    return p - rate * (size / length if size and length else 1) * r, kept


def adamax(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Kingma & Ba's algorithm 2; epsilon beside u, or in it."""
    b1, b2, epsilon = Real(spec.beta_1), Real(spec.beta_2), Real(spec.epsilon)
    inside = epsilon if forms.get("adamax.epsilon") == "norm" else 0
    m, u = b1 * s["first_moment"] + (1 - b1) * g, numpy.maximum(b2 * s["infinity_norm"], abs(g) + inside)
    return p - rate / (1 - b1**t) * m / (u + epsilon - inside), {"first_moment": m, "infinity_norm": u}


def root(spec: Any, form: str | None, s: Any) -> Any:
    """sqrt(s) + epsilon, or epsilon inside."""
    return numpy.sqrt(s + Real(spec.epsilon)) if form == "inside" else numpy.sqrt(s) + Real(spec.epsilon)


def rmsprop(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Tieleman & Hinton's, with momentum or without."""
    square = Real(spec.rho) * s["mean_square"] + (1 - Real(spec.rho)) * g**2
    d = g / root(spec, forms.get("rmsprop.epsilon"), square)
    if not spec.momentum:
        return p - rate * d, {"mean_square": square}
    inside = forms.get("rmsprop.momentum") == "lr_velocity"
    v = Real(spec.momentum) * s["velocity"] + (rate * d if inside else d)
    return p - (v if inside else rate * v), {"mean_square": square, "velocity": v}


def adagrad(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Duchi et al.'s."""
    square = s["sum_of_squares"] + g**2
    return p - rate * g / root(spec, forms.get("adagrad.epsilon"), square), {"sum_of_squares": square}


def adadelta(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Zeiler's."""
    rho, epsilon, a = Real(spec.rho), Real(spec.epsilon), s["mean_square_update"]
    square = rho * s["mean_square"] + (1 - rho) * g**2
    d = g * numpy.sqrt((a + epsilon) / (square + epsilon))
    return p - rate * d, {"mean_square": square, "mean_square_update": rho * a + (1 - rho) * d**2}


def lion(spec: Any, forms: Mapping[str, str], p: Any, g: Any, s: Arrays, rate: Any, t: int) -> Any:
    """Chen et al.'s."""
    b1, b2, m = Real(spec.beta_1), Real(spec.beta_2), s["first_moment"]
    return p - rate * numpy.sign(b1 * m + (1 - b1) * g), {"first_moment": b2 * m + (1 - b2) * g}


RULES = {
    "sgd": sgd, "adam": adam, "adamw": adam, "nadam": nadam, "lamb": lamb, "adamax": adamax, "rmsprop": rmsprop, "adagrad": adagrad,
    "adadelta": adadelta, "lion": lion,
}  # fmt: skip
