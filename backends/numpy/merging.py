"""Several branches made one."""

from __future__ import annotations

from functools import reduce
from typing import Any, Tuple

import numpy

from .layer import Layer


class Add(Layer):
    """y = a + b + ...; each gets dy."""

    def forward(self, *inputs: Any) -> Any:
        """From left to right."""
        self.count = len(inputs)
        return reduce(numpy.add, inputs)

    def backward(self, dy: Any) -> Tuple[Any, ...]:
        """The same for all."""
        return (dy,) * self.count


class Average(Add):
    """y = (a + b + ...) / n; each gets dy / n."""

    def forward(self, *inputs: Any) -> Any:
        """The sum, divided."""
        return super().forward(*inputs) / self.dtype.type(len(inputs))

    def backward(self, dy: Any) -> Tuple[Any, ...]:
        """The same for all."""
        return super().backward(dy / self.dtype.type(self.count))


class Multiply(Layer):
    """y = a b ...; each gets dy times the product of the others."""

    def forward(self, *inputs: Any) -> Any:
        """From left to right."""
        self.inputs = inputs
        return reduce(numpy.multiply, inputs)

    def backward(self, dy: Any) -> Tuple[Any, ...]:
        """The others, not y divided by its own, which may be 0."""
        places = range(len(self.inputs))
        others = [[self.inputs[place] for place in places if place != own] for own in places]
        return tuple(reduce(numpy.multiply, some, dy) for some in others)


class Maximum(Layer):
    """y = max(a, b, ...); the first of the largest ones gets dy."""

    def forward(self, *inputs: Any) -> Any:
        """From left to right."""
        y = inputs[0]
        self.wins = [numpy.ones(y.shape, bool)]
        for x in inputs[1:]:
            later = numpy.greater(x.real, y.real)
            y = numpy.where(later, x, y)
            self.wins = [numpy.logical_and(win, ~later) for win in self.wins] + [later]
        return y

    def backward(self, dy: Any) -> Tuple[Any, ...]:
        """To the winners."""
        return tuple(numpy.where(win, dy, self.dtype.type(0)) for win in self.wins)


class Concatenate(Layer):
    """One behind the other along an axis."""

    def setup(self) -> None:
        """The axis, and where one input ends and the next begins."""
        shapes = self.node.input_shapes
        self.axis = self.spec.place(shapes[0])
        self.cuts = numpy.cumsum([shape[self.axis - 1] for shape in shapes])[:-1]

    def forward(self, *inputs: Any) -> Any:
        """All numbers."""
        return numpy.concatenate(inputs, self.axis)

    def backward(self, dy: Any) -> Tuple[Any, ...]:
        """To each its part."""
        return tuple(numpy.split(dy, self.cuts, self.axis))
