"""Keras' optimizers, with its own clipping, decoupled decay, accumulation and schedules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Mapping

import keras
import numpy
from keras import ops, optimizers

from harness.spec import Optimizer, active_slots

#: the formulas that Keras fixes
FORMS = {
    "sgd.momentum": "lr_velocity",
    "adam.epsilon": "hat",
    "rmsprop.epsilon": "inside",
    "rmsprop.momentum": "lr_velocity",
    "adagrad.epsilon": "inside",
    "nadam.schedule": "fast",
    "lamb.decay": "before",
}

OPS = SimpleNamespace(where=ops.where, cos=ops.cos, floor=ops.floor, minimum=ops.minimum, power=ops.power)


class Scheduled(optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate by a schedule of the spec."""

    def __init__(self, spec: Optimizer) -> None:
        self.spec = spec

    def __call__(self, step: Any) -> Any:
        """The rate at a step; Keras counts each step, an accumulated one too."""
        updates = ops.cast(ops.floor_divide(step, self.spec.gradient_accumulation_steps), keras.config.floatx())
        schedule: Any = self.spec.schedule
        return self.spec.learning_rate * schedule.factor(updates, OPS)


class Nadam(optimizers.Nadam):  # type: ignore[misc]
    """Keras' own in float64, where it takes the 0.96 of its schedule through float32."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One parameter."""
        step, index = ops.cast(self.iterations + 1, variable.dtype), self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        share, later = (self.beta_1 * (1 - 0.5 * ops.power(0.96, count)) for count in (step, step + 1))
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        ahead = later * first / (1 - self._u_product * later) + (1 - share) * gradient / (1 - self._u_product)
        root = ops.sqrt(second / (1 - ops.power(self.beta_2, step))) + self.epsilon
        self.assign_sub(variable, learning_rate * ahead / root)


def betas(spec: Any) -> Dict[str, float]:
    """What the optimizers with two moments have."""
    return {"beta_1": spec.beta_1, "beta_2": spec.beta_2, "epsilon": spec.epsilon}


#: type -> function of a spec and of the options that all share; Keras wants the momentum as a float
OPTIMIZERS: Dict[str, Callable[..., Any]] = {
    "sgd": lambda spec, **more: optimizers.SGD(momentum=float(spec.momentum), nesterov=spec.nesterov, **more),
    "adam": lambda spec, **more: optimizers.Adam(**betas(spec), **more),
    "adamw": lambda spec, **more: optimizers.AdamW(**betas(spec), **more),
    "nadam": lambda spec, **more: (Nadam if keras.config.floatx() == "float64" else optimizers.Nadam)(**betas(spec), **more),
    "adamax": lambda spec, **more: optimizers.Adamax(**betas(spec), **more),
    "rmsprop": lambda spec, **more: optimizers.RMSprop(rho=spec.rho, momentum=float(spec.momentum), epsilon=spec.epsilon, **more),
    "adagrad": lambda spec, **more: optimizers.Adagrad(
        initial_accumulator_value=spec.initial_accumulator_value, epsilon=spec.epsilon, **more
    ),
    "adadelta": lambda spec, **more: optimizers.Adadelta(rho=spec.rho, epsilon=spec.epsilon, **more),
    "lion": lambda spec, **more: optimizers.Lion(beta_1=spec.beta_1, beta_2=spec.beta_2, **more),
    "lamb": lambda spec, **more: optimizers.Lamb(**betas(spec), **more),
}
MOMENTS = {"first_moment": "momentum", "second_moment": "velocity"}
#: our slots -> how Keras' names of them end
SLOTS: Mapping[str, Mapping[str, str]] = {
    "sgd": {"velocity": "momentum"}, "adam": MOMENTS, "adamw": MOMENTS, "nadam": MOMENTS, "lamb": MOMENTS, "lion": MOMENTS,
    "adamax": {"first_moment": "momentum", "infinity_norm": "norm"},
    "rmsprop": {"mean_square": "velocity", "velocity": "momentum"},
    "adagrad": {"sum_of_squares": "accumulator"},
    "adadelta": {"mean_square": "accumulated_grad", "mean_square_update": "accumulated_delta_var"},
}  # fmt: skip


def optimizer(spec: Optimizer, variables: List[Any]) -> Any:
    """Keras' optimizer of a spec, built for some variables."""
    steps = spec.gradient_accumulation_steps
    decay = spec.weight_decay if spec.type in ("adamw", "lamb") else spec.decoupled_decay or None
    found = OPTIMIZERS[spec.type](
        spec,
        learning_rate=Scheduled(spec) if spec.schedule else spec.learning_rate,
        weight_decay=None if decay is None else float(decay),
        clipvalue=spec.clip_value, clipnorm=spec.clip_norm, global_clipnorm=spec.global_clip_norm,
        gradient_accumulation_steps=steps if steps > 1 else None,
    )  # fmt: skip
    found.build(variables)
    if spec.coupled_decay:
        couple(found, spec.coupled_decay, variables)
    return found


def couple(optimizer: Any, decay: float, variables: List[Any]) -> None:
    """Add a decay to the gradients: between clipping and rule, where Keras has no place for more."""
    clip = optimizer._clip_gradients

    def clipped_and_decayed(gradients: Any) -> List[Any]:
        return [ops.add(gradient, decay * variable) for gradient, variable in zip(clip(gradients), variables)]

    optimizer._clip_gradients = clipped_and_decayed


def slots(spec: Optimizer, optimizer: Any, variables: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Slot -> parameter -> its variable.

    Args:
        spec: of the optimizer.
        optimizer: built.
        variables: parameter -> variable.
    """
    kept = {variable.name: variable for variable in optimizer.variables}
    endings = {**SLOTS[spec.type], "accumulated": "gradient_accumulator"}
    return {
        slot: {name: kept[f"{variable.path.replace('/', '_')}_{endings[slot]}"] for name, variable in variables.items()}
        for slot in active_slots(spec)
    }


def count(spec: Any, optimizer: Any, steps: int) -> None:
    """Tell an optimizer how many steps it has made."""
    optimizer.variables[0].assign(steps)  # `iterations` divides by the steps that are accumulated
    if spec.type == "nadam":
        updates = numpy.arange(1, steps // spec.gradient_accumulation_steps + 1)
        optimizer._u_product.assign(numpy.prod(spec.beta_1 * (1 - 0.5 * 0.96**updates)))
