"""Activations: their values, and the gradients at what they read. Where one has a kink, its gradient there is the spec's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .place import Lines, Place


class Curve(NamedTuple):
    """Both sides of a function, with {x}, {y}, {d} in them; and {numbers}, constants that are told to functions."""

    forward: str
    backward: str


CURVES: Mapping[str, Curve] = {
    "linear": Curve("{x}", "{d}"),
    "step": Curve("({x} > 0).astype(DTYPE)", "np.zeros_like({d})"),
    "sigmoid": Curve("sigmoid({x})", "{d} * {y} * (1 - {y})"),
    "tanh": Curve("np.tanh({x})", "{d} * (1 - {y}**2)"),
    "relu": Curve("np.maximum({x}, 0)", "{d} * ({x} > 0)"),
    "relu6": Curve("np.clip({x}, 0, 6)", "{d} * (({x} > 0) & ({x} < 6))"),
    "leaky_relu": Curve("np.where({x} > 0, {x}, {slope} * {x})", "np.where({x} > 0, {d}, {slope} * {d})"),
    "elu": Curve("elu({x}{alpha})", "elu_backward({d}, {x}{alpha})"),
    "selu": Curve("selu({x})", "selu_backward({d}, {x})"),
    "gelu": Curve("gelu{tanh}({x})", "gelu{tanh}_backward({d}, {x})"),
    "silu": Curve("{x} * sigmoid({x})", "silu_backward({d}, {x})"),
    "softplus": Curve("np.logaddexp(0, {x})", "{d} * sigmoid({x})"),
    "softsign": Curve("{x} / (1 + np.abs({x}))", "{d} / (1 + np.abs({x})) ** 2"),
    "hard_sigmoid": Curve("np.clip({x} + 3, 0, 6) / 6", "{d} * (({x} > -3) & ({x} < 3)) / 6"),
    "hard_silu": Curve("{x} * np.clip({x} + 3, 0, 6) / 6", "{d} * (np.clip({x} + 3, 0, 6) + {x} * (({x} > -3) & ({x} < 3))) / 6"),
    "mish": Curve("{x} * np.tanh(np.logaddexp(0, {x}))", "mish_backward({d}, {x})"),
    "softmax": Curve("softmax({x}{axis})", "softmax_backward({d}, {y}{axis})"),
    "log_softmax": Curve("log_softmax({x}{axis})", "log_softmax_backward({d}, {y}{axis})"),
}  # fmt: skip


def slope(at: Place, function: Any) -> str:
    """Of a leaky_relu."""
    return at.number(function.negative_slope)


def alpha(at: Place, function: Any) -> str:
    """Of an elu, nothing where it is 1."""
    return "" if function.alpha == 1 else f", {at.number(function.alpha)}"


def tanh(at: Place, function: Any) -> str:
    """Which gelu."""
    return "_tanh" if function.approximate else ""


def axis(at: Place, function: Any) -> str:
    """Of a softmax, nothing where it is the last."""
    return "" if function.axis == -1 else f", {function.axis}"


#: type -> what stands for a word of its curve
WORDS: Mapping[str, Mapping[str, Callable[[Place, Any], str]]] = {
    "leaky_relu": {"slope": slope},
    "elu": {"alpha": alpha},
    "gelu": {"tanh": tanh},
    "softmax": {"axis": axis},
    "log_softmax": {"axis": axis},
}


def activation(at: Place) -> Lines:
    """A function as a layer of its own."""
    function = at.layer.activation
    curve = CURVES[function.type]
    words = {name: word(at, function) for name, word in WORDS.get(function.type, {}).items()}
    forward, backward = (text.format(x=at.x, y=at.y, d=at.d, **words) for text in curve)
    return Lines((f"{at.y} = {forward}",), (backward,))
