"""Larger and smaller images: up-sampling, zeros around, cropping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Tuple, Union

from ..fields import Call, Shape, about
from .base import Layer, Pads, Sizes, by, need_axes, pads, per_axis
from .convolution import _WHERE

#: one number for all sides, one an axis, or before and after each axis
Sides = Union[int, Tuple[int, ...]]


@dataclass(frozen=True)
class Resizing(Layer):
    """A layer over one or two axes and the channels."""

    rank: ClassVar[int] = 2


@dataclass(frozen=True)
class UpSampling(Resizing):
    """Each axis `size` times as long."""

    size: Sizes = field(
        default=2,
        metadata=about(
            "how many times as long, or one an axis", gt=0, min_length=1, also={"scale_factor": "PyTorch", "scale": "other tools"}
        ),
    )

    @property
    def factors(self) -> Shape:
        """How many times as long each axis gets."""
        return per_axis("size", self.size, self.rank)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Longer axes x channels."""
        need_axes(self, shapes[0], self.rank + 1, _WHERE[self.rank])
        return (*(length * factor for length, factor in zip(shapes[0][:-1], self.factors)), shapes[0][-1])


@dataclass(frozen=True)
class UpSampling1D(UpSampling):
    """Every step `size` times."""

    type = "up_sampling1d"
    calls = {
        "torch": Call("torch.nn.functional.interpolate", {"interpolation": "mode"}, "or repeat_interleave"),
        "keras": Call("keras.layers.UpSampling1D", {"size": "size"}),
        "tensorflow": Call("tensorflow.repeat"),
        "jax": Call("jax.numpy.repeat"),
    }
    rank = 1


@dataclass(frozen=True)
class UpSampling2D(UpSampling):
    """Every place `size` times (nearest), or lines between the centres of pixels, constant beyond the outer ones (bilinear with
    half-pixel centres)."""

    interpolation: str = field(
        default="nearest",
        metadata=about("nearest or bilinear", choices=("nearest", "bilinear"), also={"mode": "PyTorch", "method": "JAX"}),
    )
    type = "up_sampling2d"
    calls = {
        "torch": Call("torch.nn.Upsample", {"interpolation": "mode", "align": "align_corners"}),
        "keras": Call("keras.layers.UpSampling2D", {"size": "size", "interpolation": "interpolation"}),
        "tensorflow": Call(
            "tensorflow.image.resize",
            {"interpolation": "method", "antialias": "antialias"},
            "it gives float32 only: bilinear is written out in float64",
        ),
        "jax": Call("jax.image.resize", {"antialias": "antialias"}),
    }
    also = {"upsample": "PyTorch", "resize": "JAX", "interpolate": "PyTorch"}


@dataclass(frozen=True)
class ZeroPadding(Resizing):
    """Zeros around."""

    padding: Sides = field(
        default=0,
        metadata=about(
            "zeros on every side; one number, one an axis, or before and after each axis", ge=0, required=True, min_length=1
        ),
    )

    def pads(self, shape: Shape) -> Pads:
        """Zeros before and after each axis."""
        return pads(self.padding, shape[:-1], (1,) * self.rank, (1,) * self.rank)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Longer axes x channels."""
        need_axes(self, shapes[0], self.rank + 1, _WHERE[self.rank])
        return (*(length + sum(both) for length, both in zip(shapes[0][:-1], self.pads(shapes[0]))), shapes[0][-1])


@dataclass(frozen=True)
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after the steps of `(steps, channels)`."""

    type = "zero_padding1d"
    calls = {
        "torch": Call("torch.nn.functional.pad", {"mode": "mode", "value": "value"}),
        "keras": Call("keras.layers.ZeroPadding1D", {"padding": "padding"}),
        "tensorflow": Call("tensorflow.pad", {"mode": "mode"}),
        "jax": Call("jax.numpy.pad", {"mode": "mode"}),
    }
    rank = 1


@dataclass(frozen=True)
class ZeroPadding2D(ZeroPadding):
    """Zeros around `(height, width, channels)`."""

    type = "zero_padding2d"
    calls = {
        "torch": Call("torch.nn.functional.pad", {"mode": "mode", "value": "value"}),
        "keras": Call("keras.layers.ZeroPadding2D", {"padding": "padding"}),
        "tensorflow": Call("tensorflow.pad", {"mode": "mode"}),
        "jax": Call("jax.numpy.pad", {"mode": "mode"}),
    }
    also = {"zero_pad2d": "PyTorch", "pad": "other tools"}


@dataclass(frozen=True)
class Cropping(Resizing):
    """Places cut off."""

    cropping: Sides = field(
        default=0,
        metadata=about(
            "places cut off on every side; one number, one an axis, or before and after each axis",
            ge=0,
            required=True,
            min_length=1,
        ),
    )

    def cuts(self, shape: Shape) -> Pads:
        """Places cut off before and after each axis."""
        return pads(self.cropping, shape[:-1], (1,) * self.rank, (1,) * self.rank)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Shorter axes x channels."""
        need_axes(self, shapes[0], self.rank + 1, _WHERE[self.rank])
        left = tuple(length - sum(both) for length, both in zip(shapes[0][:-1], self.cuts(shapes[0])))
        if any(length < 1 for length in left):
            raise ValueError(f"nothing is left of {by(shapes[0])}")
        return (*left, shapes[0][-1])


@dataclass(frozen=True)
class Cropping1D(Cropping):
    """Steps cut off at both ends of `(steps, channels)`."""

    type = "cropping1d"
    calls = {
        "torch": Call("torch.narrow", note="a slice"),
        "keras": Call("keras.layers.Cropping1D", {"cropping": "cropping"}),
        "tensorflow": Call("tensorflow.slice", note="a slice"),
        "jax": Call("jax.lax.slice", note="a slice"),
    }
    rank = 1


@dataclass(frozen=True)
class Cropping2D(Cropping):
    """Rows and columns cut off around `(height, width, channels)`."""

    type = "cropping2d"
    calls = {
        "torch": Call("torch.narrow", note="a slice"),
        "keras": Call("keras.layers.Cropping2D", {"cropping": "cropping"}),
        "tensorflow": Call("tensorflow.slice", note="a slice"),
        "jax": Call("jax.lax.slice", note="a slice"),
    }
    also = {"crop": "other tools"}
