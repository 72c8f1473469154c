"""Convolutions: lax's own, channels last, with the spec's padding written out."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from jax import lax

from harness.interface import Arrays
from harness.spec import Node

#: layouts of inputs, kernels and outputs, by the number of axes that the window moves over
LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC")}


def convolution(layer: Any, x: Any, kernel: Any, groups: int) -> Any:
    """Cross-correlation of x `(rows, *places, channels)` with kernel `(*window, channels / groups, filters)`."""
    return lax.conv_general_dilated(
        x, kernel, layer.stride, layer.pads(x.shape[1:]), rhs_dilation=layer.dilation, feature_group_count=groups,
        dimension_numbers=LAYOUTS[layer.rank],
    )  # fmt: skip


def biased(y: Any, own: Arrays) -> Any:
    """y + b, where there is one."""
    return y + own["bias"] if "bias" in own else y


def conv(node: Node, own: Arrays, x: Any) -> Any:
    """A convolution, its groups of channels kept apart."""
    layer: Any = node.layer
    return biased(convolution(layer, x, own["kernel"], layer.groups), own)


def depthwise(node: Node, own: Arrays, x: Any) -> Any:
    """Each channel alone: as many groups as channels."""
    kernel, channels = own["kernel"], x.shape[-1]
    return biased(convolution(node.layer, x, kernel.reshape(*kernel.shape[:2], 1, -1), channels), own)


def transposed(node: Node, own: Arrays, x: Any) -> Any:
    """The gradient of a conv2d by its input. Its padding is that of x with stride - 1 zeros between its places, so that the window starts
    at the first place of the output, and gives as many as the spec asks for."""
    layer: Any = node.layer
    pads = []
    for size, stride, reach, (before, _), places in zip(
        node.input_shape, layer.stride, layer.reach, layer.pads(node.input_shape), node.output_shape
    ):
        low, spread = reach - 1 - before, (size - 1) * stride + 1
        pads.append((low, places + reach - 1 - low - spread))
    y = lax.conv_transpose(
        x, own["kernel"], layer.stride, pads, rhs_dilation=layer.dilation, dimension_numbers=LAYOUTS[2], transpose_kernel=True
    )
    return biased(y, own)


CONVOLUTIONS: Mapping[str, Callable[..., Any]] = {
    "conv1d": conv,
    "conv2d": conv,
    "depthwise_conv2d": depthwise,
    "conv2d_transpose": transposed,
}
