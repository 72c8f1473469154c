"""PyTorch, called plainly: what its adapter goes round is put back, a mode for each. All seen with PyTorch 2.13.0.

    strided_convolution   a convolution with a window of one number and strides: where channels are few and lie last in memory, oneDNN
                          writes beyond its memory for the kernel's gradient, on CPUs that have AVX2
                          (https://github.com/uxlfoundation/oneDNN/issues/6035)
    softplus              is z itself above 20, in float64 too
                          (https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html)
    hard_sigmoid          has 1 / 6 in float32 in its gradient, in float64 too
    group_normalization   of images whose channels lie last takes the variance as the mean of squares less the square of the mean; the other
                          layout was mended (https://github.com/pytorch/pytorch/issues/54293)
    nadam                 keeps the product of its momenta in float32, of parameters in float64 too
    float64               softplus, hard_sigmoid and nadam at once

The moving variance, which is unbiased (https://github.com/pytorch/pytorch/issues/1410), is not declared in FORMS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

import backends.torch as right
from backends.torch.activations import ACTIVATIONS
from backends.torch.layers import LAYERS
from backends.torch.layout import channels_first, channels_last
from harness.spec import Node, ProgramSpec

REQUIRES = {"torch": "torch"}
MODES: dict[str, dict[str, dict[str, str]]] = {
    "": {}, "strided_convolution": {}, "softplus": {}, "hard_sigmoid": {}, "group_normalization": {}, "nadam": {}, "float64": {},
}  # fmt: skip
FORMS: dict[str, str] = {}
versions = right.versions

#: what a mode puts back; "float64" is several
PARTS = {"float64": ("softplus", "hard_sigmoid", "nadam")}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """The adapter's reasons why not."""
    return right.supports(spec, dtype, device, "")


def conv2d(node: Node, net: Any) -> Callable[[Any], Any]:
    """torch.nn.Conv2d, as many zeros behind as in front, over images whose channels lie last."""
    layer: Any = node.layer
    weight, bias, padding = net.get(node, "kernel"), net.get(node, "bias"), [before for before, _ in layer.pads(node.input_shape)]
    return lambda x: channels_last(functional.conv2d(channels_first(x), weight, bias, layer.stride, padding))


def group_normalization(node: Node, net: Any) -> Callable[[Any], Any]:
    """torch.nn.GroupNorm of images as they lie."""
    layer: Any = node.layer
    gamma, beta = net.get(node, "gamma"), net.get(node, "beta")
    return lambda x: channels_last(functional.group_norm(channels_first(x), layer.groups, gamma, beta, layer.epsilon))


def in_float32(counters: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """What NAdam counts, in the number format in which torch starts it."""
    return lambda device: {name: value.to(torch.float32) for name, value in counters(device).items()}


class Program(right.Program):
    """The adapter's, with what a mode names put back."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        parts = PARTS.get(mode, (mode,))
        if "strided_convolution" in parts:
            LAYERS["conv2d"] = conv2d
        if "softplus" in parts:
            ACTIVATIONS["softplus"] = lambda spec: functional.softplus
        if "hard_sigmoid" in parts:
            ACTIVATIONS["hard_sigmoid"] = lambda spec: functional.hardsigmoid
        if "group_normalization" in parts:
            LAYERS["group_normalization"] = group_normalization
        super().__init__(spec, dtype, device, "")
        if "nadam" in parts:
            self.update.__dict__["counters"] = in_float32(self.update.counters)
