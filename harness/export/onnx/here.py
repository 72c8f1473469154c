"""A node that is to be written, and what its writer does with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...spec import Node
from .graph import PLAIN, Graph, Value


@dataclass(frozen=True)
class Here:
    """A node that is to be written.

    Attributes:
        node: itself.
        graph: where its operators go.
        reads: the values that it reads.
        held: canonical name of a parameter or statistic -> its array.
    """

    node: Node
    graph: Graph
    reads: tuple[Value, ...]
    held: Mapping[str, Any]

    @property
    def layer(self) -> Any:
        """Its layer."""
        return self.node.layer

    @property
    def layout(self) -> str:
        """The one in which the values that it reads were made, if that is the same for all."""
        layouts = {value.layout for value in self.reads}
        return layouts.pop() if len(layouts) == 1 else PLAIN

    def x(self, layout: str = PLAIN) -> str:
        """The first value that it reads."""
        return self.graph.read(self.reads[0], layout)

    def xs(self, layout: str) -> list[str]:
        """All values that it reads."""
        return [self.graph.read(value, layout) for value in self.reads]

    def parameter(self, short: str) -> Any:
        """The array of one of its parameters or statistics, as the harness has it."""
        return self.held[f"{self.node.name}/{short}"]

    def weight(self, short: str, array: Any = None) -> str:
        """A parameter or statistic in the graph under its own name; an array where it lies otherwise there."""
        return self.graph.array(f"{self.node.name}/{short}", self.parameter(short) if array is None else array)

    def constant(self, word: str, array: Any, dtype: str = "") -> str:
        """An array that is not learned; its floats are the graph's, or of another dtype."""
        return self.graph.array(self.graph.free(f"{self.node.name}/{word}"), array, dtype)

    def bias(self) -> list[str]:
        """Its bias, if it has one."""
        return [self.weight("bias")] if self.layer.use_bias else []

    def make(self, operator: str, *inputs: str, word: str = "", **attributes: Any) -> str:
        """A tensor on the way, named by its operator, or by a word."""
        name = self.graph.free(f"{self.node.name}/{word or operator}")
        self.graph.add(self.node.name, operator, inputs, [name], **attributes)
        return name

    def give(self, operator: str, *inputs: str, layout: str = PLAIN, **attributes: Any) -> Value:
        """The node's output, in a layout."""
        value = Value(self.node.name, self.node.output_shape, layout)
        self.graph.add(self.node.name, operator, inputs, [value.tensor(layout)], self.node.name, **attributes)
        return value

    def affine(self, x: str, kernel: str, *bias: str) -> Value:
        """The node's output as x W + b along the last axis."""
        if not bias:
            return self.give("MatMul", x, kernel)
        if len(self.node.input_shape) == 1:
            return self.give("Gemm", x, kernel, *bias)
        return self.give("Add", self.make("MatMul", x, kernel), *bias)
