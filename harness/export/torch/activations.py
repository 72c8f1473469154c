"""Activations as expressions: PyTorch's own wherever they keep the conventions at kinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..draft import NotWritten
from .pieces import Here, Piece
from .text import call, unless

#: type -> its function, of the value alone
PLAIN = {
    "sigmoid": "torch.sigmoid", "tanh": "torch.tanh", "relu": "torch.relu", "relu6": "functional.relu6", "selu": "torch.selu",
    "silu": "functional.silu", "softplus": "softplus", "softsign": "functional.softsign", "hard_sigmoid": "hard_sigmoid",
    "hard_silu": "functional.hardswish", "mish": "functional.mish",
}  # fmt: skip

#: type -> from the function's spec and the value to an expression
WITH_OPTIONS: Mapping[str, Callable[[Any, str], str]] = {
    "linear": lambda spec, z: z,
    "leaky_relu": lambda spec, z: call("functional.leaky_relu", z, negative_slope=spec.negative_slope),
    "elu": lambda spec, z: call("functional.elu", z, alpha=unless(1.0, spec.alpha)),
    "gelu": lambda spec, z: call("functional.gelu", z, approximate='"tanh"' if spec.approximate else None),
}


def activation(here: Here) -> Piece:
    """A function, of a value as it lies.

    Raises:
        NotWritten: there is none.
    """
    function, z = here.layer.activation, here.reads[0]
    if function.type in PLAIN:
        found = call(PLAIN[function.type], z.name)
    elif function.type in WITH_OPTIONS:
        found = WITH_OPTIONS[function.type](function, z.name)
    elif function.type in ("softmax", "log_softmax"):
        found = call(f"torch.{function.type}", z.name, dim=z.axis(function.axis))
    else:
        raise NotWritten(f'"{here.node.name}": the activation "{function.type}" is not written for PyTorch')
    return Piece(found, z.first)
