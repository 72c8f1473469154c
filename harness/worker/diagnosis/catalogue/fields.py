"""Another value of one key of a layer."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, Iterator, Tuple

from ....spec import Node
from ..setting import WhatIfs, what_if_layer

#: values that frameworks default to, or that people take, by key
VALUES: Dict[str, Tuple[Any, ...]] = {
    "epsilon": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12),
    "negative_slope": (0.0, 0.01, 0.1, 0.2, 0.25, 0.3),
    "alpha": (1.0, 0.5, 1.6732632423543772),
    "momentum": (0.1, 0.9, 0.99, 0.999),
    "rotary_base": (100.0, 10000.0, 500000.0, 1000000.0),
    "base": (100.0, 1000.0, 10000.0),
    "dilation_rate": (1, 2),
    "axis": (-1, 1, 2, 3),
    "interpolation": ("nearest", "bilinear"),
    "activation": ("tanh", "relu"),
}
#: what is no other meaning: it needs other parameters, or says nothing of numbers
LEFT_OUT = ("name", "inputs", "use_bias", "scale", "center", "return_sequences", "unit_forget_bias")


def fields(node: Node) -> WhatIfs:
    """Every key's other values."""
    holder = holder_of(node.layer)
    for item in dataclasses.fields(holder):
        old = getattr(holder, item.name)
        if item.name not in LEFT_OUT:
            for value in values(node, item.name, old):
                if value != old:
                    yield from what_if_layer(node, f"{item.name} {said(value)} instead of {said(old)}", putting(item.name, value))


def holder_of(layer: Any) -> Any:
    """What has the keys: the layer, or its function where it is an activation."""
    function = getattr(layer, "activation", None)
    return function if dataclasses.is_dataclass(function) else layer


def putting(name: str, value: Any) -> Callable[[Any], Any]:
    """From a layer to the same with another value of a key."""

    def change(layer: Any) -> Any:
        other = dataclasses.replace(holder_of(layer), **{name: value})
        return other if holder_of(layer) is layer else dataclasses.replace(layer, activation=other)

    return change


def values(node: Node, name: str, old: Any) -> Iterator[Any]:
    """Values that a key could have."""
    if isinstance(old, bool):
        yield not old
    elif name == "groups":
        yield from (count for count in range(1, node.input_shape[-1] + 1) if node.input_shape[-1] % count == 0)
    else:
        yield from VALUES.get(name, ())
        if name == "momentum" and isinstance(old, float):
            yield 1 - old


def said(value: Any) -> str:
    """A value as experiments have it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:.6g}" if isinstance(value, float) else str(value)
