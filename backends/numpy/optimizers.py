"""Optimizers by hand, over the flat buffers, in every form that a framework fixes (harness.spec.FORMS).

An update works through the buffers in blocks that stay in the second-level cache: several cheap passes over a block cost less than one
pass through memory for each operation.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Type

import numpy

from harness.interface import Arrays
from harness.spec import FORMS, ProgramSpec, active_slots
from harness.spec.schedules import PLAIN

from .replica import Replica

#: numbers in a block: 128 KiB in float32, so that parameter, gradient, two slots and two work buffers fit in 1 MiB
BLOCK = 32768


class Optimizer:
    """One optimizer over flat parameters and gradients `(n,)`; `slots` are flat too. An update may change the gradients."""

    #: whether `factor` depends on the updates made before
    corrects = False

    def __init__(self, spec: ProgramSpec, parameters: Any, gradients: Any, views: Callable[[Any], Arrays]) -> None:
        self.spec: Any = spec.optimizer
        self.forms, self.gradients, self.dtype = spec.forms, gradients, parameters.dtype
        self.slots = {slot: numpy.zeros_like(parameters) for slot in active_slots(self.spec)}
        self.accumulated = self.slots.get("accumulated")
        self.parts = [gradient.reshape(-1) for gradient in views(gradients).values()]
        self.blocks = self.cut(parameters)
        self.choose_numbers(isinstance(parameters, Replica))
        self.coupled = self.number(self.spec.coupled_decay) if self.spec.coupled_decay else None
        self.clips = any(limit is not None for limit in (self.spec.clip_value, self.spec.clip_norm, self.spec.global_clip_norm))
        self.changes = self.corrects or self.spec.schedule is not None
        self.setup()
        self.begin(0)

    def cut(self, parameters: Any) -> List[Any]:
        """What a rule is applied to: (parameters, gradients, slots, two work buffers), block by block."""
        sizes = self.sizes()
        work = [numpy.empty_like(parameters, shape=max(sizes, default=0)) for _ in range(2)]
        slots = [slot for name, slot in self.slots.items() if name != "accumulated"]
        found, start = [], 0
        for size in sizes:
            part = slice(start, start + size)
            found.append(
                (parameters[part], self.gradients[part], *(slot[part] for slot in slots), work[0][:size], work[1][:size])
            )
            start += size
        return found

    def sizes(self) -> List[int]:
        """Numbers in each block."""
        whole, rest = divmod(self.gradients.size, BLOCK)
        return [BLOCK] * whole + [rest] * (rest > 0)

    def choose_numbers(self, replica: bool) -> None:
        """What constants of a step are computed in: at least double precision, but the program's own where rounding is measured, since
        Optax and TensorFlow compute them so (in float32, 1 - 0.999^2 is off by 1e-5)."""
        self.scalar: Any = float
        if self.dtype == numpy.longdouble:
            self.scalar = numpy.longdouble
        if replica:
            kind = type(self.gradients)
            self.scalar = lambda value: numpy.array(value, self.dtype).view(kind)
        self.ops = PLAIN if self.scalar is float else SimpleNamespace(
            where=numpy.where, floor=numpy.floor, minimum=numpy.minimum,
            cos=lambda x: numpy.cos(self.scalar(x)), power=lambda x, y: numpy.power(self.scalar(x), y),
        )  # fmt: skip

    def number(self, value: Any) -> Any:
        """A constant as an array of the program's dtype: a Python number would be converted at every call."""
        return numpy.array(value, self.dtype)

    def form(self, name: str) -> str:
        """The form that the spec names, else the canonical one."""
        return self.forms.get(name, next(iter(FORMS[name])))

    def setup(self) -> None:
        """Make the constants."""

    def update(self, step: int) -> None:
        """One step; `step` counts the steps already taken."""
        if self.accumulated is not None:
            every = self.spec.gradient_accumulation_steps
            self.accumulated += self.gradients
            if (step + 1) % every:
                return
            numpy.divide(self.accumulated, self.number(every), self.gradients)
            self.accumulated[...] = 0
            step //= every
        if self.clips:
            self.clip()
        if self.changes:
            self.begin(step)
        for block in self.blocks:
            if self.coupled is not None:
                numpy.add(block[1], numpy.multiply(block[0], self.coupled, block[-1]), block[1])
            if self.decay is not None:
                numpy.multiply(block[0], self.decay, block[0])
            self.rule(*block)

    def clip(self) -> None:
        """Cut the gradients' numbers, or scale them to a norm."""
        spec, gradients = self.spec, self.gradients
        if spec.clip_value is not None:
            highest = self.number(spec.clip_value)
            numpy.minimum(gradients, highest, out=gradients)
            numpy.maximum(gradients, -highest, out=gradients)
        if spec.clip_norm is not None:
            for gradient in self.parts:
                shorten(gradient, self.number(spec.clip_norm))
        if spec.global_clip_norm is not None:
            shorten(gradients, self.number(spec.global_clip_norm))

    def begin(self, count: int) -> None:
        """The numbers of an update, `count` updates having been made before it."""
        rate = self.scalar(self.spec.learning_rate)
        if self.spec.schedule is not None:
            t = count if self.ops is PLAIN else self.number(count)  # exact in replicas too: a step may fall on it
            rate = rate * self.spec.schedule.factor(t, self.ops)
        self.decay = self.number(1 - rate * self.spec.decoupled_decay) if self.spec.decoupled_decay else None
        self.rate = self.number(self.factor(rate, count))

    def factor(self, rate: Any, count: int) -> Any:
        """What multiplies the direction; a rule may also make its other numbers of this update here."""
        return rate

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """One block's update: its slots and two work buffers are `others`."""
        raise NotImplementedError

    def correction(self, beta: float, count: int) -> Any:
        """1 - beta^count, for a mean that started at zero."""
        return 1 - self.scalar(beta) ** count


