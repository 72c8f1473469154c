"""Pieces of text that the writers of layers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...spec import Node
from ...spec.tree import short
from ..draft import Draft


def number(draft: Draft, value: float) -> str:
    """A constant of the experiment, which float32 holds: with all its digits where the script computes in float64."""
    few = short(value)
    return repr(few if few == value or draft.dtype == "float32" else value)


def one_or_all(sizes: Sequence[int]) -> str:
    """One number where all axes have the same, else one an axis."""
    return str(sizes[0]) if len(set(sizes)) == 1 else str(tuple(sizes))


def around(pads: Sequence[tuple[int, int]]) -> str:
    """Places before and after each axis, batch and channels included, as TensorFlow takes them."""
    return str([[0, 0], *map(list, pads), [0, 0]])


def padded(x: str, pads: Sequence[tuple[int, int]]) -> str:
    """Zeros around, where there are any."""
    return f"tf.pad({x}, {around(pads)})" if any(map(any, pads)) else x


def every(x: str, strides: Sequence[int]) -> str:
    """Each so-manieth place of each axis behind the batch."""
    slices = [":" if stride == 1 else f"::{stride}" for stride in strides]
    return sliced(x, slices)


def sliced(x: str, slices: Sequence[str]) -> str:
    """Slices of the axes behind the batch, those left out at the end that take all."""
    kept = list(slices)
    while kept and kept[-1] == ":":
        kept.pop()
    return f"{x}[{', '.join([':', *kept])}]" if kept else x


@dataclass(frozen=True)
class Writing:
    """One node that is written."""

    draft: Draft
    node: Node

    @property
    def layer(self) -> Any:
        """Its layer, whatever it is."""
        return self.node.layer

    @property
    def inputs(self) -> list[str]:
        """What the values that it reads are called."""
        return [self.draft.names[name] for name in self.node.inputs]

    @property
    def x(self) -> str:
        """What its first input is called."""
        return self.inputs[0]

    @property
    def name(self) -> str:
        """What its value is called."""
        return self.draft.names[self.node.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its first input, without the batch."""
        return self.node.input_shape

    def has(self, short_name: str) -> bool:
        """Whether it has such a parameter."""
        return any(item.name == f"{self.node.name}/{short_name}" for item in self.node.parameters)

    def weight(self, short_name: str) -> str:
        """One of its parameters; None, the word, where it has it not."""
        return f'p["{self.node.name}/{short_name}"]' if self.has(short_name) else "None"

    def biased(self, value: str, short_name: str = "bias") -> str:
        """A value with its bias, where it has one."""
        return f"{value} + {self.weight(short_name)}" if self.has(short_name) else value

    def number(self, value: float) -> str:
        """See `number`."""
        return number(self.draft, value)
