"""Convolutions: "same" and "valid" mean in Keras what they mean in the spec; zeros in other numbers are a layer before."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...spec.layers.base import Pads
from ..draft import NotWritten
from .text import Place, call, size, unless


def sides(pads: Pads) -> Any:
    """Numbers before and after each axis, as short as Keras takes them."""
    if len(pads) == 1:
        return size(pads[0])
    return size([size(both) for both in pads]) if all(before == after for before, after in pads) else tuple(pads)


def padded(x: str, pads: Pads) -> str:
    """A value with zeros around, if there are any."""
    return f"layers.ZeroPadding{len(pads)}D{call('', sides(pads))}({x})" if any(map(any, pads)) else x


def every(x: str, strides: Sequence[int]) -> str:
    """Every so-many-th place of each axis."""
    return f"{x}[:, {', '.join(':' if stride == 1 else f'::{stride}' for stride in strides)}]"


def convolved(place: Place, kind: str, *arguments: Any, each_place: bool, **options: Any) -> str:
    """A convolution.

    Args:
        place: of a layer with a window.
        kind: of Keras' layer.
        arguments: in front.
        each_place: the window cannot move so far: it is moved to each place, and most are left out.
        options: besides.
    """
    layer: Any = place.node.layer
    # oneDNN, in TensorFlow 2.21 as in PyTorch 2.13, writes beyond its memory, or gives a wrong gradient, where there are few channels
    taken = place.engine != "jax" and math.prod(layer.kernel) == 1 and max(layer.stride) > 1
    own = layer.padding in ("same", "valid") and not each_place and not taken
    convolution = place.learned(
        kind, *arguments, strides=None if each_place or taken else unless(1, size(layer.stride)),
        padding='"same"' if own and layer.padding == "same" else None, dilation_rate=unless(1, size(layer.dilation)), **options,
        activation=place.activation, use_bias=unless(True, layer.use_bias),
    )  # fmt: skip
    x = place.x if own else padded(place.x, layer.pads(place.node.input_shape))
    if taken:
        return f"{convolution}({every(x, layer.stride)})  # oneDNN is wrong where a window of one number has strides"
    y = f"{convolution}({x})"
    return f"{every(y, layer.stride)}  # {place.engine} has no such strides" if each_place else y


def convolution(place: Place) -> str:
    """conv1d and conv2d; Keras refuses strides together with a dilation."""
    layer: Any = place.node.layer
    each_place = max(layer.stride) > 1 and max(layer.dilation) > 1
    alone = layer.rank == 2 and layer.filters == 1 and refused(place, layer)
    kind = "OneFilterConv2D" if alone else f"layers.Conv{layer.rank}D"
    return convolved(place, kind, layer.filters, size(layer.kernel), each_place=each_place, groups=unless(1, layer.groups))


def refused(place: Place, layer: Any) -> bool:
    """Whether PyTorch refuses the gradient of one kernel alone, as Keras lays it."""
    return place.engine == "torch" and place.double and max(layer.dilation) == 1


def depthwise(place: Place) -> str:
    """depthwise_conv2d; TensorFlow needs one stride for both axes (https://github.com/tensorflow/tensorflow/issues/33005)."""
    layer: Any = place.node.layer
    dilated = max(layer.stride) > 1 and max(layer.dilation) > 1
    each_place = dilated or (place.engine == "tensorflow" and len(set(layer.stride)) > 1)
    multiplier = unless(1, layer.depth_multiplier)
    return convolved(place, "layers.DepthwiseConv2D", size(layer.kernel), each_place=each_place, depth_multiplier=multiplier)


def transposed(place: Place) -> str:
    """conv2d_transpose; what Keras has no padding for is cut off behind it.

    Raises:
        NotWritten: TensorFlow ends in it.
    """
    layer: Any = place.node.layer
    if place.engine == "tensorflow" and not place.double and math.prod(layer.kernel) == 1 and max(layer.stride) > 1:
        raise NotWritten(
            f'"{place.node.name}": TensorFlow\'s oneDNN writes beyond its memory in a transposed convolution of one number with strides',
            'it is written for "keras:jax" and "keras:torch", and in float64',
        )
    same = layer.padding == "same"
    more = any(layer.extra) or any(stride > reach for stride, reach in zip(layer.stride, layer.reach, strict=True))
    far = any(extra >= stride for extra, stride in zip(layer.extra, layer.stride, strict=True))
    options = {
        "strides": unless(1, size(layer.stride)),
        "padding": '"same"' if same else None,
        "output_padding": None if same or not more else 0 if far else size(layer.extra),
        "activation": place.activation,
        "use_bias": unless(True, layer.use_bias),
    }
    alone = place.node.input_shape[-1] == 1 and refused(place, layer)
    kind = "OneChannelConv2DTranspose" if alone else "layers.Conv2DTranspose"
    if max(layer.dilation) > 1:
        kind, options = "DilatedConv2DTranspose", {**options, "rates": layer.dilation, "more": layer.extra if far else None}
    y = f"{place.learned(kind, layer.filters, size(layer.kernel), **options)}({place.x})"
    cuts = layer.pads(place.node.input_shape)
    return y if same or not any(map(any, cuts)) else f"{call('layers.Cropping2D', sides(cuts))}({y})"


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": depthwise, "conv2d_transpose": transposed,
}  # fmt: skip
