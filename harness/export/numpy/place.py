"""Where a node stands in a script: what its value, its gradient and its parameters are called there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...spec import INPUT, Node
from ...spec.tree import short
from ..draft import Draft, free

#: names that the function of loss and gradients uses besides
LOCAL = frozenset(
    {"p", "g", "difference", "share", "log_p", "terms", "slopes", "loss_and_gradients", "parameters", "learning_rate"}
)


@dataclass(frozen=True)
class Lines:
    """A node as text.

    Attributes:
        forward: lines that make its value.
        back: lines of the way back that stand before all others.
        gradients: parameter -> expression of its gradient.
        inputs: expressions of the gradients at its inputs; "" where there is none. Behind a node that nothing learns before, they are not
            written.
    """

    forward: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    gradients: Mapping[str, str] = field(default_factory=dict)
    back: tuple[str, ...] = ()


class Names:
    """All names of a script."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.taken = {*draft.reserved, *draft.names.values()}
        self.gradients = {node: self.new(f"d_{name}") for node, name in draft.names.items() if node != INPUT}

    def new(self, name: str) -> str:
        """The name, or one like it that is free; it is taken then."""
        found = free(name, self.taken)
        self.taken.add(found)
        return found


@dataclass(frozen=True)
class Place:
    """A node in a script.

    Attributes:
        node: the node.
        names: all names.
        needed: whether something before it learns, so that the gradients at its inputs are needed.
    """

    node: Node
    names: Names
    needed: bool

    @property
    def layer(self) -> Any:
        """The node's layer."""
        return self.node.layer

    @property
    def y(self) -> str:
        """Its value."""
        return self.names.draft.names[self.node.name]

    @property
    def d(self) -> str:
        """The gradient there."""
        return self.names.gradients[self.node.name]

    @property
    def xs(self) -> tuple[str, ...]:
        """The values that it reads."""
        return tuple(self.names.draft.names[name] for name in self.node.inputs)

    @property
    def x(self) -> str:
        """The first of them."""
        return self.xs[0]

    @property
    def rank(self) -> int:
        """Axes of its value, the batch's included."""
        return len(self.node.output_shape) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first input, without the batch axis."""
        return self.node.input_shape

    @cached_property
    def own(self) -> frozenset[str]:
        """Short names of its parameters."""
        return frozenset(item.name.rpartition("/")[2] for item in self.node.parameters)

    def full(self, short_name: str) -> str:
        """The canonical name of a parameter of its own."""
        return f"{self.node.name}/{short_name}"

    def p(self, short_name: str) -> str:
        """A parameter of its own."""
        return parameter(self.full(short_name))

    def g(self, short_name: str) -> str:
        """Its gradient."""
        return gradient(self.full(short_name))

    def new(self, word: str) -> str:
        """Another name, which begins with its value's: `lstm_1_kept`."""
        return self.names.new(f"{self.y}_{word}")

    def number(self, value: float) -> str:
        """A constant; see `number`."""
        return number(value, self.names.draft.dtype)


def number(value: float, dtype: str) -> str:
    """A constant of the spec, which float32 can hold, with as few digits as the dtype allows."""
    brief = short(value)
    return repr(brief if dtype == "float32" or brief == value else value)


def quoted(name: str) -> str:
    """A name as a string of Python."""
    return json.dumps(name, ensure_ascii=False)


def parameter(name: str) -> str:
    """A parameter by its canonical name."""
    return f"p[{quoted(name)}]"


def gradient(name: str) -> str:
    """Its gradient."""
    return f"g[{quoted(name)}]"


def but_last(rank: int) -> str:
    """All axes of an array but the last, as an argument: `0`, `(0, 1)`."""
    return "0" if rank == 2 else f"({', '.join(map(str, range(rank - 1)))})"


def rows(value: str, rank: int) -> str:
    """An array as a matrix."""
    return value if rank == 2 else f"rows({value})"


def call(function: str, *arguments: str, **options: Any) -> str:
    """A call; options that are None are left out."""
    named = [f"{name}={value}" for name, value in options.items() if value is not None]
    return f"{function}({', '.join([*arguments, *named])})"