def shorten(gradient: Any, highest: Any) -> None:
    """g min(1, highest / |g|), in place."""
    norm = length(gradient)
    if norm.real > highest.real:
        numpy.multiply(gradient, highest / norm, gradient)


def length(flat: Any) -> Any:
    """The root of the sum of squares."""
    return numpy.sqrt(numpy.add.reduce(flat * flat))


def blend(mean: Any, share: Any, values: Any, rest: Any, work: Any) -> None:
    """mean <- share mean + rest values."""
    numpy.multiply(values, rest, work)
    numpy.multiply(mean, share, mean)
    numpy.add(mean, work, mean)


def absolute(values: Any, out: Any) -> Any:
    """|x|, by the sign of the real part."""
    return numpy.absolute(values, out) if values.dtype.kind == "f" else numpy.multiply(values, numpy.sign(values.real), out)


class SGD(Optimizer):
    """p <- p - lr g."""

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        work = others[-1]
        numpy.subtract(p, numpy.multiply(g, self.rate, work), p)


class Momentum(Optimizer):
    """v <- m v + g, p <- p - lr v, or ahead of it: p <- p - lr (g + m v)."""

    def setup(self) -> None:
        """Make the constants."""
        self.momentum, self.nesterov = self.number(self.spec.momentum), self.spec.nesterov

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        v, work, _ = others
        numpy.add(numpy.multiply(v, self.momentum, v), g, v)
        ahead = numpy.add(numpy.multiply(v, self.momentum, work), g, work) if self.nesterov else v
        numpy.subtract(p, numpy.multiply(ahead, self.rate, work), p)


class RateInVelocity(Momentum):
    """v <- m v - lr g, p <- p + v, or ahead of it: p <- p + m v - lr g."""

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        v, work, step = others
        numpy.multiply(g, self.rate, step)
        numpy.subtract(numpy.multiply(v, self.momentum, v), step, v)
        ahead = numpy.subtract(numpy.multiply(v, self.momentum, work), step, work) if self.nesterov else v
        numpy.add(p, ahead, p)


class Adam(Optimizer):
    """The moments, corrected for their start. Both corrections are moved into the rate and into epsilon:
    lr / c1 * m / (sqrt(v / c2) + e) = lr sqrt(c2) / c1 * m / (sqrt(v) + e sqrt(c2)); the "hat" form leaves epsilon as it is."""

    corrects = True

    def setup(self) -> None:
        """Make the constants."""
        spec = self.spec
        self.b1, self.b2 = self.number(spec.beta_1), self.number(spec.beta_2)
        self.rest_1, self.rest_2 = self.number(1 - spec.beta_1), self.number(1 - spec.beta_2)
        self.epsilon = self.number(spec.epsilon)
        self.hat = self.form("adam.epsilon") == "hat"

    def factor(self, rate: Any, count: int) -> Any:
        """lr sqrt(c2) / c1."""
        root = self.root_correction(count)
        return rate * root / self.correction(self.spec.beta_1, count + 1)

    def root_correction(self, count: int) -> Any:
        """sqrt(c2), which epsilon gets too."""
        root = self.correction(self.spec.beta_2, count + 1) ** 0.5
        if not self.hat:
            self.epsilon = self.number(self.spec.epsilon * root)
        return root

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        m, v, work, _ = others
        direction = self.direction(g, m, v, work)
        numpy.subtract(p, numpy.multiply(direction, self.rate, work), p)

    def direction(self, g: Any, m: Any, v: Any, work: Any) -> Any:
        """m / (sqrt(v) + e) of the moved moments, in the work buffer."""
        self.moments(g, m, v, work)
        numpy.add(numpy.sqrt(v, work), self.epsilon, work)
        return numpy.divide(m, work, work)

    def moments(self, g: Any, m: Any, v: Any, work: Any) -> None:
        """m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2."""
        blend(m, self.b1, g, self.rest_1, work)
        blend(v, self.b2, numpy.multiply(g, g, work), self.rest_2, work)


