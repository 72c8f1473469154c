"""Update rules in canonical form, for frameworks that have none of their own: plain arithmetic over whatever a tensor is there.

`ops` is a module or a namespace with numpy's names for such tensors: sqrt, abs, sign, maximum, minimum, where, sum; for schedules cos,
floor and power too.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple

import numpy

Slots = Mapping[str, Any]
#: what a rule gives: the direction, to be multiplied with the rate, and the new slots
Moved = Tuple[Any, Dict[str, Any]]


def updated(spec: Any, parameter: Any, gradient: Any, slots: Slots, count: Any, ops: Any) -> Tuple[Any, Dict[str, Any]]:
    """One parameter after an update, and its slots; formulas as in harness.spec.optimizers. What concerns all gradients is done before, by
    `clipped`.

    Args:
        spec: the optimizer.
        parameter: a tensor.
        gradient: of its shape, as the update takes it.
        slots: the active ones by name, each of its shape.
        count: updates made, this one included: a number, or one of the framework's.
        ops: see above.
    """
    rate = spec.learning_rate
    if spec.schedule is not None:
        rate = rate * spec.schedule.factor(count - 1, ops)
    if spec.coupled_decay:
        gradient = gradient + spec.coupled_decay * parameter
    direction, kept = RULES[spec.type](spec, parameter, gradient, slots, count, ops)
    if spec.decoupled_decay:
        parameter = parameter - rate * spec.decoupled_decay * parameter
    return parameter - rate * direction, kept


def clipped(spec: Any, gradients: List[Any], ops: Any) -> List[Any]:
    """All gradients of an update, cut by the optimizer's limits."""

    def shortened(highest: float, length: Any) -> Any:
        return ops.where(length > highest, highest / ops.maximum(length, highest), 1.0)

    if spec.clip_value is not None:
        gradients = [ops.maximum(ops.minimum(gradient, spec.clip_value), -spec.clip_value) for gradient in gradients]
    if spec.clip_norm is not None:
        gradients = [gradient * shortened(spec.clip_norm, ops.sqrt(ops.sum(gradient * gradient))) for gradient in gradients]
    if spec.global_clip_norm is not None:
        factor = shortened(spec.global_clip_norm, ops.sqrt(sum(ops.sum(gradient * gradient) for gradient in gradients)))
        gradients = [gradient * factor for gradient in gradients]
    return gradients


def mean(share: float, old: Any, new: Any) -> Any:
    """A moving mean."""
    return share * old + (1 - share) * new


def sgd(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """Plain, with momentum, or ahead of it."""
    if not spec.momentum:
        return g, {}
    velocity = spec.momentum * slots["velocity"] + g
    return g + spec.momentum * velocity if spec.nesterov else velocity, {"velocity": velocity}


def moments(spec: Any, g: Any, slots: Slots) -> Dict[str, Any]:
    """Both moments, moved."""
    first, second = mean(spec.beta_1, slots["first_moment"], g), mean(spec.beta_2, slots["second_moment"], g * g)
    return {"first_moment": first, "second_moment": second}


def corrected_root(spec: Any, second: Any, count: Any, ops: Any) -> Any:
    """sqrt(v^) + epsilon."""
    return ops.sqrt(second / (1 - spec.beta_2**count)) + spec.epsilon


def adam(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """m^ / (sqrt(v^) + epsilon)."""
    kept = moments(spec, g, slots)
    first = kept["first_moment"] / (1 - spec.beta_1**count)
    return first / corrected_root(spec, kept["second_moment"], count, ops), kept


def nadam(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """Shares of momentum that rise; their product needs `count` as a whole number of Python's."""
    shares = spec.beta_1 * (1 - 0.96 ** (numpy.arange(1, count + 2) / 250) / 2)
    share, ahead, product = float(shares[-2]), float(shares[-1]), float(numpy.prod(shares[:-1]))
    kept = moments(spec, g, slots)
    first = ahead / (1 - product * ahead) * kept["first_moment"] + (1 - share) / (1 - product) * g
    return first / corrected_root(spec, kept["second_moment"], count, ops), kept


def lamb(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """Adam's direction and the decay, as long as the parameter."""
    direction, kept = adam(spec, p, g, slots, count, ops)
    direction = direction + spec.weight_decay * p
    size, length = ops.sqrt(ops.sum(p * p)), ops.sqrt(ops.sum(direction * direction))
    both = ops.minimum(size, length) > 0
    return ops.where(both, size / ops.where(both, length, 1.0), 1.0) * direction, kept


def adamax(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """m^ / (u + epsilon)."""
    first, size = mean(spec.beta_1, slots["first_moment"], g), ops.maximum(spec.beta_2 * slots["infinity_norm"], ops.abs(g))
    return first / (1 - spec.beta_1**count) / (size + spec.epsilon), {"first_moment": first, "infinity_norm": size}


def rmsprop(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """g / (sqrt(s) + epsilon), through the velocity where there is momentum."""
    square = mean(spec.rho, slots["mean_square"], g * g)
    direction = g / (ops.sqrt(square) + spec.epsilon)
    if not spec.momentum:
        return direction, {"mean_square": square}
    velocity = spec.momentum * slots["velocity"] + direction
    return velocity, {"mean_square": square, "velocity": velocity}


def adagrad(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """g / (sqrt(s) + epsilon)."""
    square = slots["sum_of_squares"] + g * g
    return g / (ops.sqrt(square) + spec.epsilon), {"sum_of_squares": square}


def adadelta(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """g sqrt(a + epsilon) / sqrt(s + epsilon)."""
    square = mean(spec.rho, slots["mean_square"], g * g)
    direction = g * ops.sqrt(slots["mean_square_update"] + spec.epsilon) / ops.sqrt(square + spec.epsilon)
    change = mean(spec.rho, slots["mean_square_update"], direction * direction)
    return direction, {"mean_square": square, "mean_square_update": change}


def lion(spec: Any, p: Any, g: Any, slots: Slots, count: Any, ops: Any) -> Moved:
    """The sign of the momentum."""
    old = slots["first_moment"]
    return ops.sign(mean(spec.beta_1, old, g)), {"first_moment": mean(spec.beta_2, old, g)}


RULES: Dict[str, Callable[..., Moved]] = {
    "sgd": sgd, "adam": adam, "adamw": adam, "nadam": nadam, "adamax": adamax, "rmsprop": rmsprop, "adagrad": adagrad,
    "adadelta": adadelta, "lion": lion, "lamb": lamb,
}  # fmt: skip
