"""Optimizers, in their canonical forms: what `train` does with the gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...spec import Optimizer
from ...spec.tree import short
from ..draft import NotWritten
from .place import number
from .schedules import learning_rate


@dataclass(frozen=True)
class Rule:
    """An optimizer as text.

    Attributes:
        each: lines for one parameter.
        slots: names of what it keeps for each parameter -> their first value.
        constants: fields that it reads as variables of the same name.
        counts: whether it reads t, the number of the update.
        once: lines of an update before the parameters.
        start: lines before the first update.
    """

    each: tuple[str, ...]
    slots: Mapping[str, float]
    constants: tuple[str, ...]
    counts: bool = False
    once: tuple[str, ...] = ()
    start: tuple[str, ...] = ()


MOMENTS = (
    "m[name] = beta_1 * m[name] + (1 - beta_1) * gradient",
    "v[name] = beta_2 * v[name] + (1 - beta_2) * gradient**2",
)
CORRECTED = ("m_hat, v_hat = m[name] / (1 - beta_1**t), v[name] / (1 - beta_2**t)",)
ADAM = {"m": 0.0, "v": 0.0}
BETAS = ("beta_1", "beta_2", "epsilon")


def sgd(spec: Any) -> Rule:
    """With or without momentum."""
    if not spec.momentum:
        return Rule(("p[name] -= rate * gradient",), {}, ())
    ahead = "(gradient + momentum * v[name])" if spec.nesterov else "v[name]"
    return Rule(("v[name] = momentum * v[name] + gradient", f"p[name] -= rate * {ahead}"), {"v": 0.0}, ("momentum",))


def adam(spec: Any) -> Rule:
    """Also AdamW, whose decay comes before."""
    return Rule((*MOMENTS, *CORRECTED, "p[name] -= rate * m_hat / (np.sqrt(v_hat) + epsilon)"), ADAM, BETAS, True)


def nadam(spec: Any) -> Rule:
    """u is the momentum of this update, ahead that of the next, product that of all until now."""
    return Rule(
        (
            *MOMENTS,
            "v_hat = v[name] / (1 - beta_2**t)",
            "direction = ahead * m[name] / (1 - product * ahead) + (1 - u) * gradient / (1 - product)",
            "p[name] -= rate * direction / (np.sqrt(v_hat) + epsilon)",
        ),
        ADAM,
        BETAS,
        True,
        (
            "u, ahead = beta_1 * (1 - 0.96 ** (t / 250) / 2), beta_1 * (1 - 0.96 ** ((t + 1) / 250) / 2)",
            "product *= u  # u_1 ... u_t",
        ),
        ("product = 1.0",),
    )


def adamax(spec: Any) -> Rule:
    """The largest gradient instead of a mean square."""
    return Rule(
        (
            MOMENTS[0],
            "u[name] = np.maximum(beta_2 * u[name], np.abs(gradient))",
            "p[name] -= rate / (1 - beta_1**t) * m[name] / (u[name] + epsilon)",
        ),
        {"m": 0.0, "u": 0.0},
        BETAS,
        True,
    )


def rmsprop(spec: Any) -> Rule:
    """With or without momentum."""
    square = "s[name] = rho * s[name] + (1 - rho) * gradient**2"
    if not spec.momentum:
        return Rule((square, "p[name] -= rate * gradient / (np.sqrt(s[name]) + epsilon)"), {"s": 0.0}, ("rho", "epsilon"))
    moving = ("v[name] = momentum * v[name] + gradient / (np.sqrt(s[name]) + epsilon)", "p[name] -= rate * v[name]")
    return Rule((square, *moving), {"s": 0.0, "v": 0.0}, ("rho", "epsilon", "momentum"))


def adagrad(spec: Any) -> Rule:
    """A sum of squares."""
    each = ("s[name] += gradient**2", "p[name] -= rate * gradient / (np.sqrt(s[name]) + epsilon)")
    return Rule(each, {"s": spec.initial_accumulator_value}, ("epsilon",))


def adadelta(spec: Any) -> Rule:
    """Steps in the parameter's own unit."""
    return Rule(
        (
            "s[name] = rho * s[name] + (1 - rho) * gradient**2",
            "d = gradient * np.sqrt(a[name] + epsilon) / np.sqrt(s[name] + epsilon)",
            "a[name] = rho * a[name] + (1 - rho) * d**2",
            "p[name] -= rate * d",
        ),
        {"s": 0.0, "a": 0.0},
        ("rho", "epsilon"),
    )


def lion(spec: Any) -> Rule:
    """Signs."""
    return Rule(
        (
            "p[name] -= rate * np.sign(beta_1 * m[name] + (1 - beta_1) * gradient)",
            "m[name] = beta_2 * m[name] + (1 - beta_2) * gradient",
        ),
        {"m": 0.0},
        ("beta_1", "beta_2"),
    )