class NAdam(Adam):
    """p <- p - lr (u' m / (1 - u_1 ... u') + (1 - u) g / (1 - u_1 ... u)) / (sqrt(v / c2) + e), u of this update, u' of the next."""

    def setup(self) -> None:
        """Make the constants."""
        super().setup()
        self.hat = False
        self.decays = {"decaying": 1 / 250, "fast": 1.0}.get(self.form("nadam.schedule"))
        self.product: Any = (0, self.scalar(1))

    def share(self, t: int) -> Any:
        """u_t."""
        b1 = self.scalar(self.spec.beta_1)
        return b1 if self.decays is None else b1 * (1 - self.scalar(0.96) ** (t * self.scalar(self.decays)) / 2)

    def until(self, t: int) -> Any:
        """u_1 ... u_t; continued from the last update's where it follows it."""
        last, product = self.product if self.product[0] < t else (0, self.scalar(1))
        for one in range(last + 1, t + 1):
            product = product * self.share(one)
        self.product = (t, product)
        return product

    def factor(self, rate: Any, count: int) -> Any:
        """lr sqrt(c2), and the factors of m and of g."""
        t = count + 1
        product, share, ahead = self.until(t), self.share(t), self.share(t + 1)
        self.of_m, self.of_g = self.number(ahead / (1 - product * ahead)), self.number((1 - share) / (1 - product))
        return rate * self.root_correction(count)

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        m, v, work, other = others
        self.moments(g, m, v, work)
        numpy.add(numpy.multiply(m, self.of_m, work), numpy.multiply(g, self.of_g, other), work)
        numpy.divide(work, numpy.add(numpy.sqrt(v, other), self.epsilon, other), work)
        numpy.subtract(p, numpy.multiply(work, self.rate, work), p)


class LAMB(Adam):
    """r = m^ / (sqrt(v^) + e) + wd p, p <- p - lr |p| / |r| r; a block is a parameter. In the form "before", the decay comes first."""

    def setup(self) -> None:
        """Make the constants."""
        super().setup()
        self.hat = False
        self.before = self.form("lamb.decay") == "before"

    def sizes(self) -> List[int]:
        """Whole parameters: their norms are needed."""
        return [part.size for part in self.parts]

    def factor(self, rate: Any, count: int) -> Any:
        """lr, sqrt(c2) / c1 being a number of its own."""
        weight_decay = self.spec.weight_decay
        self.inside = self.number(weight_decay) if weight_decay and not self.before else None
        self.decay = self.number(1 - rate * weight_decay) if weight_decay and self.before else None
        self.corrected = self.number(super().factor(1, count))
        return rate

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        m, v, work, other = others
        r = numpy.multiply(self.direction(g, m, v, work), self.corrected, work)
        if self.inside is not None:
            numpy.add(r, numpy.multiply(p, self.inside, other), r)
        size, span = length(p), length(r)
        rate = self.rate * (size / span) if size.real > 0 and span.real > 0 else self.rate
        numpy.subtract(p, numpy.multiply(r, rate, r), p)


class Adamax(Optimizer):
    """m <- b1 m + (1 - b1) g, u <- max(b2 u, |g|), p <- p - lr / (1 - b1^t) m / (u + e); in the form "norm", |g| + e stands for |g|."""

    corrects = True

    def setup(self) -> None:
        """Make the constants."""
        spec = self.spec
        self.b1, self.b2 = self.number(spec.beta_1), self.number(spec.beta_2)
        self.rest, self.epsilon = self.number(1 - spec.beta_1), self.number(spec.epsilon)
        self.in_norm = self.form("adamax.epsilon") == "norm"

    def factor(self, rate: Any, count: int) -> Any:
        """lr / (1 - b1^t)."""
        return rate / self.correction(self.spec.beta_1, count + 1)

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        m, u, work, _ = others
        blend(m, self.b1, g, self.rest, work)
        size = absolute(g, work)
        if self.in_norm:
            numpy.add(size, self.epsilon, size)
        numpy.maximum(numpy.multiply(u, self.b2, u), size, out=u)
        root = u if self.in_norm else numpy.add(u, self.epsilon, work)
        numpy.subtract(p, numpy.multiply(numpy.divide(m, root, work), self.rate, work), p)


