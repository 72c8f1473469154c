"""Bits of Python that all of a script is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...spec import Node
from ..draft import Draft

#: longest line of a script, where it can be broken
WIDTH = 120


@dataclass(frozen=True)
class Written:
    """A node, with what things are called in the script.

    Attributes:
        node: the graph's.
        name: of its value.
        inputs: names of the values that it reads.
    """

    node: Node
    name: str
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, draft: Draft, node: Node) -> Written:
        """A node of a draft."""
        return cls(node, draft.names[node.name], tuple(draft.names[name] for name in node.inputs))

    @property
    def layer(self) -> Any:
        """The node's layer: each function knows which."""
        return self.node.layer

    @property
    def x(self) -> str:
        """The first input."""
        return self.inputs[0]

    def own(self, short: str) -> str:
        """One of its parameters."""
        return parameter(f"{self.node.name}/{short}")

    def has(self, short: str) -> bool:
        """Whether it has a parameter of that short name."""
        return any(item.name == f"{self.node.name}/{short}" for item in self.node.parameters)

    def plus(self, value: str, short: str = "bias") -> str:
        """A value, and a parameter added where there is one."""
        return f"{value} + {self.own(short)}" if self.has(short) else value

    def times(self, value: str, short: str = "gamma") -> str:
        """A value, multiplied by a parameter where there is one."""
        return f"{value} * {self.own(short)}" if self.has(short) else value


def parameter(name: str) -> str:
    """A parameter by its canonical name."""
    return f"p[{quoted(name)}]"


def quoted(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def call(function: str, *given: Any, **named: Any) -> str:
    """A call, values written as they stand; those named that are None are left out."""
    words = [*map(str, given), *(f"{name}={value}" for name, value in named.items() if value is not None)]
    return f"{function}({', '.join(words)})"


def assigned(name: str, value: str, indent: int = 0) -> list[str]:
    """A value given a name, in several lines where one would be too long."""
    line = f"{name} = {value}"
    if indent + len(line) <= WIDTH:
        return [line]
    terms = split(value, " + ")
    if len(terms) > 1:
        return [f"{name} = (", f"    {terms[0]}", *(f"    + {term}" for term in terms[1:]), ")"]
    start = value.find("(") + 1
    if not start or not value.endswith(")"):
        return [line]
    return [f"{name} = {value[:start]}", *(f"    {part}," for part in split(value[start:-1], ", ")), ")"]


def split(text: str, mark: str) -> list[str]:
    """A text at each mark that stands outside of brackets."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and text.startswith(mark, place):
            found.append(text[start:place])
            start = place + len(mark)
    return [*found, text[start:]]


def unless(value: Any, default: Any) -> Any:
    """A value, or None where it is the default, so that `call` leaves it out."""
    return None if value == default else value
