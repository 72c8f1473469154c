"""The library's own training ops: each updates a parameter and its slots in place. They take resource handles. Before them gradients are
clipped and decayed, after them parameters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import tensorflow as tf

from harness.spec import Optimizer, active_slots


class Step(NamedTuple):
    """What all parameters' updates share.

    Attributes:
        number: a constant in the program's dtype.
        rate: the learning rate of this update.
        powers: the betas to the power of the updates, this one included.
    """

    number: Callable[[float], Any]
    rate: Any
    powers: Sequence[Any]


#: one parameter's update: spec, step, handle, gradient, handles of its slots
Update = Callable[[Any, Step, Any, Any, Sequence[Any]], None]


def power(base: float, exponent: Any) -> Any:
    """A number to the power of a float64 tensor."""
    return tf.pow(tf.constant(base, tf.float64), exponent)


#: what a schedule is computed with
FLOAT64 = SimpleNamespace(where=tf.where, cos=tf.cos, floor=tf.floor, minimum=tf.minimum, power=power)


def sgd(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """p <- p - lr g; with momentum v <- m v + g, p <- p - lr v."""
    if not spec.momentum:
        tf.raw_ops.ResourceApplyGradientDescent(var=var, alpha=step.rate, delta=grad)
        return
    tf.raw_ops.ResourceApplyMomentum(
        var=var, accum=slots[0], lr=step.rate, grad=grad, momentum=step.number(spec.momentum), use_nesterov=spec.nesterov
    )


def adam(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """The moments; epsilon hat."""
    number = step.number
    tf.raw_ops.ResourceApplyAdam(
        var=var, m=slots[0], v=slots[1], beta1_power=step.powers[0], beta2_power=step.powers[1], lr=step.rate,
        beta1=number(spec.beta_1), beta2=number(spec.beta_2), epsilon=number(spec.epsilon), grad=grad,
    )  # fmt: skip


def adamax(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """The first moment over the largest gradient; epsilon in the denominator."""
    number = step.number
    tf.raw_ops.ResourceApplyAdaMax(
        var=var, m=slots[0], v=slots[1], beta1_power=step.powers[0], lr=step.rate, beta1=number(spec.beta_1),
        beta2=number(spec.beta_2), epsilon=number(spec.epsilon), grad=grad,
    )  # fmt: skip


def rmsprop(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """v <- m v + lr g / sqrt(s + epsilon), p <- p - v; the op wants v even where the momentum is zero."""
    number = step.number
    tf.raw_ops.ResourceApplyRMSProp(
        var=var, ms=slots[0], mom=slots[1], lr=step.rate, rho=number(spec.rho),
        momentum=number(spec.momentum), epsilon=number(spec.epsilon), grad=grad,
    )  # fmt: skip


def adagrad(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """s <- s + g^2, p <- p - lr g / (sqrt(s) + epsilon)."""
    tf.raw_ops.ResourceApplyAdagradV2(var=var, accum=slots[0], lr=step.rate, epsilon=step.number(spec.epsilon), grad=grad)


def adadelta(spec: Any, step: Step, var: Any, grad: Any, slots: Sequence[Any]) -> None:
    """Both mean squares."""
    number = step.number
    tf.raw_ops.ResourceApplyAdadelta(
        var=var,
        accum=slots[0],
        accum_update=slots[1],
        lr=step.rate,
        rho=number(spec.rho),
        epsilon=number(spec.epsilon),
        grad=grad,
    )


OPTIMIZERS: Dict[str, Update] = {
    "sgd": sgd, "adam": adam, "adamw": adam, "adamax": adamax, "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta,
}  # fmt: skip
#: what the library has no training op of
NONE = {"nadam": "NAdam", "lion": "Lion", "lamb": "LAMB"}


def slot_names(spec: Optimizer) -> Sequence[str]:
    """The slots that the training op wants, without those of accumulated gradients."""
    return spec.slots if spec.type == "rmsprop" else [slot for slot in active_slots(spec) if slot != "accumulated"]


def betas(spec: Any) -> List[float]:
    """The betas whose powers the op wants."""
    return [
        getattr(spec, name)
        for name in {"adam": ("beta_1", "beta_2"), "adamw": ("beta_1", "beta_2"), "adamax": ("beta_1",)}.get(spec.type, ())
    ]


def clipped(spec: Optimizer, gradients: Sequence[Any]) -> List[Any]:
    """Gradients, by value, each by its norm, or all by theirs. tf.clip_by_norm and clip_by_global_norm compute g c / max(norm, c) too."""
    if spec.clip_value is not None:
        return [tf.clip_by_value(gradient, -spec.clip_value, spec.clip_value) for gradient in gradients]
    if spec.clip_norm is not None:
        return [tf.clip_by_norm(gradient, spec.clip_norm) for gradient in gradients]
    if spec.global_clip_norm is not None:
        return list(tf.clip_by_global_norm(gradients, spec.global_clip_norm)[0])
    return list(gradients)


def apply(
    spec: Optimizer, dtype: str, variables: Sequence[Any], gradients: Sequence[Any], slots: Sequence[Sequence[Any]], count: Any
) -> None:
    """One update of all parameters.

    Args:
        spec: the optimizer.
        dtype: of the parameters.
        variables: the parameters.
        gradients: dense.
        slots: of each parameter, in the order of `slot_names`.
        count: updates made before, a float64 tensor.
    """
    rate = tf.constant(spec.learning_rate, tf.float64)
    rate = tf.cast(rate if spec.schedule is None else rate * spec.schedule.factor(count, FLOAT64), dtype)
    powers = [tf.cast(power(beta, count + 1), dtype) for beta in betas(spec)]
    step = Step(lambda value: tf.constant(value, dtype), rate, powers)
    for variable, gradient, own in zip(variables, clipped(spec, gradients), slots):
        decayed = gradient + spec.coupled_decay * variable if spec.coupled_decay else gradient
        if spec.decoupled_decay:
            variable.assign(variable * (1 - rate * spec.decoupled_decay))
        OPTIMIZERS[spec.type](spec, step, variable.handle, decayed, [slot.handle for slot in own])
