"""Optimizers by hand, on the program's flat buffers, in every form that a framework fixes (harness.spec.FORMS).

An update works through the flat buffers in blocks that stay in the second-level cache: several cheap passes over a block cost
less than one pass through memory for each operation.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Type

import numpy

from harness.spec import SGD as SGDSpec
from harness.spec import Adam as AdamSpec
from harness.spec import AdamW as AdamWSpec
from harness.spec import Optimizer as OptimizerSpec
from harness.spec import RMSprop as RMSpropSpec
from harness.spec import active_slots

from .arithmetic import PLAIN

#: numbers in a block: 128 KiB in float32, so that parameter, gradient, two slots and two work buffers fit in 1 MiB
BLOCK = 32768


class Optimizer:
    """`update(step)` moves the parameters by one step; `slots` are flat arrays by name."""

    def __init__(self, spec: Any, forms: Mapping[str, str], parameters: Any, gradients: Any, ops: Any) -> None:
        self.spec, self.forms, self.ops = spec, forms, ops
        self.dtype = parameters.dtype
        self.slots: Dict[str, Any] = {name: numpy.zeros_like(parameters) for name in active_slots(spec)}
        work = [numpy.empty(min(BLOCK, parameters.size), parameters.dtype) for _ in range(2)]
        self.blocks = []
        for start in range(0, parameters.size, BLOCK):
            part = slice(start, start + BLOCK)
            size = parameters[part].size
            slots = [slot[part] for slot in self.slots.values()]
            self.blocks.append((parameters[part], gradients[part], *slots, work[0][:size], work[1][:size]))
        self.setup()

    def setup(self) -> None:
        """Make the constants."""
        raise NotImplementedError

    def number(self, value: Any) -> Any:
        """A constant as an array of the program's dtype: a Python number would be converted at every call."""
        return numpy.array(value, self.dtype)

    def update(self, step: int) -> None:
        """One step; `step` counts the steps already taken."""
        raise NotImplementedError


class PlainSGD(Optimizer):
    """p <- p - lr g."""

    def setup(self) -> None:
        self.rate = self.number(self.spec.learning_rate)

    def update(self, step: int) -> None:
        ops, rate = self.ops, self.rate
        for p, g, work, _ in self.blocks:
            ops.subtract(p, ops.multiply(g, rate, work), p)


class MomentumSGD(Optimizer):
    """v <- m v + g, p <- p - lr v."""

    def setup(self) -> None:
        self.rate, self.momentum = self.number(self.spec.learning_rate), self.number(self.spec.momentum)

    def update(self, step: int) -> None:
        ops, rate, momentum, nesterov = self.ops, self.rate, self.momentum, self.spec.nesterov
        for p, g, v, work, _ in self.blocks:
            ops.add(ops.multiply(v, momentum, v), g, v)
            ahead = ops.add(ops.multiply(v, momentum, work), g, work) if nesterov else v
            ops.subtract(p, ops.multiply(ahead, rate, work), p)


class RateInsideSGD(MomentumSGD):
    """v <- m v - lr g, p <- p + v."""

    def update(self, step: int) -> None:
        ops, rate, momentum, nesterov = self.ops, self.rate, self.momentum, self.spec.nesterov
        for p, g, v, work, other in self.blocks:
            ops.multiply(g, rate, other)
            ops.subtract(ops.multiply(v, momentum, v), other, v)
            ahead = ops.subtract(ops.multiply(v, momentum, work), other, work) if nesterov else v
            ops.add(p, ahead, p)


