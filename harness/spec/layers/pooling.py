"""Pooling: the largest or the mean of a window, or of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Optional

from ..fields import Call, Shape, about
from ..native import counted
from .base import Layer, Padding, Pads, Sizes, need_axes, pads, per_axis, window_outputs
from .convolution import _WHERE, PADDING

_COUNTED = {"count_padding": counted}


@dataclass(frozen=True)
class Pooling(Layer):
    """A window that moves over one or two axes, each channel alone."""

    pool_size: Sizes = field(
        default=0,
        metadata=about(
            "length of the window, or one an axis",
            gt=0,
            required=True,
            min_length=1,
            also={"kernel_size": "PyTorch", "window_shape": "Flax"},
        ),
    )
    strides: Optional[Sizes] = field(
        default=None,
        metadata=about("how far the window moves; its length when not given", gt=0, min_length=1, also={"stride": "PyTorch"}),
    )
    padding: Padding = field(default="valid", metadata=PADDING)

    #: axes that the window moves over
    rank: ClassVar[int] = 2

    @property
    def window(self) -> Shape:
        """Length of the window on each axis."""
        return per_axis("pool_size", self.pool_size, self.rank)

    @property
    def stride(self) -> Shape:
        """Stride of each axis."""
        return self.window if self.strides is None else per_axis("strides", self.strides, self.rank)

    def pads(self, shape: Shape) -> Pads:
        """Places around that hold nothing."""
        return pads(self.padding, shape[:-1], self.window, self.stride)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Places of the window x channels."""
        shape = shapes[0]
        need_axes(self, shape, self.rank + 1, _WHERE[self.rank])
        around = self.pads(shape)
        if any(max(both) >= window for both, window in zip(around, self.window)):
            raise ValueError("the padding is as wide as the window: some windows would hold nothing")
        return (*window_outputs(self, shape[:-1], self.window, self.stride, around), shape[-1])


@dataclass(frozen=True)
class MaxPooling(Pooling):
    """The largest value of each window; its gradient goes to the first of equal ones, row by row. Padding is never the largest."""


@dataclass(frozen=True)
class MaxPooling1D(MaxPooling):
    """The largest value of each window over `(steps, channels)`; the gradient goes to the first of equal ones."""

    type = "max_pooling1d"
    calls = {
        "torch": Call(
            "torch.nn.MaxPool1d", {"strides": "stride", "padding": "padding"}, "a padding on one side more is -inf by hand"
        ),
        "keras": Call("keras.layers.MaxPooling1D", {"strides": "strides", "padding": "padding"}),
        "tensorflow": Call("tensorflow.nn.max_pool1d"),
        "jax": Call("jax.lax.reduce_window"),
        "flax": Call("flax.linen.max_pool", {"strides": "strides", "padding": "padding"}),
    }
    also = {"max_pool1d": "PyTorch"}
    rank = 1


@dataclass(frozen=True)
class MaxPooling2D(MaxPooling):
    """The largest value of each window over `(height, width, channels)`; the gradient goes to the first of equal ones, row by row."""

    type = "max_pooling2d"
    calls = {
        "torch": Call(
            "torch.nn.MaxPool2d", {"strides": "stride", "padding": "padding"}, "a padding on one side more is -inf by hand"
        ),
        "keras": Call("keras.layers.MaxPooling2D", {"strides": "strides", "padding": "padding"}),
        "tensorflow": Call("tensorflow.nn.max_pool2d"),
        "jax": Call("jax.lax.reduce_window"),
        "flax": Call("flax.linen.max_pool", {"strides": "strides", "padding": "padding"}),
    }
    also = {"max_pool2d": "PyTorch", "max_pool": "Flax and JAX"}


@dataclass(frozen=True)
class AveragePooling(Pooling):
    """The mean of each window."""

    count_padding: Optional[bool] = field(
        default=None,
        metadata=about(
            "whether padding counts as zeros in the mean: PyTorch and Flax count it, Keras and TensorFlow do not; needed where "
            "there is padding",
            also={"count_include_pad": "PyTorch and Flax"},
            defaults="it counts in PyTorch and Flax, not in Keras and TensorFlow: write down which you mean",
        ),
    )

    def output_shape(self, *shapes: Shape) -> Shape:
        """Places of the window x channels."""
        found = super().output_shape(*shapes)
        if self.count_padding is None and any(map(sum, self.pads(shapes[0]))):
            raise ValueError('"count_padding" must say whether the padding counts in the mean: PyTorch counts it, Keras does not')
        return found


