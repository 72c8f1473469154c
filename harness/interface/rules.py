"""Update rules in canonical form, for frameworks that have none of their own: plain arithmetic over whatever a tensor is there."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Tuple

from ..spec import SGD, AdamW, RMSprop


def updated(
    spec: Any, parameter: Any, gradient: Any, slots: Mapping[str, Any], count: Any, sqrt: Callable[[Any], Any]
) -> Tuple[Any, Dict[str, Any]]:
    """One parameter after a step, and its slots; formulas as in harness.spec.optimizers.

    Args:
        spec: the optimizer.
        parameter: a tensor.
        gradient: of its shape.
        slots: the active ones by name, each of its shape.
        count: steps taken, this one included: a float64 number, or one of the framework's.
        sqrt: the framework's.
    """
    rate = spec.learning_rate
    if isinstance(spec, SGD):
        if not spec.momentum:
            return parameter - rate * gradient, {}
        velocity = spec.momentum * slots["velocity"] + gradient
        direction = gradient + spec.momentum * velocity if spec.nesterov else velocity
        return parameter - rate * direction, {"velocity": velocity}
    if isinstance(spec, RMSprop):
        square = spec.rho * slots["mean_square"] + (1 - spec.rho) * gradient * gradient
        direction = gradient / (sqrt(square) + spec.epsilon)
        if not spec.momentum:
            return parameter - rate * direction, {"mean_square": square}
        velocity = spec.momentum * slots["velocity"] + direction
        return parameter - rate * velocity, {"mean_square": square, "velocity": velocity}
    first = spec.beta_1 * slots["first_moment"] + (1 - spec.beta_1) * gradient
    second = spec.beta_2 * slots["second_moment"] + (1 - spec.beta_2) * gradient * gradient
    rate_1, correction_2 = rate / (1 - spec.beta_1**count), 1 - spec.beta_2**count
    decayed = parameter - rate * spec.weight_decay * parameter if isinstance(spec, AdamW) else parameter
    return decayed - rate_1 * first / (sqrt(second / correction_2) + spec.epsilon), {
        "first_moment": first,
        "second_moment": second,
    }