class Adam(Optimizer):
    """The moments, corrected for their start. Both corrections are moved into the rate and into epsilon:
    lr / c1 * m / (sqrt(v / c2) + e) = lr sqrt(c2) / c1 * m / (sqrt(v) + e sqrt(c2)); the "hat" form leaves epsilon as it is."""

    def setup(self) -> None:
        spec = self.spec
        self.b1, self.b2 = self.number(spec.beta_1), self.number(spec.beta_2)
        self.c1, self.c2 = self.number(1 - spec.beta_1), self.number(1 - spec.beta_2)
        self.decay = self.number(1 - spec.learning_rate * spec.weight_decay) if isinstance(spec, AdamWSpec) else None

    def correction(self, beta: float, step: int) -> Any:
        """1 - beta^step: in double precision, but in the program's own where rounding is measured, since Optax and TensorFlow
        compute it so (in float32, 1 - 0.999^2 is off by 1e-5)."""
        if self.ops is PLAIN:
            return 1 - beta**step
        return self.ops.subtract(self.number(1), self.ops.power(self.number(beta), self.number(step)))

    def update(self, step: int) -> None:
        ops, spec, b1, b2, c1, c2 = self.ops, self.spec, self.b1, self.b2, self.c1, self.c2
        first, second = self.correction(spec.beta_1, step + 1), self.correction(spec.beta_2, step + 1)
        rate = self.number(spec.learning_rate * second**0.5 / first)
        epsilon = self.number(spec.epsilon if self.forms.get("adam.epsilon") == "hat" else spec.epsilon * second**0.5)
        for p, g, m, v, work, _ in self.blocks:
            if self.decay is not None:
                ops.multiply(p, self.decay, p)
            ops.add(ops.multiply(m, b1, m), ops.multiply(g, c1, work), m)
            ops.multiply(ops.multiply(g, g, work), c2, work)
            ops.add(ops.multiply(v, b2, v), work, v)
            ops.add(ops.sqrt(v, work), epsilon, work)
            ops.subtract(p, ops.multiply(ops.divide(m, work, work), rate, work), p)


class RMSprop(Optimizer):
    """The mean square; epsilon outside or inside the root, the rate outside or inside the velocity."""

    def setup(self) -> None:
        spec = self.spec
        self.rho, self.rest = self.number(spec.rho), self.number(1 - spec.rho)
        self.epsilon, self.rate, self.momentum = (
            self.number(spec.epsilon),
            self.number(spec.learning_rate),
            self.number(spec.momentum),
        )
        self.inside = self.forms.get("rmsprop.epsilon") == "inside"
        self.rate_inside = self.forms.get("rmsprop.momentum") == "lr_velocity"

    def update(self, step: int) -> None:
        ops, epsilon = self.ops, self.epsilon
        for p, g, s, *velocity, work, other in self.blocks:
            ops.multiply(ops.multiply(g, g, work), self.rest, work)
            ops.add(ops.multiply(s, self.rho, s), work, s)
            root = ops.sqrt(ops.add(s, epsilon, work), work) if self.inside else ops.add(ops.sqrt(s, work), epsilon, work)
            self.move(p, ops.divide(g, root, other), velocity)

    def move(self, p: Any, direction: Any, velocity: Any) -> None:
        """p along the direction, through the velocity where there is one; the direction is overwritten."""
        ops, rate = self.ops, self.rate
        if not velocity:
            step = ops.multiply(direction, rate, direction)
        else:
            v = velocity[0]
            step = ops.multiply(direction, rate, direction) if self.rate_inside else direction
            ops.add(ops.multiply(v, self.momentum, v), step, v)
            step = v if self.rate_inside else ops.multiply(v, rate, direction)
        ops.subtract(p, step, p)


OPTIMIZERS: Dict[str, Type[OptimizerSpec]] = {"sgd": SGDSpec, "adam": AdamSpec, "adamw": AdamWSpec, "rmsprop": RMSpropSpec}


def optimizer(spec: OptimizerSpec, forms: Mapping[str, str], parameters: Any, gradients: Any, ops: Any) -> Optimizer:
    """The optimizer of a spec, on flat parameters and gradients of shape `(n,)`."""
    if isinstance(spec, SGDSpec):
        with_momentum = RateInsideSGD if forms.get("sgd.momentum") == "lr_velocity" else MomentumSGD
        kind: Type[Optimizer] = with_momentum if spec.momentum else PlainSGD
    else:
        kind = RMSprop if isinstance(spec, RMSpropSpec) else Adam
    return kind(spec, forms, parameters, gradients, ops)
