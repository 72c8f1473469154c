"""Layers that are made of layers: the graph wires their parts, so no backend knows them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Mapping, Optional, Tuple

from ..fields import Call, about
from .base import Layer
from .convolution import Conv2D, DepthwiseConv2D, Windowed
from .merging import Add, Average, Concatenate, Multiply
from .recurrent import Recurrent

if TYPE_CHECKING:
    from ..graph import Place, Wiring


@dataclass(frozen=True)
class Composite(Layer):
    """A layer that is made of others."""

    def wire(self, wiring: "Wiring", place: "Place") -> str:
        """Add the parts to the graph; the name of the last node."""
        raise NotImplementedError


@dataclass(frozen=True)
class Residual(Composite):
    """y = f(x) + s(x): f are the `layers`, s the `shortcut`, or nothing (He et al. 2016)."""

    layers: Tuple[Layer, ...] = field(default=(), metadata=about("the layers of f, in order", required=True, min_length=1))
    shortcut: Optional[Tuple[Layer, ...]] = field(
        default=None,
        metadata=about(
            "the layers of s, where f changes the shape; x itself when not given", min_length=1, also={"downsample": "PyTorch"}
        ),
    )
    type = "residual"
    calls = {
        "torch": Call("torch.add", note="of f(x) and s(x)"),
        "keras": Call("keras.layers.Add", note="of f(x) and s(x)"),
        "tensorflow": Call("tensorflow.add", note="of f(x) and s(x)"),
        "jax": Call("jax.numpy.add", note="of f(x) and s(x)"),
    }
    also = {"skip": "other tools", "residual_block": "other tools"}

    def wire(self, wiring: "Wiring", place: "Place") -> str:
        """f, s and their sum."""
        inner = wiring.sequence(self.layers, place.inside("layers"))
        beside = wiring.sequence(self.shortcut, place.inside("shortcut", "shortcut/")) if self.shortcut else place.reads[0]
        return wiring.node(place.part("add", (inner, beside)), Add())


@dataclass(frozen=True)
class Repeat(Composite):
    """The same layers several times, one behind the other, each time with weights of their own."""

    times: int = field(
        default=0, metadata=about("how often", gt=0, required=True, also={"n": "other tools", "count": "other tools"})
    )
    layers: Tuple[Layer, ...] = field(default=(), metadata=about("the layers, in order", required=True, min_length=1))
    type = "repeat"

    def wire(self, wiring: "Wiring", place: "Place") -> str:
        """The layers, once for each time."""
        reads = place.reads
        for number in range(1, self.times + 1):
            reads = (wiring.sequence(self.layers, place.inside("layers", f"{number}/", reads)),)
        return reads[0]


@dataclass(frozen=True)
class Bidirectional(Composite):
    """A recurrence and another one of its kind from the last step to the first, both outputs made one (Schuster & Paliwal 1997)."""

    layer: Optional[Layer] = field(default=None, metadata=about("the recurrence", required=True))
    merge_mode: str = field(
        default="concat", metadata=about("how both outputs are made one", choices=("concat", "sum", "mul", "ave"))
    )
    type = "bidirectional"
    calls = {
        "torch": Call("torch.nn.LSTM", {"bidirectional": "bidirectional"}, "two recurrences, so that each is compared"),
        "keras": Call("keras.layers.Bidirectional", {"merge_mode": "merge_mode"}, "two recurrences, so that each is compared"),
    }

    merges: ClassVar[Mapping[str, Layer]] = {"concat": Concatenate(), "sum": Add(), "mul": Multiply(), "ave": Average()}

    def wire(self, wiring: "Wiring", place: "Place") -> str:
        """Both directions and their merge."""
        if not isinstance(self.layer, Recurrent):
            raise wiring.problem(
                place,
                f'"bidirectional" takes a recurrence, not {self.layer.type if self.layer else "nothing"}',
                "simple_rnn, lstm or gru",
            )
        both = tuple(
            wiring.node(place.part(way, place.reads), dataclasses.replace(self.layer, name=None, go_backwards=backwards))
            for way, backwards in (("forward", self.layer.go_backwards), ("backward", not self.layer.go_backwards))
        )
        merge = self.merges[self.merge_mode]
        return wiring.node(place.part(merge.type, both), merge)


@dataclass(frozen=True)
class SeparableConv2D(Windowed, Composite):
    """A depthwise_conv2d without bias, then a conv2d with a window of one place (Chollet 2017)."""

    filters: int = field(
        default=0,
        metadata=about("number of output channels", gt=0, required=True, also={"out_channels": "PyTorch", "features": "Flax"}),
    )
    depth_multiplier: int = field(default=1, metadata=about("channels between the two, for each input channel", gt=0))
    type = "separable_conv2d"
    calls = {
        "torch": Call("torch.nn.Conv2d", note="two of them"),
        "keras": Call("keras.layers.SeparableConv2D", {"padding": "padding"}, "two convolutions, so that each is compared"),
        "tensorflow": Call("tensorflow.nn.separable_conv2d", note="two convolutions, so that each is compared"),
        "jax": Call("jax.lax.conv_general_dilated", note="two of them"),
    }

    def wire(self, wiring: "Wiring", place: "Place") -> str:
        """Depthwise, then pointwise."""
        depthwise = DepthwiseConv2D(
            kernel_size=self.kernel_size, strides=self.strides, padding=self.padding, dilation_rate=self.dilation_rate,
            depth_multiplier=self.depth_multiplier, use_bias=False, kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
        )  # fmt: skip
        pointwise = Conv2D(
            filters=self.filters, kernel_size=1, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer, kernel_regularizer=self.kernel_regularizer, activation=self.activation,
        )  # fmt: skip
        between = wiring.node(place.part("depthwise", place.reads), depthwise)
        return wiring.layer(place.part("pointwise", (between,)), pointwise)
