"""Convolutions, pooling and resizing, over one axis or two."""

from __future__ import annotations

import math
from typing import Any

from ...spec.layers import (
    AveragePooling,
    Conv2DTranspose,
    Convolution,
    Cropping,
    MaxPooling,
    UpSampling,
    UpSampling2D,
    ZeroPadding,
)
from .core import bias_gradient, own
from .place import Lines, Place, call


def brief(numbers: tuple[Any, ...], default: Any = None) -> Any:
    """One number for equal ones; None, which leaves it out, where that is the default."""
    found = numbers[0] if len(set(numbers)) == 1 else numbers
    return None if found == default else found


def around(pads: tuple[tuple[int, int], ...]) -> Any:
    """Zeros before and after each axis, as briefly as can be; None where there are none."""
    one = brief(tuple(number for both in pads for number in both), 0)
    return pads if isinstance(one, tuple) else one


def window(at: Place) -> dict[str, Any]:
    """How a convolution's window moves, as options."""
    layer = at.layer
    return {"strides": brief(layer.stride, 1), "pads": around(layer.pads(at.shape)), "dilation": brief(layer.dilation, 1)}


def with_bias(at: Place, value: str) -> str:
    """An assignment, the bias added where there is one."""
    return f"{at.y} = {value} + {at.p('bias')}" if own(at, "bias") else f"{at.y} = {value}"


def lengths(shape: tuple[int, ...]) -> str:
    """Of images `(*lengths, channels)`."""
    return str(shape[:-1])


def convolution(at: Place) -> Lines:
    """A convolution, group by group where there are several."""
    layer: Convolution = at.layer
    kernel, options = at.p("kernel"), window(at)

    def of(function: str, *arguments: str, **more: Any) -> str:
        if layer.groups == 1:
            return call(function, *arguments, **more, **options)
        return call("by_group", function, str(layer.groups), *arguments, **more, **options)

    gradients = {
        at.full("kernel"): of("kernel_gradient", at.x, at.d, size=layer.kernel),
        **bias_gradient(at, at.d, at.rank),
    }
    back = of("transposed_convolution", at.d, kernel, lengths=lengths(at.shape))
    return Lines((with_bias(at, of("convolution", at.x, kernel)),), (back,), gradients)


def transposed_convolution(at: Place) -> Lines:
    """The same maps with forward and backward changed for each other."""
    layer: Conv2DTranspose = at.layer
    kernel, options = at.p("kernel"), window(at)
    forward = call("transposed_convolution", at.x, kernel, lengths=lengths(at.node.output_shape), **options)
    gradients = {
        at.full("kernel"): call("kernel_gradient", at.d, at.x, size=layer.kernel, **options),
        **bias_gradient(at, at.d, at.rank),
    }
    back = call("convolution", at.d, kernel, **options)
    if any(layer.extra):  # where it is not shorter than the stride, the window fits once more
        back += f"[:, :{at.shape[0]}, :{at.shape[1]}]"
    return Lines((with_bias(at, forward),), (back,), gradients)


def depthwise_convolution(at: Place) -> Lines:
    """Each channel alone."""
    arguments, options = (at.x, at.p("kernel")), window(at)
    d_x = at.names.new(f"{at.d}_x") if at.needed else "_"
    back = f"{d_x}, {at.g('kernel')} = {call('depthwise_backward', at.d, *arguments, **options)}"
    return Lines(
        (with_bias(at, call("depthwise_convolution", *arguments, **options)),),
        (d_x,), bias_gradient(at, at.d, at.rank), (back,),
    )  # fmt: skip


def pooling(at: Place, kind: str, **more: Any) -> Lines:
    """The largest number or the mean of each window."""
    layer: MaxPooling | AveragePooling = at.layer
    options = {"size": layer.window, "strides": brief(layer.stride), "pads": around(layer.pads(at.shape)), **more}
    return Lines((f"{at.y} = {call(kind, at.x, **options)}",), (call(f"{kind}_backward", at.d, at.x, **options),))


def max_pooling(at: Place) -> Lines:
    """The largest number of each window."""
    return pooling(at, "max_pooling")


def average_pooling(at: Place) -> Lines:
    """The mean of each window."""
    layer: AveragePooling = at.layer
    uncounted = any(map(sum, layer.pads(at.shape))) and not layer.count_padding
    return pooling(at, "average_pooling", count_padding=False if uncounted else None)


def global_average_pooling(at: Place) -> Lines:
    """The mean of all places."""
    axes = "1" if len(at.shape) == 2 else "(1, 2)"
    places = ", ".join([":", *["None"] * (len(at.shape) - 1)])
    back = f"np.broadcast_to({at.d}[{places}] / {math.prod(at.shape[:-1])}, {at.x}.shape)"
    return Lines((f"{at.y} = {at.x}.mean({axes})",), (back,))


def global_max_pooling(at: Place) -> Lines:
    """The largest number of all places."""
    axes = "1" if len(at.shape) == 2 else "(1, 2)"
    return Lines((f"{at.y} = {at.x}.max({axes})",), (f"global_max_backward({at.d}, {at.x})",))


def up_sampling(at: Place) -> Lines:
    """Every place several times, or lines between them."""
    layer: UpSampling = at.layer
    if isinstance(layer, UpSampling2D) and layer.interpolation == "bilinear":
        back = f"bilinear_backward({at.d}, {at.x}, {layer.factors})"
        return Lines((f"{at.y} = bilinear({at.x}, {layer.factors})",), (back,))
    repeats = "".join(f".repeat({times}, axis={axis})" for axis, times in enumerate(layer.factors, 1))
    copies = ", ".join(f"{length}, {times}" for length, times in zip(at.shape, layer.factors, strict=False))
    axes = "2" if len(layer.factors) == 1 else "(2, 4)"
    back = f"{at.d}.reshape(len({at.d}), {copies}, {at.shape[-1]}).sum({axes})"
    return Lines((f"{at.y} = {at.x}{repeats}",), (back,))


def zeros_around(value: str, sides: tuple[tuple[int, int], ...]) -> str:
    """A larger image."""
    return f"np.pad({value}, {((0, 0), *sides, (0, 0))})"


def inside(value: str, sides: tuple[tuple[int, int], ...], larger: tuple[int, ...]) -> str:
    """A part of an image."""
    ends = [f"{before}:{length - after}" for (before, after), length in zip(sides, larger, strict=False)]
    return f"{value}[:, {', '.join(ends)}]"


def zero_padding(at: Place) -> Lines:
    """Zeros around."""
    layer: ZeroPadding = at.layer
    sides = layer.pads(at.shape)
    return Lines((f"{at.y} = {zeros_around(at.x, sides)}",), (inside(at.d, sides, at.node.output_shape),))


def cropping(at: Place) -> Lines:
    """Places cut off."""
    layer: Cropping = at.layer
    sides = layer.cuts(at.shape)
    return Lines((f"{at.y} = {inside(at.x, sides, at.shape)}",), (zeros_around(at.d, sides),))
