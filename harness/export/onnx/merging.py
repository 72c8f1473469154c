"""Several branches made one, in the layout that all have."""

from __future__ import annotations

from .graph import Value
from .here import Here


def add(here: Here) -> Value:
    """a + b + ..."""
    values = here.xs(here.layout)
    return here.give("Add" if len(values) == 2 else "Sum", *values, layout=here.layout)


def multiply(here: Here) -> Value:
    """a b ..., from left to right."""
    product, *others, last = here.xs(here.layout)
    for value in others:
        product = here.make("Mul", product, value)
    return here.give("Mul", product, last, layout=here.layout)


def average(here: Here) -> Value:
    """(a + b + ...) / count."""
    return here.give("Mean", *here.xs(here.layout), layout=here.layout)


def maximum(here: Here) -> Value:
    """max(a, b, ...)."""
    return here.give("Max", *here.xs(here.layout), layout=here.layout)


def concatenate(here: Here) -> Value:
    """One behind the other."""
    value = Value("", here.node.input_shape, here.layout)
    axis = value.axis(here.layer.place(here.node.input_shape))
    return here.give("Concat", *here.xs(here.layout), layout=here.layout, axis=axis)
