"""What every layer is: data that knows its output's shape, what it learns, what it keeps, and what it draws.

Shapes are those of one sample, without the batch axis, channels last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Dict, NamedTuple, Optional, Tuple, Union

from ..fields import Shape, Spec, about
from ..initializers import Initializer
from ..regularizers import Regularizer

#: a whole number for every axis, or one a axis
Sizes = Union[int, Tuple[int, ...]]
#: "same", "valid", or explicit numbers
Padding = Union[str, int, Tuple[int, ...]]
#: zeros before and after each axis
Pads = Tuple[Tuple[int, int], ...]


class Weight(NamedTuple):
    """One array that a layer learns.

    Attributes:
        shape: in canonical layout.
        initializer: how it starts.
        regularizer: its penalty in the loss.
        fans: inputs and outputs of one unit, which initializers by fans read; from the shape when not given.
    """

    shape: Shape
    initializer: Initializer
    regularizer: Optional[Regularizer] = None
    fans: Optional[Tuple[int, int]] = None


@dataclass(frozen=True)
class Layer(Spec):
    """One layer as data."""

    name: Optional[str] = field(
        default=None, metadata=about("the layer's name in all tables; made from its type when not given", min_length=1)
    )
    inputs: Optional[Tuple[str, ...]] = field(
        default=None,
        metadata=about(
            'the layers whose outputs it reads, by name, or "input" for the data; the layer before when not given',
            min_length=1,
            also={"inbound_nodes": "Keras"},
        ),
    )

    #: least and most inputs; None: any number
    arity: ClassVar[Tuple[int, Optional[int]]] = (1, 1)
    #: what it draws in training: "mask" (scaled, it multiplies), "noise" (it is added), or nothing
    random: ClassVar[str] = ""

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape behind the layer.

        Raises:
            ValueError: the layer cannot take inputs of these shapes; the text says why.
        """
        return shapes[0]

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """What it learns, in order, by short name."""
        return {}

    def statistics(self, *shapes: Shape) -> Dict[str, Tuple[Shape, float]]:
        """What it keeps from step to step without a gradient, by short name: shape and first value."""
        return {}

    def draw_shape(self, shape: Shape) -> Shape:
        """Shape of what it draws for one sample, where it is `random`."""
        return shape


def by(shape: Shape) -> str:
    """A shape as people write it: `8x8`, `64`, `one number`."""
    return "x".join(str(length) for length in shape) or "one number"


def article(name: str) -> str:
    """`a dense layer`, `an lstm layer`."""
    return f"{'an' if name[0] in 'aeiou' or name in ('lstm', 'rms_normalization') else 'a'} {name} layer"


def need_axes(layer: Layer, shape: Shape, count: int, what: str) -> None:
    """A layer wants inputs of so many axes.

    Raises:
        ValueError: it gets others.
    """
    if len(shape) != count:
        hint = '; put a "flatten" before it' if count == 1 else ""
        raise ValueError(f"{article(layer.type)} takes {what}, but gets {by(shape)}{hint}")


def need_some_axes(layer: Layer, shape: Shape) -> None:
    """A layer wants at least one axis beside the batch.

    Raises:
        ValueError: there is none.
    """
    if not shape:
        raise ValueError(f"{article(layer.type)} takes at least one axis, but gets {by(shape)}")


def per_axis(name: str, value: Sizes, count: int) -> Tuple[int, ...]:
    """One number for each axis.

    Raises:
        ValueError: there are more or fewer numbers.
    """
    numbers = (value,) * count if isinstance(value, int) else tuple(value)
    if len(numbers) != count:
        raise ValueError(f'"{name}" must be one number or {count}, not {len(numbers)}')
    return numbers


def pads(padding: Padding, sizes: Shape, windows: Tuple[int, ...], strides: Tuple[int, ...]) -> Pads:
    """Zeros before and after each axis.

    "same" gives ceil(size / stride) outputs, with the odd zero behind, as in TensorFlow and Keras; "valid" none; a number that many on
    every side; one number an axis that many on both its sides (PyTorch); two an axis those before and behind.

    Args:
        padding: as the spec has it.
        sizes: lengths of the axes.
        windows: how far the window reaches on each axis, dilation included.
        strides: of each axis.

    Raises:
        ValueError: there are more or fewer numbers.
    """
    count = len(sizes)
    if padding == "valid":
        return ((0, 0),) * count
    if isinstance(padding, str):
        totals = [
            max((-(-size // stride) - 1) * stride + window - size, 0) for size, window, stride in zip(sizes, windows, strides)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    numbers = (padding,) * count if isinstance(padding, int) else tuple(padding)
    if len(numbers) == count:
        return tuple((number, number) for number in numbers)
    if len(numbers) != 2 * count:
        raise ValueError(f'"padding" must be "same", "valid", one number, {count} or {2 * count} of them, not {len(numbers)}')
    return tuple(zip(numbers[::2], numbers[1::2]))


def window_outputs(layer: Layer, sizes: Shape, windows: Tuple[int, ...], strides: Tuple[int, ...], around: Pads) -> Shape:
    """How often a window fits on each axis: floor((size + zeros - window) / stride) + 1.

    Raises:
        ValueError: not once.
    """
    padded = tuple(size + before + after for size, (before, after) in zip(sizes, around))
    if any(window > size for window, size in zip(windows, padded)):
        raise ValueError(f"the window of {article(layer.type)} is {by(windows)}, but its padded input only {by(padded)}")
    return tuple((size - window) // stride + 1 for size, window, stride in zip(padded, windows, strides))
