"""What every writer of a script starts from."""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count

from ..errors import UsageError
from ..interface import State
from ..spec import INPUT, ProgramSpec


class NotWritten(UsageError):
    """Something in an experiment that no script is written for."""


@dataclass(frozen=True)
class Draft:
    """A script that is to be written.

    Attributes:
        name: of the experiment, and of the file of arrays beside the script (`<name>.npz`).
        spec: the program.
        dtype: float32 or float64.
        mode: of the arm, where a framework has several engines (Keras).
        description: of the experiment; may be empty.
        command: what wrote it.
        reserved: names that the script uses itself.
    """

    name: str
    spec: ProgramSpec
    dtype: str
    mode: str = ""
    description: str = ""
    command: str = "python -m harness export"
    reserved: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Node, or "input" -> what its value is called in the script: `dense_1/relu` -> `dense_1_relu`; the data are `x`."""
        found = {INPUT: "x"}
        for node in self.spec.nodes:
            found[node.name] = free(identifier(node.name), {*self.reserved, *found.values()})
        return found

    def reads(self, node_inputs: tuple[str, ...]) -> str:
        """What a node reads, as arguments: `dense_1, x`."""
        return ", ".join(self.names[name] for name in node_inputs)


@dataclass(frozen=True)
class Weights:
    """The weights of a model that learns no more.

    Attributes:
        state: its parameters and statistics.
        words: what they are: `the first weights`.
    """

    state: State
    words: str


def identifier(name: str) -> str:
    """A node's name with nothing in it that Python's names cannot have."""
    return re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII)


def free(name: str, taken: Container[str]) -> str:
    """The name, or the first of `name_2`, `name_3`, ... that neither Python nor the script uses."""
    words = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(word for word in words if not (word in taken or keyword.iskeyword(word) or hasattr(builtins, word)))


def docstring(*paragraphs: str) -> str:
    """What a script says of itself. Nothing in it ends the string."""
    filled = "\n\n".join(textwrap.fill(text, 120, break_on_hyphens=False) for text in paragraphs)
    return '"""' + filled.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + '\n"""'
