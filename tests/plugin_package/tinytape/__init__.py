"""Arrays that remember how they were made, and so can be differentiated."""

from __future__ import annotations

from typing import Any, Callable, List, Sequence, Tuple

import numpy

__version__ = "0.3"


class Tensor:
    """An array, what it was made of, and how its gradient goes back to that."""

    def __init__(self, value: Any, sources: "Sequence[Tuple[Tensor, Callable[[Any], Any]]]" = ()) -> None:
        self.value, self.sources = value, sources
        self.gradient: Any = numpy.zeros_like(value)

    def __matmul__(self, other: Tensor) -> Tensor:
        a, b = self.value, other.value
        return Tensor(a @ b, [(self, lambda g: g @ b.T), (other, lambda g: a.T @ g)])

    def __add__(self, other: Tensor) -> Tensor:
        rows = len(self.value.shape) - len(other.value.shape)
        return Tensor(self.value + other.value, [(self, lambda g: g), (other, lambda g: g.sum(0) if rows else g)])

    def tanh(self) -> Tensor:
        """Elementwise."""
        y = numpy.tanh(self.value)
        return Tensor(y, [(self, lambda g: g * (1 - y * y))])

    def sigmoid(self) -> Tensor:
        """Elementwise."""
        y = 1 / (1 + numpy.exp(-self.value))
        return Tensor(y, [(self, lambda g: g * y * (1 - y))])

    def squared_error(self, wanted: Any) -> Tensor:
        """The mean of (y - wanted)^2."""
        apart = self.value - wanted
        return Tensor(numpy.mean(apart * apart), [(self, lambda g: g * apart * (2 / apart.size))])

    def backward(self) -> None:
        """Set the gradient of everything that this was made of."""
        order: List[Tensor] = []
        visit(self, order, set())
        for tensor in order:
            tensor.gradient = numpy.zeros_like(tensor.value)
        self.gradient = numpy.ones_like(self.value)
        for tensor in reversed(order):
            for source, back in tensor.sources:
                source.gradient = source.gradient + back(tensor.gradient)


def visit(tensor: Tensor, order: List[Tensor], seen: "set[int]") -> None:
    """What a tensor was made of, sources first."""
    if id(tensor) not in seen:
        seen.add(id(tensor))
        for source, _ in tensor.sources:
            visit(source, order, seen)
        order.append(tensor)