@dataclass(frozen=True)
class AveragePooling1D(AveragePooling):
    """The mean of each window over `(steps, channels)`."""

    type = "average_pooling1d"
    calls = {
        "torch": Call(
            "torch.nn.AvgPool1d",
            {"strides": "stride", "padding": "padding", "count_padding": "count_include_pad"},
            native=_COUNTED,
        ),
        "keras": Call(
            "keras.layers.AveragePooling1D",
            {"strides": "strides", "padding": "padding"},
            "counted padding is zeros by hand",
            _COUNTED,
        ),
        "tensorflow": Call("tensorflow.nn.avg_pool1d", note="counted padding is zeros by hand", native=_COUNTED),
        "jax": Call("jax.lax.reduce_window", note="a sum, divided"),
        "flax": Call(
            "flax.linen.avg_pool",
            {"strides": "strides", "padding": "padding", "count_padding": "count_include_pad"},
            native=_COUNTED,
        ),
    }
    also = {"avg_pool1d": "PyTorch"}
    rank = 1


@dataclass(frozen=True)
class AveragePooling2D(AveragePooling):
    """The mean of each window over `(height, width, channels)`."""

    type = "average_pooling2d"
    calls = {
        "torch": Call(
            "torch.nn.AvgPool2d",
            {"strides": "stride", "padding": "padding", "count_padding": "count_include_pad"},
            native=_COUNTED,
        ),
        "keras": Call(
            "keras.layers.AveragePooling2D",
            {"strides": "strides", "padding": "padding"},
            "counted padding is zeros by hand",
            _COUNTED,
        ),
        "tensorflow": Call("tensorflow.nn.avg_pool2d", note="counted padding is zeros by hand", native=_COUNTED),
        "jax": Call("jax.lax.reduce_window", note="a sum, divided"),
        "flax": Call(
            "flax.linen.avg_pool",
            {"strides": "strides", "padding": "padding", "count_padding": "count_include_pad"},
            native=_COUNTED,
        ),
    }
    also = {"avg_pool2d": "PyTorch", "avg_pool": "Flax and JAX"}


@dataclass(frozen=True)
class GlobalPooling(Layer):
    """One number a channel."""

    rank: ClassVar[int] = 2

    def output_shape(self, *shapes: Shape) -> Shape:
        """`(channels,)`."""
        need_axes(self, shapes[0], self.rank + 1, _WHERE[self.rank])
        return (shapes[0][-1],)


@dataclass(frozen=True)
class GlobalAveragePooling1D(GlobalPooling):
    """The mean over all steps of `(steps, channels)`."""

    type = "global_average_pooling1d"
    calls = {
        "torch": Call("torch.nn.AdaptiveAvgPool1d", note="of one place"),
        "keras": Call("keras.layers.GlobalAveragePooling1D"),
        "tensorflow": Call("tensorflow.reduce_mean"),
        "jax": Call("jax.numpy.mean"),
    }
    also = {"mean_over_time": "other tools", "global_avg_pool1d": "other tools"}
    rank = 1


@dataclass(frozen=True)
class GlobalAveragePooling2D(GlobalPooling):
    """The mean over all places of `(height, width, channels)` (Lin et al. 2014)."""

    type = "global_average_pooling2d"
    calls = {
        "torch": Call("torch.nn.AdaptiveAvgPool2d", note="of one place"),
        "keras": Call("keras.layers.GlobalAveragePooling2D"),
        "tensorflow": Call("tensorflow.reduce_mean"),
        "jax": Call("jax.numpy.mean"),
    }
    also = {"global_avg_pool2d": "other tools", "adaptive_avg_pool2d": "PyTorch"}


@dataclass(frozen=True)
class GlobalMaxPooling1D(GlobalPooling):
    """The largest value of all steps of `(steps, channels)`; the gradient goes to the first of equal ones."""

    type = "global_max_pooling1d"
    calls = {
        "torch": Call("torch.nn.AdaptiveMaxPool1d", note="of one place"),
        "keras": Call("keras.layers.GlobalMaxPooling1D"),
        "tensorflow": Call("tensorflow.reduce_max", note="its gradient is split where several are largest: a max_pool instead"),
        "jax": Call("jax.numpy.max", note="its gradient is split where several are largest: the first one by argmax instead"),
    }
    rank = 1


@dataclass(frozen=True)
class GlobalMaxPooling2D(GlobalPooling):
    """The largest value of all places of `(height, width, channels)`; the gradient goes to the first of equal ones."""

    type = "global_max_pooling2d"
    calls = {
        "torch": Call("torch.nn.AdaptiveMaxPool2d", note="of one place"),
        "keras": Call("keras.layers.GlobalMaxPooling2D"),
        "tensorflow": Call("tensorflow.reduce_max", note="its gradient is split where several are largest: a max_pool instead"),
        "jax": Call("jax.numpy.max", note="its gradient is split where several are largest: the first one by argmax instead"),
    }
    also = {"adaptive_max_pool2d": "PyTorch"}
