"""Bits of Python that all of a script is made of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ...spec import Node
from ...spec.fields import float32
from ...spec.tree import short
from ..draft import Draft

#: names with their values, in order
Values = list[tuple[str, str]]
#: longest line of a script, where it can be broken
WIDTH = 120
#: of lines in a function
INDENT = 4


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

    def own(self, name: str) -> str:
        """One of its parameters, by short name."""
        return parameter(f"{self.node.name}/{name}")

    def has(self, name: str) -> bool:
        """Whether it has a parameter of that short name."""
        return any(item.name == f"{self.node.name}/{name}" for item in self.node.parameters)

    def plus(self, value: str, name: str = "bias") -> str:
        """A value, and a parameter added where there is one."""
        return f"{value} + {self.own(name)}" if self.has(name) else value

    def times(self, value: str, name: str = "gamma") -> str:
        """A value, multiplied by a parameter where there is one."""
        return f"{value} * {self.own(name)}" if self.has(name) else value


def parameter(name: str) -> str:
    """A parameter by its canonical name."""
    return f"p[{quoted(name)}]"


def quoted(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def call(function: str, /, *given: Any, **named: Any) -> str:
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
    if not start:
        return [line]
    inside = split(value[start:], ")")[0]
    return [f"{name} = {value[:start]}", *(f"    {part}," for part in split(inside, ", ")), value[start + len(inside) :]]


def split(text: str, mark: str) -> list[str]:
    """A text at each mark that stands outside of brackets."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if depth == 0 and text.startswith(mark, place):
            found.append(text[start:place])
            start = place + len(mark)
        depth += (letter in "([{") - (letter in ")]}")
    return [*found, text[start:]]


def explained(text: str) -> str:
    """A comment on the first constant in a text that is longer than people write it; empty where there is none."""
    for number in map(float, re.findall(r"\b\d\.\d{9,}(?:e-\d+)?\b", text)):
        if number == float32(number) != short(number):
            return f"# Constants are those that float32 holds: {number} is its {short(number)}.\n\n"
    return ""


def unless(value: Any, default: Any) -> Any:
    """A value, or None where it is the default, so that `call` leaves it out."""
    return None if value == default else value
