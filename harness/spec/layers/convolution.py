"""Convolutions: cross-correlations, as in every framework (the kernel is not flipped), channels last."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Dict

from ..fields import Call, Shape, about
from ..native import by_outputs
from .base import Padding, Pads, Sizes, Weight, by, need_axes, pads, per_axis, window_outputs
from .core import FROM_INPUTS, KERAS_STARTS, Affine

_KERNEL_SIZE = {"kernel": "other tools", "filter_size": "other tools"}
_WHERE = {1: "steps x channels", 2: "height x width x channels"}
PADDING = about(
    'zeros around: "valid" none; "same" so that there are ceil(size / stride) outputs, the odd zero behind; or numbers: one, one an '
    "axis, or before and after each axis",
    ge=0,
    min_length=1,
    choices=("same", "valid"),
    also={"pad": "other tools"},
)


@dataclass(frozen=True)
class Windowed(Affine):
    """What all convolutions have: a window that moves over one or two axes."""

    kernel_size: Sizes = field(
        default=0, metadata=about("length of the window, or one an axis", gt=0, required=True, min_length=1, also=_KERNEL_SIZE)
    )
    strides: Sizes = field(default=1, metadata=about("how far the window moves", gt=0, min_length=1, also={"stride": "PyTorch"}))
    padding: Padding = field(default="valid", metadata=PADDING)
    dilation_rate: Sizes = field(
        default=1,
        metadata=about(
            "distance of neighbours in the window", gt=0, min_length=1, also={"dilation": "PyTorch", "kernel_dilation": "Flax"}
        ),
    )

    #: axes that the window moves over
    rank: ClassVar[int] = 2

    @property
    def kernel(self) -> Shape:
        """Length of the window on each axis."""
        return per_axis("kernel_size", self.kernel_size, self.rank)

    @property
    def stride(self) -> Shape:
        """Stride of each axis."""
        return per_axis("strides", self.strides, self.rank)

    @property
    def dilation(self) -> Shape:
        """Dilation of each axis."""
        return per_axis("dilation_rate", self.dilation_rate, self.rank)

    @property
    def reach(self) -> Shape:
        """How far the window reaches on each axis, dilation included."""
        return tuple((size - 1) * rate + 1 for size, rate in zip(self.kernel, self.dilation))

    def pads(self, shape: Shape) -> Pads:
        """Zeros before and after each axis of an input of a shape."""
        return pads(self.padding, shape[:-1], self.reach, self.stride)

    def moved_over(self, shape: Shape) -> Shape:
        """How many places the window takes on each axis."""
        need_axes(self, shape, self.rank + 1, _WHERE[self.rank])
        return window_outputs(self, shape[:-1], self.reach, self.stride, self.pads(shape))


@dataclass(frozen=True)
class Convolution(Windowed):
    """y[i, o] = sum over the window k and the group's inputs c of x[i stride + k dilation, c] W[k, c, o] + b[o]."""

    filters: int = field(
        default=0,
        metadata=about("number of output channels", gt=0, required=True, also={"out_channels": "PyTorch", "features": "Flax"}),
    )
    groups: int = field(
        default=1, metadata=about("groups of channels that are kept apart", gt=0, also={"feature_group_count": "Flax"})
    )

    def output_shape(self, *shapes: Shape) -> Shape:
        """Places of the window x filters."""
        places = self.moved_over(shapes[0])
        if shapes[0][-1] % self.groups or self.filters % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {shapes[0][-1]} channels and {self.filters} filters")
        return (*places, self.filters)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """kernel `(*window, inputs / groups, filters)`, bias `(filters,)`."""
        inputs, area = shapes[0][-1] // self.groups, math.prod(self.kernel)
        fans = (area * inputs, area * self.filters // self.groups)
        return self.kernel_and_bias((*self.kernel, inputs, self.filters), self.filters, fans)


@dataclass(frozen=True)
class Conv1D(Convolution):
    """A convolution over steps: x `(steps, channels)`, W `(window, inputs / groups, filters)`."""

    type = "conv1d"
    calls = {
        "torch": Call(
            "torch.nn.Conv1d",
            {"strides": "stride", "padding": "padding", "dilation_rate": "dilation", "groups": "groups", "use_bias": "bias"},
            "same with a stride pads by hand: PyTorch refuses it",
            FROM_INPUTS,
        ),
        "keras": Call(
            "keras.layers.Conv1D",
            {
                "strides": "strides",
                "padding": "padding",
                "dilation_rate": "dilation_rate",
                "groups": "groups",
                "use_bias": "use_bias",
                **KERAS_STARTS,
            },
        ),
        "tensorflow": Call("tensorflow.nn.conv1d"),
        "jax": Call("jax.lax.conv_general_dilated", {"groups": "feature_group_count"}),
        "flax": Call("flax.linen.Conv", {"strides": "strides", "padding": "padding", "groups": "feature_group_count"}),
    }
    rank = 1


@dataclass(frozen=True)
class Conv2D(Convolution):
    """A convolution over images: x `(height, width, channels)`, W `(height, width, inputs / groups, filters)` (LeCun et al. 1989)."""

    type = "conv2d"
    calls = {
        "torch": Call(
            "torch.nn.Conv2d",
            {"strides": "stride", "padding": "padding", "dilation_rate": "dilation", "groups": "groups", "use_bias": "bias"},
            "same with a stride pads by hand: PyTorch refuses it",
            FROM_INPUTS,
        ),
        "keras": Call(
            "keras.layers.Conv2D",
            {
                "strides": "strides",
                "padding": "padding",
                "dilation_rate": "dilation_rate",
                "groups": "groups",
                "use_bias": "use_bias",
                **KERAS_STARTS,
            },
        ),
        "tensorflow": Call("tensorflow.nn.conv2d", {"dilation_rate": "dilations"}),
        "jax": Call("jax.lax.conv_general_dilated", {"groups": "feature_group_count"}),
        "flax": Call("flax.linen.Conv", {"strides": "strides", "padding": "padding", "groups": "feature_group_count"}),
    }
    also = {"conv": "Flax", "convolution2d": "other tools"}


@dataclass(frozen=True)
class DepthwiseConv2D(Windowed):
    """A convolution of each channel alone: y[i, c m + j] = sum over k of x[i stride + k dilation, c] W[k, c, j] + b, m the
    depth_multiplier, W `(height, width, inputs, depth_multiplier)` (Howard et al. 2017)."""

    depth_multiplier: int = field(default=1, metadata=about("output channels of each input channel", gt=0))
    type = "depthwise_conv2d"
    calls = {
        "torch": Call("torch.nn.Conv2d", {"groups": "groups", "padding": "padding"}, "groups = channels", FROM_INPUTS),
        "keras": Call(
            "keras.layers.DepthwiseConv2D",
            {
                "strides": "strides",
                "padding": "padding",
                "depth_multiplier": "depth_multiplier",
                **KERAS_STARTS,
                "kernel_initializer": "depthwise_initializer",
            },
        ),
        "tensorflow": Call("tensorflow.nn.depthwise_conv2d", {"dilation_rate": "dilations"}),
        "jax": Call("jax.lax.conv_general_dilated", {"groups": "feature_group_count"}, "feature_group_count = channels"),
        "flax": Call("flax.linen.Conv", {"groups": "feature_group_count"}),
    }

    def output_shape(self, *shapes: Shape) -> Shape:
        """Places of the window x channels x multiplier."""
        return (*self.moved_over(shapes[0]), shapes[0][-1] * self.depth_multiplier)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """kernel `(height, width, inputs, depth_multiplier)`, bias `(inputs depth_multiplier,)`."""
        inputs, area = shapes[0][-1], math.prod(self.kernel)
        return self.kernel_and_bias(
            (*self.kernel, inputs, self.depth_multiplier), inputs * self.depth_multiplier, (area, area * self.depth_multiplier)
        )


@dataclass(frozen=True)
class Conv2DTranspose(Windowed):
    """The transposed map of a conv2d (its gradient by its input): x[i] W goes to y[i stride + k dilation - padding before], W
    `(height, width, filters, inputs)`. It gives (size - 1) stride + reach - padding + output_padding; with "same" size x stride,
    the padding being that of the conv2d that leads back (Zeiler et al. 2010)."""

    filters: int = field(
        default=0,
        metadata=about("number of output channels", gt=0, required=True, also={"out_channels": "PyTorch", "features": "Flax"}),
    )
    output_padding: Sizes = field(
        default=0, metadata=about('more places at the end of each axis; not with "same"', ge=0, min_length=1)
    )
    type = "conv2d_transpose"
    calls = {
        "torch": Call(
            "torch.nn.ConvTranspose2d",
            {"strides": "stride", "padding": "padding", "output_padding": "output_padding"},
            "same cuts its output by hand",
            {"kernel_initializer": by_outputs, "bias_initializer": by_outputs},
        ),
        "keras": Call(
            "keras.layers.Conv2DTranspose",
            {"strides": "strides", "padding": "padding", "output_padding": "output_padding", **KERAS_STARTS},
            "output_padding is given: otherwise valid gives more where the stride is longer than the window",
        ),
        "tensorflow": Call("tensorflow.nn.conv2d_transpose", {"padding": "padding"}),
        "jax": Call("jax.lax.conv_general_dilated", note="lhs_dilation = strides, the kernel flipped"),
        "flax": Call("flax.linen.ConvTranspose", {"padding": "padding", "flip": "transpose_kernel"}, "transpose_kernel = true"),
    }
    also = {"deconv2d": "other tools", "conv_transpose": "Flax"}

    @property
    def extra(self) -> Shape:
        """More places at the end of each axis."""
        return per_axis("output_padding", self.output_padding, self.rank)

    def pads(self, shape: Shape) -> Pads:
        """Places that are cut off before and after each axis (behind: `extra` less)."""
        if self.padding == "same":
            return pads("same", tuple(size * stride for size, stride in zip(shape[:-1], self.stride)), self.reach, self.stride)
        return pads(self.padding, shape[:-1], self.reach, self.stride)

    def output_shape(self, *shapes: Shape) -> Shape:
        """See above."""
        shape = shapes[0]
        need_axes(self, shape, self.rank + 1, _WHERE[self.rank])
        if self.padding == "same":
            if any(self.extra):
                raise ValueError('"output_padding" says nothing with padding "same", which gives size x stride')
            return (*(size * stride for size, stride in zip(shape[:-1], self.stride)), self.filters)
        if any(extra >= max(stride, rate) for extra, stride, rate in zip(self.extra, self.stride, self.dilation)):
            raise ValueError('"output_padding" must be smaller than the stride or the dilation')
        places = tuple(
            (size - 1) * stride + reach - before - after + extra
            for size, stride, reach, (before, after), extra in zip(
                shape[:-1], self.stride, self.reach, self.pads(shape), self.extra
            )
        )
        if any(place < 1 for place in places):
            raise ValueError(f"nothing is left of {by(shape)}: the padding cuts off all")
        return (*places, self.filters)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """kernel `(height, width, filters, inputs)`, bias `(filters,)`."""
        inputs, area = shapes[0][-1], math.prod(self.kernel)
        return self.kernel_and_bias((*self.kernel, self.filters, inputs), self.filters, (area * inputs, area * self.filters))
