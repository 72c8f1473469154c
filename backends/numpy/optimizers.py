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

#: numbers in a block: 128 KiB in float32, so that parameter, gradient, two slots and two work buffers fit in 1 MiB
BLOCK = 32768


class Optimizer:
    """`update(step)` moves the parameters by one step; `slots` are flat arrays by name."""

    def __init__(self, spec: Any, forms: Mapping[str, str], parameters: Any, gradients: Any, ops: Any) -> None:
        self.spec, self.forms, self.ops = spec, forms, ops
        self.number = parameters.dtype.type
        self.slots: Dict[str, Any] = {name: numpy.zeros_like(parameters) for name in active_slots(spec)}
        work = [numpy.empty(min(BLOCK, parameters.size), parameters.dtype) for _ in range(2)]
        self.blocks = []
        for start in range(0, parameters.size, BLOCK):
            part = slice(start, start + BLOCK)
            size = parameters[part].size
            slots = [slot[part] for slot in self.slots.values()]
            self.blocks.append((parameters[part], gradients[part], *slots, work[0][:size], work[1][:size]))

    def update(self, step: int) -> None:
        """One step; `step` counts the steps already taken."""
        raise NotImplementedError

    def correction(self, beta: float, step: int) -> Any:
        """1 - beta^step: in double precision, but in the program's own where rounding is measured, since Optax and TensorFlow
        compute it so (in float32, 1 - 0.999^2 is off by 1e-5)."""
        if self.ops is numpy:
            return 1 - beta**step
        return self.ops.subtract(self.number(1), self.ops.power(self.number(beta), self.number(step)))


class PlainSGD(Optimizer):
    """p <- p - lr g."""

    def update(self, step: int) -> None:
        ops, rate = self.ops, self.number(self.spec.learning_rate)
        for p, g, work, _ in self.blocks:
            ops.multiply(g, rate, out=work)
            ops.subtract(p, work, out=p)


class MomentumSGD(Optimizer):
    """v <- m v + g, p <- p - lr v; or v <- m v - lr g, p <- p + v."""

    def update(self, step: int) -> None:
        inside = self.forms.get("sgd.momentum") == "lr_velocity"
        ops, rate, momentum = self.ops, self.number(self.spec.learning_rate), self.number(self.spec.momentum)
        scale = -rate if inside else self.number(1)
        for p, g, v, work, other in self.blocks:
            step_of = ops.multiply(g, scale, out=other) if inside else g
            ops.multiply(v, momentum, out=v)
            ops.add(v, step_of, out=v)
            ahead = v
            if self.spec.nesterov:
                ops.multiply(v, momentum, out=work)
                ahead = ops.add(work, step_of, out=work)
            if inside:
                ops.add(p, ahead, out=p)
            else:
                ops.multiply(ahead, rate, out=work)
                ops.subtract(p, work, out=p)


class Adam(Optimizer):
    """The moments, corrected for their start; epsilon plain or "hat"."""

    def update(self, step: int) -> None:
        ops, number, spec = self.ops, self.number, self.spec
        first, second = self.correction(spec.beta_1, step + 1), self.correction(spec.beta_2, step + 1)
        b1, b2, c1, c2 = (number(x) for x in (spec.beta_1, spec.beta_2, 1 - spec.beta_1, 1 - spec.beta_2))
        hat = self.forms.get("adam.epsilon") == "hat"
        rate = number(spec.learning_rate * second**0.5 / first if hat else spec.learning_rate / first)
        root = number(1 if hat else second**-0.5)
        epsilon = number(spec.epsilon)
        decay = number(1 - spec.learning_rate * spec.weight_decay) if isinstance(spec, AdamWSpec) else None
        for p, g, m, v, work, other in self.blocks:
            if decay is not None:
                ops.multiply(p, decay, out=p)
            ops.multiply(m, b1, out=m)
            ops.multiply(g, c1, out=work)
            ops.add(m, work, out=m)
            ops.multiply(v, b2, out=v)
            ops.multiply(work, g, out=work)
            ops.multiply(work, c2 / c1, out=work)
            ops.add(v, work, out=v)
            ops.sqrt(v, out=work)
            ops.multiply(work, root, out=work)
            ops.add(work, epsilon, out=work)
            ops.divide(m, work, out=other)
            ops.multiply(other, rate, out=other)
            ops.subtract(p, other, out=p)


class RMSprop(Optimizer):
    """The mean square; epsilon outside or inside the root, the rate outside or inside the velocity."""

    def update(self, step: int) -> None:
        ops, number, spec = self.ops, self.number, self.spec
        rho, rest, epsilon, rate = (number(x) for x in (spec.rho, 1 - spec.rho, spec.epsilon, spec.learning_rate))
        for p, g, s, *velocity, work, other in self.blocks:
            ops.multiply(s, rho, out=s)
            ops.multiply(g, g, out=work)
            ops.multiply(work, rest, out=work)
            ops.add(s, work, out=s)
            if self.forms.get("rmsprop.epsilon") == "inside":
                ops.add(s, epsilon, out=work)
                ops.sqrt(work, out=work)
            else:
                ops.sqrt(s, out=work)
                ops.add(work, epsilon, out=work)
            ops.divide(g, work, out=other)
            self.move(p, other, velocity, rate)

    def move(self, p: Any, direction: Any, velocity: Any, rate: Any) -> None:
        """p along the direction, through the velocity where there is one."""
        ops = self.ops
        inside = self.forms.get("rmsprop.momentum") == "lr_velocity"
        if not velocity or inside:
            ops.multiply(direction, rate, out=direction)
        if velocity:
            ops.multiply(velocity[0], self.number(self.spec.momentum), out=velocity[0])
            ops.add(velocity[0], direction, out=velocity[0])
            direction = velocity[0] if inside else ops.multiply(velocity[0], rate, out=direction)
        ops.subtract(p, direction, out=p)


OPTIMIZERS: Dict[str, Type[OptimizerSpec]] = {"sgd": SGDSpec, "adam": AdamSpec, "adamw": AdamWSpec, "rmsprop": RMSpropSpec}


def optimizer(spec: OptimizerSpec, forms: Mapping[str, str], parameters: Any, gradients: Any, ops: Any) -> Optimizer:
    """The optimizer of a spec, on flat parameters and gradients of shape `(n,)`."""
    if isinstance(spec, SGDSpec):
        kind: Type[Optimizer] = MomentumSGD if spec.momentum else PlainSGD
    else:
        kind = RMSprop if isinstance(spec, RMSpropSpec) else Adam
    return kind(spec, forms, parameters, gradients, ops)
