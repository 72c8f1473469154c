"""What a node becomes in a script: lines of the module, an expression of its value, and where its weights are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...spec import Node

#: what an array of the file and a gradient are called where they are read
ARRAY, GRADIENT = 'p["{}"]', "model.{}.grad"


@dataclass(frozen=True)
class Value:
    """A node's value in `forward`.

    Attributes:
        name: of the variable.
        rank: axes beside that of the rows.
        first: whether its channels are its second axis, as PyTorch's layers over images and steps take them; the last otherwise.
    """

    name: str
    rank: int
    first: bool = False

    @property
    def channels_first(self) -> str:
        """It with its channels as second axis."""
        return self.name if self.first or self.rank < 2 else f"{self.name}.movedim(-1, 1)"

    @property
    def channels_last(self) -> str:
        """It with its channels as last axis."""
        return f"{self.name}.movedim(1, -1)" if self.first else self.name

    def axis(self, axis: int) -> int:
        """Where an axis of the spec's is, counted from 1 behind the rows; -1 are the channels."""
        if not self.first:
            return axis
        return 1 if axis in (-1, self.rank) else axis + 1


@dataclass(frozen=True)
class Weight:
    """Where one array of the file lies in the model.

    Attributes:
        loads: attribute of the model -> its numbers, from `{}`, the file's array.
        back: the file's array from `{}`, what lies in each of these attributes.
    """

    loads: Mapping[str, str]
    back: str = "{}"

    @property
    def tensors(self) -> tuple[str, ...]:
        """The attributes."""
        return tuple(self.loads)

    def loading(self, name: str) -> Mapping[str, str]:
        """Attribute -> expression, for the array of that name."""
        return {attribute: expression.format(ARRAY.format(name)) for attribute, expression in self.loads.items()}

    def gradient(self) -> str:
        """The gradient as the file has the array."""
        return self.back.format(*map(GRADIENT.format, self.loads))


@dataclass(frozen=True)
class Here:
    """A node that is to be written.

    Attributes:
        node: itself.
        name: of its value, and of its module.
        reads: the values that it reads.
        tables: canonical name of a parameter -> where it is, of all nodes before.
    """

    node: Node
    name: str
    reads: tuple[Value, ...]
    tables: Mapping[str, Weight]

    @property
    def layer(self) -> Any:
        """Its layer."""
        return self.node.layer

    @property
    def own(self) -> str:
        """Its module."""
        return f"self.{self.name}"

    @property
    def last(self) -> str:
        """The first value that it reads, channels last."""
        return self.reads[0].channels_last

    @property
    def first(self) -> str:
        """The first value that it reads, channels first."""
        return self.reads[0].channels_first

    @property
    def channels(self) -> int:
        """Of the first value that it reads."""
        return self.node.input_shape[-1]

    def run(self, argument: str) -> str:
        """Its module's call."""
        return f"{self.own}({argument})"

    def weight(self, attribute: str, load: str = "{}", back: str = "{}") -> Weight:
        """A weight that is one attribute of its module."""
        return Weight({f"{self.name}.{attribute}": load}, back)

    def kernel_and_bias(self, load: str = "{}.T", back: str = "{}.T") -> Mapping[str, Weight]:
        """Those of a module that has them; the kernel lies otherwise than in the file."""
        found = {"kernel": self.weight("weight", load, back)}
        return {**found, "bias": self.weight("bias")} if self.layer.use_bias else found


@dataclass(frozen=True)
class Piece:
    """A node in a script.

    Attributes:
        value: the expression of its value.
        first: whether that has its channels as second axis.
        modules: statements of the module's `__init__`.
        weights: short name of a parameter or statistic -> where it lies.
        constants: attribute of the model that no array of the file is for -> its value.
        note: why it is written so; a comment above its line.
    """

    value: str
    first: bool = False
    modules: Sequence[str] = ()
    weights: Mapping[str, Weight] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