class Rooted(Optimizer):
    """What divides by the root of a sum of squares; epsilon stands outside or inside of it."""

    form_name = ""

    def setup(self) -> None:
        """Make the constants."""
        self.epsilon = self.number(self.spec.epsilon)
        self.within = self.form(self.form_name) == "inside"

    def quotient(self, g: Any, s: Any, work: Any) -> Any:
        """g / (sqrt(s) + e) or g / sqrt(s + e), in the work buffer."""
        if self.within:
            return numpy.divide(g, numpy.sqrt(numpy.add(s, self.epsilon, work), work), work)
        return numpy.divide(g, numpy.add(numpy.sqrt(s, work), self.epsilon, work), work)


class RMSprop(Rooted):
    """s <- rho s + (1 - rho) g^2, d = g / root of s; p <- p - lr d, or through v <- m v + d; the rate may stand inside v."""

    form_name = "rmsprop.epsilon"

    def setup(self) -> None:
        """Make the constants."""
        super().setup()
        self.rho, self.rest = self.number(self.spec.rho), self.number(1 - self.spec.rho)
        self.momentum = self.number(self.spec.momentum)
        self.rate_inside = self.form("rmsprop.momentum") == "lr_velocity"

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        s, *velocity, work, _ = others
        blend(s, self.rho, numpy.multiply(g, g, work), self.rest, work)
        step = self.quotient(g, s, work)
        if not velocity or self.rate_inside:
            numpy.multiply(step, self.rate, step)
        if velocity:
            v = velocity[0]
            numpy.add(numpy.multiply(v, self.momentum, v), step, v)
            step = v if self.rate_inside else numpy.multiply(v, self.rate, work)
        numpy.subtract(p, step, p)


class Adagrad(Rooted):
    """s <- s + g^2, p <- p - lr g / root of s."""

    form_name = "adagrad.epsilon"

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        s, work, _ = others
        numpy.add(s, numpy.multiply(g, g, work), s)
        numpy.subtract(p, numpy.multiply(self.quotient(g, s, work), self.rate, work), p)


class Adadelta(Optimizer):
    """s <- rho s + (1 - rho) g^2, d = g sqrt(a + e) / sqrt(s + e), a <- rho a + (1 - rho) d^2, p <- p - lr d."""

    def setup(self) -> None:
        """Make the constants."""
        self.rho, self.rest, self.epsilon = map(self.number, (self.spec.rho, 1 - self.spec.rho, self.spec.epsilon))

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        s, a, work, d = others
        blend(s, self.rho, numpy.multiply(g, g, work), self.rest, work)
        numpy.sqrt(numpy.add(a, self.epsilon, d), d)
        numpy.divide(d, numpy.sqrt(numpy.add(s, self.epsilon, work), work), d)
        numpy.multiply(d, g, d)
        blend(a, self.rho, numpy.multiply(d, d, work), self.rest, work)
        numpy.subtract(p, numpy.multiply(d, self.rate, work), p)


class Lion(Optimizer):
    """p <- p - lr sign(b1 m + (1 - b1) g), m <- b2 m + (1 - b2) g."""

    def setup(self) -> None:
        """Make the constants."""
        spec = self.spec
        self.b1, self.rest_1, self.b2, self.rest_2 = map(
            self.number, (spec.beta_1, 1 - spec.beta_1, spec.beta_2, 1 - spec.beta_2)
        )

    def rule(self, p: Any, g: Any, *others: Any) -> None:
        """See above."""
        m, work, other = others
        numpy.add(numpy.multiply(m, self.b1, work), numpy.multiply(g, self.rest_1, other), work)
        work[...] = numpy.sign(work.real)
        numpy.subtract(p, numpy.multiply(work, self.rate, work), p)
        blend(m, self.b2, g, self.rest_2, work)


OPTIMIZERS: Dict[str, Type[Optimizer]] = {
    "sgd": SGD, "adam": Adam, "adamw": Adam, "nadam": NAdam, "adamax": Adamax, "rmsprop": RMSprop, "adagrad": Adagrad,
    "adadelta": Adadelta, "lion": Lion, "lamb": LAMB,
}  # fmt: skip


def optimizer(spec: ProgramSpec, parameters: Any, gradients: Any, views: Callable[[Any], Arrays]) -> Optimizer:
    """The optimizer of a spec, on flat parameters and gradients of shape `(n,)`.

    Args:
        spec: the program.
        parameters: the buffer that updates change.
        gradients: the buffer they read; an update may change it.
        views: a flat buffer -> the parameters' arrays in it.
    """
    kind = OPTIMIZERS[spec.optimizer.type]
    if kind is SGD and "velocity" in active_slots(spec.optimizer):
        kind = RateInVelocity if spec.forms.get("sgd.momentum") == "lr_velocity" else Momentum
    return kind(spec, parameters, gradients, views)