def lamb(spec: Any) -> Rule:
    """Adam's direction, as long as the parameter; its decay stands inside."""
    decay = " + weight_decay * p[name]" if spec.weight_decay else ""
    return Rule(
        (
            *MOMENTS,
            *CORRECTED,
            f"r = m_hat / (np.sqrt(v_hat) + epsilon){decay}",
            "size, span = np.linalg.norm(p[name]), np.linalg.norm(r)",
            "p[name] -= rate * (size / span if size and span else 1) * r",
        ),
        ADAM,
        (*BETAS, "weight_decay") if spec.weight_decay else BETAS,
        True,
    )


RULES: Mapping[str, Callable[[Any], Rule]] = {
    "sgd": sgd, "adam": adam, "adamw": adam, "nadam": nadam, "adamax": adamax, "rmsprop": rmsprop, "adagrad": adagrad,
    "adadelta": adadelta, "lion": lion, "lamb": lamb,
}  # fmt: skip

#: what is said where constants have many digits
ROUNDED = "# rounded to float32, as all frameworks get them"

TRAIN = '''\
def train():
    """All steps: the loss before each."""
    p = parameters()
    {start}
    for step in range(STEPS):
        loss, g = loss_and_gradients(p, *batch(step))
        losses.append(loss)
        {update}
    return losses
'''


def training(spec: Optimizer, dtype: str) -> str:
    """The function `train`, and that of the learning rate where it changes.

    Raises:
        NotWritten: optimizer or schedule are unknown here.
    """
    if spec.type not in RULES:
        raise NotWritten(f'the optimizer "{spec.type}" is not written for NumPy')
    rule = RULES[spec.type](spec)
    update = [*accumulated(spec), *clipping(spec, dtype), *counted(spec, rule), *rule.once, *every(spec, rule)]
    text = TRAIN.format(start="\n    ".join(start(spec, rule, dtype)), update="\n        ".join(update))
    if spec.schedule is None:
        return text
    return learning_rate(spec.schedule, number(spec.learning_rate, dtype), lambda value: number(value, dtype)) + text


def start(spec: Optimizer, rule: Rule, dtype: str) -> list[str]:
    """What stands before the first step."""
    values = {name: number(value, dtype) for name, value in constants(spec, rule).items()}
    exact = [] if all(short(float(value)) == float(value) for value in values.values()) else [ROUNDED]
    slots = [f"filled(p, {number(first, dtype)})" if first else "filled(p)" for first in rule.slots.values()]
    return [
        *exact,
        *([f"{', '.join(values)} = {', '.join(values.values())}"] if values else []),
        *([f"{', '.join(rule.slots)} = {', '.join(slots)}"] if slots else []),
        *(["total = filled(p)"] if spec.gradient_accumulation_steps > 1 else []),
        *rule.start,
        "losses = []",
    ]


def constants(spec: Optimizer, rule: Rule) -> dict[str, float]:
    """What `train` reads as variables, by name."""
    found = {name: getattr(spec, name) for name in rule.constants}
    if spec.schedule is None:
        found = {"rate": spec.learning_rate, **found}
    if spec.coupled_decay or spec.decoupled_decay:
        found["weight_decay"] = spec.weight_decay
    return found


def accumulated(spec: Optimizer) -> list[str]:
    """Gradients of several steps, averaged."""
    steps = spec.gradient_accumulation_steps
    if steps == 1:
        return []
    return [
        "total = {name: total[name] + g[name] for name in p}",
        f"if (step + 1) % {steps}:",
        "    continue",
        f"g, total = {{name: array / {steps} for name, array in total.items()}}, filled(p)",
    ]


def clipping(spec: Optimizer, dtype: str) -> list[str]:
    """Gradients cut, or made shorter."""
    if spec.clip_value is not None:
        highest = number(spec.clip_value, dtype)
        return [f"g = {{name: np.clip(gradient, -{highest}, {highest}) for name, gradient in g.items()}}"]
    if spec.clip_norm is not None:
        return [f"g = {{name: clipped(gradient, {number(spec.clip_norm, dtype)}) for name, gradient in g.items()}}"]
    if spec.global_clip_norm is not None:
        return [f"g = clipped_together(g, {number(spec.global_clip_norm, dtype)})"]
    return []


def counted(spec: Optimizer, rule: Rule) -> list[str]:
    """The number of the update, and its learning rate, as far as they are read."""
    steps = spec.gradient_accumulation_steps
    lines = []
    if rule.counts:
        lines.append("t = step + 1" if steps == 1 else f"t = (step + 1) // {steps}")
    if spec.schedule is not None:
        lines.append(f"rate = learning_rate({'step' if steps == 1 else f'step // {steps}'})")
    return lines


def every(spec: Optimizer, rule: Rule) -> list[str]:
    """The lines for each parameter, decay included."""
    lines = list(rule.each)
    if spec.coupled_decay:
        lines.insert(0, "gradient = gradient + weight_decay * p[name]")
    if spec.decoupled_decay:
        lines.insert(0, "p[name] -= rate * weight_decay * p[name]")
    return ["for name, gradient in g.items():", *(f"    {line}" for line in lines)]
