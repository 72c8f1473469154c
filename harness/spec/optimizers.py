"""Optimizers, and the forms in which frameworks fix them.

Every constant that frameworks default differently has to be written in the experiment. Where frameworks fix different
*formulas* under one name, `FORMS` names them; the reference computes each, and an arm is judged in its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, Mapping, Tuple

from .fields import Spec, about

_RATE = {"lr": "PyTorch", "step_size": "JAX"}
_EPSILON = {"eps": "PyTorch and Optax"}


@dataclass(frozen=True)
class Optimizer(Spec):
    """How a gradient moves the parameters."""

    learning_rate: float = field(default=0.0, metadata=about("size of a step", gt=0, required=True, also=_RATE))
    #: slots of each parameter, by canonical name
    slots: ClassVar[Tuple[str, ...]] = ()


@dataclass(frozen=True)
class SGD(Optimizer):
    """p <- p - learning_rate g; with momentum m: v <- m v + g, p <- p - learning_rate v (nesterov: g + m v)."""

    momentum: float = field(default=0.0, metadata=about("share of the last step that is kept", ge=0, lt=1))
    nesterov: bool = field(default=False, metadata=about("look ahead along the momentum (Nesterov 1983)"))
    type = "sgd"
    slots = ("velocity",)


@dataclass(frozen=True)
class Adam(Optimizer):
    """m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, p <- p - learning_rate m^ / (sqrt(v^) + epsilon) with m^, v^ corrected
    for their start at zero (Kingma & Ba 2015, algorithm 1)."""

    epsilon: float = field(default=0.0, metadata=about("added to the root", gt=0, required=True, also=_EPSILON))
    beta_1: float = field(default=0.9, metadata=about("decay of m", ge=0, lt=1, also={"b1": "Optax", "beta1": "other tools"}))
    beta_2: float = field(default=0.999, metadata=about("decay of v", ge=0, lt=1, also={"b2": "Optax", "beta2": "other tools"}))
    type = "adam"
    slots = ("first_moment", "second_moment")


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled decay: p <- p - learning_rate weight_decay p besides (Loshchilov & Hutter 2019)."""

    weight_decay: float = field(
        default=0.0, metadata=about("decay of every parameter", ge=0, required=True, also={"wd": "short"})
    )
    type = "adamw"


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s <- rho s + (1-rho) g^2, p <- p - learning_rate g / (sqrt(s) + epsilon) (Tieleman & Hinton 2012)."""

    rho: float = field(
        default=0.0, metadata=about("decay of s", ge=0, lt=1, required=True, also={"alpha": "PyTorch", "decay": "Optax"})
    )
    epsilon: float = field(default=0.0, metadata=about("keeps the quotient finite", gt=0, required=True, also=_EPSILON))
    momentum: float = field(default=0.0, metadata=about("share of the last step that is kept", ge=0, lt=1))
    type = "rmsprop"
    slots = ("mean_square", "velocity")
    also = {"rms_prop": "other tools"}


#: What frameworks fix differently: form -> {value: formula}; the first is the canonical one.
FORMS: Mapping[str, Mapping[str, str]] = {
    "sgd.momentum": {
        "velocity": "v <- m v + g; p <- p - lr v",
        "lr_velocity": "v <- m v - lr g; p <- p + v",
    },
    "adam.epsilon": {
        "plain": "lr / c1 * m / (sqrt(v / c2) + epsilon)",
        "hat": "lr * sqrt(c2) / c1 * m / (sqrt(v) + epsilon)",
    },
    "rmsprop.epsilon": {
        "outside": "g / (sqrt(s) + epsilon)",
        "inside": "g / sqrt(s + epsilon)",
    },
    "rmsprop.momentum": {
        "velocity": "v <- m v + g / root; p <- p - lr v",
        "lr_velocity": "v <- m v + lr g / root; p <- p - v",
    },
}


def relevant_forms(optimizer: Optimizer, forms: Mapping[str, str]) -> Dict[str, str]:
    """Of a framework's `forms`, those that this optimizer depends on; canonical where the framework names none."""
    names: Tuple[str, ...] = ()
    if isinstance(optimizer, SGD) and optimizer.momentum:
        names = ("sgd.momentum",)
    if isinstance(optimizer, Adam):
        names = ("adam.epsilon",)
    if isinstance(optimizer, RMSprop):
        names = ("rmsprop.epsilon", "rmsprop.momentum") if optimizer.momentum else ("rmsprop.epsilon",)
    return {name: forms.get(name, next(iter(FORMS[name]))) for name in names}


def active_slots(optimizer: Optimizer) -> Tuple[str, ...]:
    """The slots that this optimizer really keeps: no velocity where momentum is zero."""
    momentum: Any = getattr(optimizer, "momentum", 0.0)
    return tuple(slot for slot in optimizer.slots if slot != "velocity" or momentum)
