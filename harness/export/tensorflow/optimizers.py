"""Optimizers: the library's own training ops, each of which updates a parameter and its slots in place."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..draft import Draft, NotWritten
from .text import number

#: how many letters a line may have
WIDTH = 120


@dataclass(frozen=True)
class Op:
    """A training op.

    Attributes:
        name: in tf.raw_ops.
        slots: its argument -> what the variables are called in the script; several names for several arguments.
        numbers: its argument -> the optimizer's field.
        powers: its argument -> the field whose power by the number of updates it wants.
        rate: the argument of the learning rate.
        gradient: the argument of the gradient.
        note: what is special about it; may be empty.
    """

    name: str
    slots: Mapping[str, str]
    numbers: Mapping[str, str]
    powers: Mapping[str, str]
    rate: str = "lr"
    gradient: str = "grad"
    note: str = ""


BETAS = {"beta1": "beta_1", "beta2": "beta_2", "epsilon": "epsilon"}
DESCENT = Op("ResourceApplyGradientDescent", {}, {}, {}, "alpha", "delta")
MOMENTUM = Op("ResourceApplyMomentum", {"accum": "accum"}, {"momentum": "momentum", "use_nesterov": "nesterov"}, {})
ADAM = Op(
    "ResourceApplyAdam", {"m": "m", "v": "v"}, BETAS, {"beta1_power": "beta_1", "beta2_power": "beta_2"},
    note="its epsilon is the paper's epsilon hat, beside the root of the uncorrected v",
)  # fmt: skip
ADAMAX = Op("ResourceApplyAdaMax", {"m": "m", "v": "v"}, BETAS, {"beta1_power": "beta_1"})
RMSPROP = Op(
    "ResourceApplyRMSProp", {"ms": "ms", "mom": "mom"}, {"rho": "rho", "momentum": "momentum", "epsilon": "epsilon"}, {},
    note="its epsilon stands inside the root",
)  # fmt: skip
ADAGRAD = Op("ResourceApplyAdagradV2", {"accum": "accum"}, {"epsilon": "epsilon"}, {})
ADADELTA = Op(
    "ResourceApplyAdadelta", {"accum": "accum", "accum_update": "accum_update"}, {"rho": "rho", "epsilon": "epsilon"}, {}
)

#: type -> the op, from the optimizer's spec
OPS: Mapping[str, Callable[[Any], Op]] = {
    "sgd": lambda spec: MOMENTUM if spec.momentum else DESCENT,
    "adam": lambda spec: ADAM, "adamw": lambda spec: ADAM, "adamax": lambda spec: ADAMAX, "rmsprop": lambda spec: RMSPROP,
    "adagrad": lambda spec: ADAGRAD, "adadelta": lambda spec: ADADELTA,
}  # fmt: skip
#: what the library has no training op of
NONE = {"nadam": "NAdam", "lion": "Lion", "lamb": "LAMB"}


def op_of(draft: Draft) -> Op:
    """The training op.

    Raises:
        NotWritten: the library has none.
    """
    spec = draft.spec.optimizer
    if spec.type not in OPS:
        raise NotWritten(f'the optimizer "{spec.type}": TensorFlow\'s training ops have no {NONE.get(spec.type, spec.type)}')
    return OPS[spec.type](spec)


def counted(draft: Draft) -> bool:
    """Whether an update has to know its number."""
    return bool(op_of(draft).powers) or draft.spec.optimizer.schedule is not None


def kept(draft: Draft) -> list[str]:
    """Statements that make what the optimizer keeps."""
    spec: Any = draft.spec.optimizer
    first = f", {number(draft, spec.initial_accumulator_value)}" if getattr(spec, "initial_accumulator_value", 0.0) else ""
    names = list(op_of(draft).slots.values())
    found = [f"{', '.join(names)} = {', '.join([f'beside(p{first})'] * len(names))}"] if names else []
    if counted(draft):
        found.append("updates = tf.Variable(0, dtype=tf.float64)")
    if spec.schedule is None:
        found.append(f"rate = tf.constant({number(draft, spec.learning_rate)}, DTYPE)")
    return found


def applied(draft: Draft) -> list[str]:
    """Statements of one update: `gradients` to every parameter of `p`."""
    spec, op = draft.spec.optimizer, op_of(draft)
    found = ["t = updates.assign_add(1)"] if counted(draft) else []
    if spec.schedule is not None:
        found.append(f"rate = tf.cast({number(draft, spec.learning_rate)} * factor(t - 1), DTYPE)")
    for argument, field in op.powers.items():
        found.append(f"{argument} = tf.cast({number(draft, getattr(spec, field))}**t, DTYPE)")
    found += [*clipped(draft), "for name, w in p.items():"]
    gradient = "gradients[name]"
    if spec.coupled_decay:
        gradient = f"{gradient} + {number(draft, spec.coupled_decay)} * w"
    inner = [f"w.assign(w * (1 - rate * {number(draft, spec.decoupled_decay)}))"] if spec.decoupled_decay else []
    inner += call(draft, op, gradient)
    return [*found, *(f"    {line}" for line in inner)]


def call(draft: Draft, op: Op, gradient: str) -> list[str]:
    """The op's call, on one line if that is short."""
    spec = draft.spec.optimizer
    numbers = {argument: getattr(spec, field) for argument, field in op.numbers.items()}
    arguments = [
        "var=w.handle",
        *(f"{argument}={name}[name].handle" for argument, name in op.slots.items()),
        *(f"{argument}={argument}" for argument in op.powers),
        f"{op.rate}=rate",
        *(f"{argument}={value if isinstance(value, bool) else number(draft, value)}" for argument, value in numbers.items()),
        f"{op.gradient}={gradient}",
    ]
    text = ", ".join(arguments)
    comment = [f"# {op.note}"] if op.note else []
    if len(op.name) + len(text) < WIDTH - 30:
        return [*comment, f"tf.raw_ops.{op.name}({text})"]
    lines = textwrap.wrap(f"{text},", WIDTH - 16)
    return [*comment, f"tf.raw_ops.{op.name}(", *(f"    {line}" for line in lines), ")"]


def clipped(draft: Draft) -> list[str]:
    """Statements that clip."""
    spec = draft.spec.optimizer
    each = "gradients = {{name: {} for name, gradient in gradients.items()}}"
    if spec.clip_value is not None:
        limit = number(draft, spec.clip_value)
        return [each.format(f"tf.clip_by_value(gradient, -{limit}, {limit})")]
    if spec.clip_norm is not None:
        return [each.format(f"tf.clip_by_norm(gradient, {number(draft, spec.clip_norm)})")]
    if spec.global_clip_norm is not None:
        limit = number(draft, spec.global_clip_norm)
        return [
            f"clipped, _ = tf.clip_by_global_norm(list(gradients.values()), {limit})",
            "gradients = dict(zip(gradients, clipped))",
        ]
    return []
