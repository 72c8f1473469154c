"""Canonical layouts and torch's: arrays at the border, views of channels-last values in between."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Tuple

from harness.spec import Node, Parameter, Shape
from harness.spec.layers import GRU


class Layout(NamedTuple):
    """How one parameter's numbers stand in torch.

    Attributes:
        shape: there.
        native: canonical array -> torch's.
        canonical: torch's array -> canonical.
    """

    shape: Shape
    native: Callable[[Any], Any]
    canonical: Callable[[Any], Any]


def layout_of(node: Node, parameter: Parameter) -> Layout:
    """The layout of a node's parameter: kernels `(out, in)` and `(out, in, height, width)`, everything else as it is."""
    short, shape = parameter.name.rpartition("/")[2], parameter.shape
    if node.layer.type in IMAGE_KERNELS and short == "kernel":
        return IMAGE_KERNELS[node.layer.type](shape)
    if isinstance(node.layer, GRU) and node.layer.reset_after:
        return gates_swapped(shape, node.layer.units, transposed=short != "bias")
    if short.endswith("kernel"):
        return Layout(shape[::-1], lambda array: array.T, lambda array: array.T)
    return Layout(shape, lambda array: array, lambda array: array)


def conv1d(shape: Shape) -> Layout:
    """`(window, in, out)` as `(out, in, 1, window)`: steps are images of height one."""
    return Layout((shape[2], shape[1], 1, shape[0]), lambda array: array.T[:, :, None], lambda array: array[:, :, 0].T)


def conv2d(shape: Shape) -> Layout:
    """`(height, width, in, out)` as `(out, in, height, width)`; the same for a transposed one, where in and out have changed places."""
    back = (2, 3, 1, 0)
    return Layout(
        (shape[3], shape[2], *shape[:2]), lambda array: array.transpose(3, 2, 0, 1), lambda array: array.transpose(back)
    )


def depthwise_conv2d(shape: Shape) -> Layout:
    """`(height, width, in, multiplier)` as `(in multiplier, 1, height, width)`."""
    height, width, channels, multiplier = shape
    apart = (channels, multiplier, height, width)
    one = (channels * multiplier, 1, height, width)
    return Layout(
        one, lambda array: array.transpose(2, 3, 0, 1).reshape(one), lambda array: array.reshape(apart).transpose(2, 3, 0, 1)
    )


def gates_swapped(shape: Shape, units: int, transposed: bool) -> Layout:
    """Gates z, r, h of the last axis as torch's r, z, n."""

    def swapped(array: Any) -> Any:
        gates = array.reshape(*shape[:-1], 3, units)
        return gates[..., [1, 0, 2], :].reshape(shape)

    if not transposed:
        return Layout(shape, swapped, swapped)
    return Layout(shape[::-1], lambda array: swapped(array).T, lambda array: swapped(array.T))


IMAGE_KERNELS = {"conv1d": conv1d, "conv2d": conv2d, "conv2d_transpose": conv2d, "depthwise_conv2d": depthwise_conv2d}


def channels_first(x: Any) -> Any:
    """`(rows, ..., channels)` as `(rows, channels, ...)`, a view."""
    return x.movedim(-1, 1)


def channels_last(x: Any) -> Any:
    """`(rows, channels, ...)` as `(rows, ..., channels)`, a view."""
    return x.movedim(1, -1)


def step_image(x: Any) -> Any:
    """`(rows, steps, channels)` as `(rows, channels, 1, steps)`, a view: an image of height one."""
    return x.unsqueeze(1).movedim(-1, 1)


def image_steps(x: Any) -> Any:
    """`(rows, channels, 1, steps)` as `(rows, steps, channels)`, a view."""
    return x.movedim(1, -1).squeeze(1)


#: axes of a window -> views as torch's images and back. Torch's operations over steps do the same inside, but only images may lie
#: channels last in memory, which spares copies.
IMAGES = {1: (step_image, image_steps), 2: (channels_first, channels_last)}


def pair(numbers: Tuple[Any, ...], absent: Any) -> Tuple[Any, Any]:
    """What stands for two axes, where there may be one."""
    return (absent, *numbers) if len(numbers) == 1 else numbers  # type: ignore[return-value]


def pads_of(pads: Tuple[Tuple[int, int], ...], most: Tuple[int, ...]) -> Tuple[Tuple[int, int], Optional[Tuple[int, ...]]]:
    """What an operation may pad itself, and what `functional.pad` has to do before it (None: nothing): torch's operations pad both sides
    alike, and pooling at most half a window.

    Args:
        pads: before and behind each axis.
        most: the most that the operation pads, on each axis.
    """
    (top, bottom), (left, right) = pair(pads, (0, 0))
    if top == bottom and left == right and all(max(both) <= limit for both, limit in zip(pads, most)):
        return (top, left), None
    return (0, 0), (left, right, top, bottom)
