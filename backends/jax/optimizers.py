"""Optimizers: optax's own, in a chain with clipping and decay, their slots under the spec's names."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple

import jax
import jax.numpy as jnp
import numpy
import optax

from harness.spec import Optimizer, active_slots

#: optax's own formulas where they are not the canonical ones
FORMS: Dict[str, str] = {
    "rmsprop.momentum": "lr_velocity",
    "adagrad.epsilon": "inside",
    "adamax.epsilon": "norm",
    "nadam.schedule": "constant",
}

_MOMENTS = {"first_moment": ("mu", 1), "second_moment": ("nu", 1)}
#: canonical slot -> optax's and its sign, by optimizer; rmsprop's velocity is the update itself, which points down
SLOTS: Mapping[str, Mapping[str, Tuple[str, int]]] = {
    "sgd": {"velocity": ("trace", 1)},
    "adam": _MOMENTS,
    "adamw": _MOMENTS,
    "nadam": _MOMENTS,
    "lamb": _MOMENTS,
    "adamax": {"first_moment": ("mu", 1), "infinity_norm": ("nu", 1)},
    "rmsprop": {"mean_square": ("nu", 1), "velocity": ("trace", -1)},
    "adagrad": {"sum_of_squares": ("sum_of_squares", 1)},
    "adadelta": {"mean_square": ("e_g", 1), "mean_square_update": ("e_x", 1)},
    "lion": {"first_moment": ("mu", 1)},
}
#: optimizers into which optax itself puts their decay
DECAYING = ("adamw", "lamb")


def _moments(o: Any) -> Tuple[float, float, float]:
    return o.beta_1, o.beta_2, o.epsilon


#: type -> optax's, of the spec and the learning rate, a number or a function of the updates made before
RULES: Mapping[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda o, rate: optax.sgd(rate, o.momentum or None, o.nesterov),
    "adam": lambda o, rate: optax.adam(rate, *_moments(o)),
    "adamw": lambda o, rate: optax.adamw(rate, *_moments(o), weight_decay=o.weight_decay),
    "nadam": lambda o, rate: optax.nadam(rate, *_moments(o)),
    "lamb": lambda o, rate: optax.lamb(rate, *_moments(o), weight_decay=o.weight_decay),
    "adamax": lambda o, rate: optax.adamax(rate, *_moments(o)),
    "rmsprop": lambda o, rate: optax.rmsprop(rate, o.rho, o.epsilon, eps_in_sqrt=False, momentum=o.momentum or None),
    "adagrad": lambda o, rate: optax.adagrad(rate, o.initial_accumulator_value, o.epsilon),
    "adadelta": lambda o, rate: optax.adadelta(rate, o.rho, o.epsilon),
    "lion": lambda o, rate: optax.lion(rate, o.beta_1, o.beta_2, weight_decay=0.0),
}


def optimizer(spec: Optimizer, dtype: str) -> Any:
    """Accumulate, clip, coupled decay, the rule, decoupled decay: one of optax's gradient transformations."""
    rate = scheduled(spec, dtype)
    parts = [*clipping(spec)]
    if spec.coupled_decay:
        parts.append(optax.add_decayed_weights(spec.coupled_decay))
    parts.append(RULES[spec.type](spec, rate))
    if spec.decoupled_decay and spec.type not in DECAYING:
        parts.append(shrinking(rate, spec.decoupled_decay))
    count = spec.gradient_accumulation_steps
    if count == 1:
        return optax.chain(*parts)
    # the sum is kept, which is what the contract calls the slot, and divided behind it
    return optax.MultiSteps(optax.chain(optax.scale(1 / count), *parts), count, use_grad_mean=False, accumulator_dtype=dtype)


def scheduled(spec: Optimizer, dtype: str) -> Any:
    """The learning rate: a number, or a function of the updates made before."""
    schedule = spec.schedule
    if schedule is None:
        return spec.learning_rate
    return lambda count: spec.learning_rate * schedule.factor(jnp.asarray(count, dtype), jnp)


def shrinking(rate: Any, decay: float) -> Any:
    """p <- p - rate decay p, behind any rule."""
    return optax.add_decayed_weights((lambda count: -rate(count) * decay) if callable(rate) else -rate * decay)


def clipping(spec: Optimizer) -> List[Any]:
    """The transformation that clips, if one does."""
    if spec.clip_value is not None:
        return [optax.clip(spec.clip_value)]
    if spec.global_clip_norm is not None:
        return [optax.clip_by_global_norm(spec.global_clip_norm)]
    if spec.clip_norm is not None:
        return [clip_by_norm(spec.clip_norm)]
    return []


def clip_by_norm(limit: float) -> Any:
    """g min(1, limit / norm), of each parameter's gradient: optax has this for all together only."""

    def clipped(gradient: Any) -> Any:
        norm = jnp.linalg.norm(gradient.ravel())
        return jnp.where(norm < limit, gradient, gradient / norm * limit)

    return optax.stateless(lambda gradients, parameters: jax.tree.map(clipped, gradients))


def by_parameter(spec: Optimizer) -> bool:
    """Whether the update looks at each parameter as a whole, so that they cannot travel as one vector."""
    return spec.clip_norm is not None or spec.type == "lamb"


def slot_names(spec: Optimizer) -> Dict[str, Tuple[str, int]]:
    """Canonical slot -> optax's and its sign."""
    known = {**SLOTS[spec.type], "accumulated": ("acc_grads", 1)}
    return {slot: known[slot] for slot in active_slots(spec)}


def counters(spec: Optimizer, held: Any, steps: int) -> Dict[str, Any]:
    """Optax's own counters after so many steps, by their names in its state `held`."""
    every = spec.gradient_accumulation_steps
    counts = {"count": steps // every, "gradient_step": steps // every, "mini_step": steps % every}
    there = {name for name in counts if optax.tree_utils.tree_get_all_with_path(held, name)}
    return {name: numpy.array(count, numpy.int32) for name, count in counts.items() if name in there}
