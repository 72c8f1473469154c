"""The graph while it is made: operators, arrays, and which tensors there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy

from . import lacking

#: how a value's axes stand, the rows' included: as the harness has them, as convolutions want them, as recurrences want them
PLAIN, CHANNELS_FIRST, STEPS_FIRST = "", "channels_first", "steps_first"


def order(layout: str, rank: int) -> tuple[int, ...]:
    """Which of the harness' axes stands at each place; rank: axes beside that of the rows."""
    axes = tuple(range(rank + 1))
    if layout == CHANNELS_FIRST and rank > 1:
        return (0, rank, *axes[1:-1])
    return (1, 0, *axes[2:]) if layout == STEPS_FIRST else axes


@dataclass(frozen=True)
class Value:
    """The output of a node, or the data.

    Attributes:
        name: of the node; the tensor of that name has the harness' axes, others have their layout behind it.
        shape: without the rows.
        layout: the one in which it was made.
    """

    name: str
    shape: tuple[int, ...]
    layout: str = PLAIN

    @property
    def rank(self) -> int:
        """Axes beside that of the rows."""
        return len(self.shape)

    @property
    def order(self) -> tuple[int, ...]:
        """See `order`, of the layout in which it was made."""
        return order(self.layout, self.rank)

    def tensor(self, layout: str) -> str:
        """Name of its tensor in a layout."""
        return self.name if order(layout, self.rank) == order(PLAIN, self.rank) else f"{self.name}/{layout}"

    def axis(self, axis: int) -> int:
        """Where an axis of the harness is; -1 are the channels."""
        return self.order.index(self.rank if axis == -1 else axis)

    def spread(self, numbers: Sequence[Any], neutral: Any) -> list[Any]:
        """Numbers of all axes but rows and channels, in the order of the tensor's, with a neutral one for rows and channels."""
        return [[neutral, *numbers, neutral][axis] for axis in self.order]


class Graph:
    """Operators in order, with the arrays that they read.

    Attributes:
        dtype: of all floats, float32 or float64.
        operators: NodeProto each.
        arrays: TensorProto each.
        values: what the nodes gave, in order.
    """

    def __init__(self, dtype: str, reserved: Collection[str]) -> None:
        self.dtype = dtype
        self.operators: list[Any] = []
        self.arrays: dict[str, Any] = {}
        self.values: list[Value] = []
        self.there: set[str] = set()
        self.taken = {"", *reserved}

    def free(self, name: str) -> str:
        """The name, or the first of `name_2`, `name_3`, ... that nothing else has."""
        found = next(word for number in count(1) if (word := name if number == 1 else f"{name}_{number}") not in self.taken)
        self.taken.add(found)
        return found

    def array(self, name: str, array: Any, dtype: str = "") -> str:
        """An array under its name; floats become those of the graph, or of another dtype."""
        from onnx import numpy_helper

        native = array.astype(dtype or self.dtype) if array.dtype.kind == "f" else array
        self.arrays[name] = numpy_helper.from_array(native, name)
        return name

    @property
    def type(self) -> int:
        """ONNX's number of its floats."""
        from onnx import helper

        return int(helper.np_dtype_to_tensor_dtype(numpy.dtype(self.dtype)))

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(len(array.raw_data) for array in self.arrays.values())

    def add(self, node: str, operator: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **attributes: Any) -> None:
        """One operator of a node, called as its output when it has no name of its own.

        Raises:
            NotWritten: onnxruntime has not got it.
        """
        from onnx import helper

        lacking.check(operator, self.dtype, node)
        name = name or next(output for output in outputs if output)
        self.operators.append(helper.make_node(operator, inputs, outputs, name=name, **attributes))
        self.there.update(outputs)

    def read(self, value: Value, layout: str) -> str:
        """The tensor of a value in a layout; turned once where it was made in another."""
        wanted = value.tensor(layout)
        if wanted not in self.there:
            axes = [value.order.index(axis) for axis in order(layout, value.rank)]
            self.add(value.name, "Transpose", [value.tensor(value.layout)], [wanted], self.free(f"{value.name}/Transpose"), perm=axes)
        return wanted
