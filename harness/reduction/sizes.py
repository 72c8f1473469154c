"""How large an experiment is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..execution.plan import Plan
from ..spec.datasets import Random
from .fit import FOLLOW
from .tree import Trail, Tree, at, paths

#: sections that are not looked into for options and sizes: what an arm is asked to do, and when
FIXED = ("name", "compare")
STEPS = ("train", "steps")
#: what is made to fit anyway, and how many steps there are
FOLLOWING = [STEPS, *(("data", key) for key in FOLLOW)]


class Size(NamedTuple):
    """How large an experiment is; of two, the first thing that is not equal decides which is smaller.

    Attributes:
        named_data: whether its data are those of some data set.
        layers: nodes of its graph.
        numbers: parameters, what one step computes from one batch, and steps before it.
        wide: its sizes together.
        letters: of its text.
        parameters: among the numbers.
        rows: of a batch.
    """

    named_data: bool
    layers: int
    numbers: int
    wide: int
    letters: int
    parameters: int
    rows: int

    def __str__(self) -> str:
        counts = ((self.layers, "layer"), (self.parameters, "parameter"), (self.rows, "row"), (self.numbers, "number"))
        return ", ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in counts)


def size_of(found: Plan, tree: Tree) -> Size:
    """The size of an experiment."""
    spec = found.spec
    parameters = sum(math.prod(parameter.shape) for parameter in spec.parameters)
    values = sum(map(math.prod, (spec.input_shape, *(node.output_shape for node in spec.nodes))))
    numbers = parameters + values * found.batch_size + found.steps - 1
    wide = sum(size for _, size in sizes(tree))
    named = tree["data"]["type"] != Random.type
    return Size(named, len(spec.nodes), numbers, wide, len(text_of(tree)), parameters, found.batch_size)


def text_of(tree: Tree) -> str:
    """A tree in letters."""
    return json.dumps(tree)


def sizes(tree: Tree) -> Iterator[tuple[Trail, int]]:
    """Every whole number above 1 that is not made to fit anyway."""
    for path in paths(tree):
        value: Any = at(tree, path)
        if path[0] not in FIXED and path not in FOLLOWING and isinstance(value, int) and value > 1:
            yield path, value
