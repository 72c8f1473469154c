"""The library's own training ops: each updates a parameter and its slots in place. They take resource handles."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import tensorflow as tf

from harness.spec import Optimizer, active_slots

#: one parameter's update: spec, constants in its dtype, handle, gradient, handles of its slots, betas to the power of the step
Update = Callable[[Any, Callable[[float], Any], Any, Any, Sequence[Any], Sequence[Any]], None]


def sgd(spec: Any, number: Callable[[float], Any], var: Any, grad: Any, slots: Sequence[Any], powers: Sequence[Any]) -> None:
    """p <- p - lr g; with momentum v <- m v + g, p <- p - lr v."""
    rate = number(spec.learning_rate)
    if not spec.momentum:
        tf.raw_ops.ResourceApplyGradientDescent(var=var, alpha=rate, delta=grad)
        return
    momentum = number(spec.momentum)
    tf.raw_ops.ResourceApplyMomentum(var=var, accum=slots[0], lr=rate, grad=grad, momentum=momentum, use_nesterov=spec.nesterov)


def adam(spec: Any, number: Callable[[float], Any], var: Any, grad: Any, slots: Sequence[Any], powers: Sequence[Any]) -> None:
    """The moments; epsilon hat."""
    tf.raw_ops.ResourceApplyAdam(
        var=var, m=slots[0], v=slots[1], beta1_power=powers[0], beta2_power=powers[1], lr=number(spec.learning_rate),
        beta1=number(spec.beta_1), beta2=number(spec.beta_2), epsilon=number(spec.epsilon), grad=grad,
    )  # fmt: skip


def rmsprop(spec: Any, number: Callable[[float], Any], var: Any, grad: Any, slots: Sequence[Any], powers: Sequence[Any]) -> None:
    """v <- m v + lr g / sqrt(s + epsilon), p <- p - v; the op wants v even where the momentum is zero."""
    tf.raw_ops.ResourceApplyRMSProp(
        var=var, ms=slots[0], mom=slots[1], lr=number(spec.learning_rate), rho=number(spec.rho),
        momentum=number(spec.momentum), epsilon=number(spec.epsilon), grad=grad,
    )  # fmt: skip


OPTIMIZERS: Dict[str, Update] = {"sgd": sgd, "adam": adam, "rmsprop": rmsprop}


def slot_names(spec: Optimizer) -> Sequence[str]:
    """The slots that the training op wants."""
    return spec.slots if spec.type == "rmsprop" else active_slots(spec)
