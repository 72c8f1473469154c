"""Python as text: numbers, calls, and what a node's writer knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...spec import Node
from ...spec.tree import short
from ..draft import Draft


def value(given: Any) -> str:
    """Something as it is written: a text is code already, a float has as few digits as say all of it."""
    if isinstance(given, str):
        return given
    if isinstance(given, float):
        return repr(short(given)) if short(given) == given else repr(given)
    if isinstance(given, (tuple, list)):
        inside = ", ".join(map(value, given))
        return f"[{inside}]" if isinstance(given, list) else f"({inside},)" if len(given) == 1 else f"({inside})"
    return repr(given)


def call(function: str, *arguments: Any, **options: Any) -> str:
    """A call; options that are None are left out."""
    named = [f"{name}={value(option)}" for name, option in options.items() if option is not None]
    return f"{function}({', '.join([*map(value, arguments), *named])})"


def size(numbers: Sequence[Any]) -> Any:
    """One number a axis as a single one, where they are alike."""
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def unless(default: Any, given: Any) -> Any:
    """What is given, or None where Keras takes it anyway."""
    return None if given == default else given


@dataclass(frozen=True)
class Place:
    """A node, and what its line is written from.

    Attributes:
        draft: of the script.
        node: to be written.
        names: node -> what its value is called.
        layer_name: what Keras calls its layer.
        activation: the function that the layer applies itself, as text; None where there is none.
        table: of a tied_dense, what the embedding layer is called.
    """

    draft: Draft
    node: Node
    names: Mapping[str, str]
    layer_name: str
    activation: str | None = None
    table: str = ""

    @property
    def engine(self) -> str:
        """What Keras computes with: tensorflow, jax or torch."""
        return self.draft.mode or "tensorflow"

    @property
    def double(self) -> bool:
        """Whether it computes in float64."""
        return self.draft.dtype == "float64"

    @property
    def inputs(self) -> list[str]:
        """What it reads."""
        return [self.names[name] for name in self.node.inputs]

    @property
    def x(self) -> str:
        """The first that it reads."""
        return self.inputs[0]

    def learned(self, function: str, *arguments: Any, **options: Any) -> str:
        """A layer with weights: it has a name, by which they are found, and penalties."""
        penalties = {f"{self.keyword(item.name)}_regularizer": self.penalty(item.name) for item in self.node.parameters}
        return call(function, *arguments, **options, **penalties, name=f'"{self.layer_name}"')

    def keyword(self, parameter: str) -> str:
        """What Keras calls a parameter in its keywords."""
        word = parameter.rpartition("/")[2]
        return "depthwise" if self.node.layer.type == "depthwise_conv2d" and word == "kernel" else word

    def penalty(self, parameter: str) -> str | None:
        """The penalty on a parameter, if there is one."""
        l1, l2 = self.draft.spec.penalties.get(parameter, (0.0, 0.0))
        if l1 and self.engine == "jax":
            return call("L1L2", l1=l1, l2=unless(0, l2))
        if l1 and l2:
            return call("keras.regularizers.L1L2", l1=l1, l2=l2)
        return call("keras.regularizers.L1", l1) if l1 else call("keras.regularizers.L2", l2) if l2 else None
