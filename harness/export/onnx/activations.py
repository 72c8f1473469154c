"""Activations: ONNX's own operators, of a value as it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from ..draft import NotWritten
from .graph import Value
from .here import Here

#: type -> operator, and its attributes from the function's spec
OPERATORS: Mapping[str, tuple[str, Callable[[Any], Mapping[str, Any]]]] = {
    "linear": ("Identity", lambda spec: {}),
    "sigmoid": ("Sigmoid", lambda spec: {}),
    "tanh": ("Tanh", lambda spec: {}),
    "relu": ("Relu", lambda spec: {}),
    "leaky_relu": ("LeakyRelu", lambda spec: {"alpha": spec.negative_slope}),
    "elu": ("Elu", lambda spec: {"alpha": spec.alpha}),
    "selu": ("Selu", lambda spec: {}),
    "gelu": ("Gelu", lambda spec: {"approximate": "tanh" if spec.approximate else "none"}),
    "softplus": ("Softplus", lambda spec: {}),
    "softsign": ("Softsign", lambda spec: {}),
    "hard_sigmoid": ("HardSigmoid", lambda spec: {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", lambda spec: {}),
    "mish": ("Mish", lambda spec: {}),
}


def activation(here: Here) -> Value:
    """A function.

    Raises:
        NotWritten: there is none.
    """
    function, layout = here.layer.activation, here.layout
    if function.type in OPERATORS:
        operator, attributes = OPERATORS[function.type]
        return here.give(operator, here.x(layout), layout=layout, **attributes(function))
    if function.type in COMPOSED:
        return COMPOSED[function.type](here)
    raise NotWritten(f'"{here.node.name}": the activation "{function.type}" is not written for ONNX')


def step(here: Here) -> Value:
    """1 where z > 0, else 0."""
    positive = here.make("Greater", here.x(here.layout), here.constant("zero", numpy.array(0.0)))
    return here.give("Cast", positive, layout=here.layout, to=here.graph.type)


def relu6(here: Here) -> Value:
    """min(max(z, 0), 6)."""
    limits = [here.constant(word, numpy.array(number)) for word, number in (("lowest", 0.0), ("highest", 6.0))]
    return here.give("Clip", here.x(here.layout), *limits, layout=here.layout)


def silu(here: Here) -> Value:
    """z times its sigmoid; Swish came with opset 24."""
    z = here.x(here.layout)
    return here.give("Mul", z, here.make("Sigmoid", z), layout=here.layout)


def softmax(here: Here) -> Value:
    """Along an axis."""
    axis = here.reads[0].axis(here.layer.activation.axis)
    operator = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[here.layer.activation.type]
    return here.give(operator, here.x(here.layout), layout=here.layout, axis=axis)


#: type -> its writer, where ONNX has no operator of one attribute alone
COMPOSED: Mapping[str, Callable[[Here], Value]] = {
    "step": step, "relu6": relu6, "silu": silu, "softmax": softmax, "log_softmax": softmax,
}  # fmt: skip
