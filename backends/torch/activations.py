"""Activations: each a function of the spec's, torch's own wherever it keeps the conventions at kinks."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict

import torch
from torch.nn import functional


def identity(x: Any) -> Any:
    """The value itself."""
    return x


def step(x: Any) -> Any:
    """1 where x > 0: torch.heaviside has no gradient at all, this has the zero one."""
    return torch.sign(torch.relu(x))


def hard_sigmoid(x: Any) -> Any:
    """Torch's own; in float64 its gradient has 1 / 6 in float32 (3e-8 off), so there it is put together."""
    return functional.hardsigmoid(x) if x.dtype == torch.float32 else functional.relu6(x + 3) / 6


#: below it softplus is not exactly x, in float64 (torch's own threshold is 20)
THRESHOLD = 40.0

softplus = partial(functional.softplus, threshold=THRESHOLD)

ACTIVATIONS: Dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "linear": lambda spec: identity,
    "step": lambda spec: step,
    "sigmoid": lambda spec: torch.sigmoid,
    "tanh": lambda spec: torch.tanh,
    "relu": lambda spec: torch.relu,
    "relu6": lambda spec: functional.relu6,
    "leaky_relu": lambda spec: partial(functional.leaky_relu, negative_slope=spec.negative_slope),
    "elu": lambda spec: partial(functional.elu, alpha=spec.alpha),
    "selu": lambda spec: torch.selu,
    "gelu": lambda spec: partial(functional.gelu, approximate="tanh" if spec.approximate else "none"),
    "silu": lambda spec: functional.silu,
    "softplus": lambda spec: softplus,
    "softsign": lambda spec: functional.softsign,
    "hard_sigmoid": lambda spec: hard_sigmoid,
    "hard_silu": lambda spec: functional.hardswish,
    "mish": lambda spec: functional.mish,
    "softmax": lambda spec: partial(torch.softmax, dim=spec.axis),
    "log_softmax": lambda spec: partial(torch.log_softmax, dim=spec.axis),
}
