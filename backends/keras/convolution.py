"""Convolutions: "same" and "valid" mean in Keras what they mean in the spec; zeros in other numbers are a layer before."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Sequence, Tuple

import keras
from keras import layers, ops

from harness.spec import Node

from .part import ENGINE, Part


class Every(keras.layers.Layer):  # type: ignore[misc]
    """Every so-many-th place of each axis."""

    def __init__(self, strides: Sequence[int]) -> None:
        super().__init__()
        self.places = (slice(None), *(slice(None, None, stride) for stride in strides))

    def call(self, x: Any) -> Any:
        """Strided along the axes behind the batch."""
        return x[self.places]


class Bias(keras.layers.Layer):  # type: ignore[misc]
    """A bias for each channel, and an activation."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.activation = activation or keras.activations.linear

    def build(self, shape: Any) -> None:
        """The bias."""
        self.bias = self.add_weight(shape=(shape[-1],), name="bias")

    def call(self, x: Any) -> Any:
        """activation(x + b)."""
        return self.activation(ops.add(x, self.bias))


class DilatedTranspose(keras.layers.Conv2DTranspose):  # type: ignore[misc]
    """A transposed convolution with a dilated window: Keras has none with strides, tensorflow none on the CPU
    (https://github.com/keras-team/keras/issues/19870). The window is written out, with zeros between."""

    def __init__(self, rates: Tuple[int, int], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.rates = rates

    def build(self, shape: Any) -> None:
        """The kernel of the window's own size; shapes of outputs follow from how far it reaches."""
        super().build(shape)
        self.kernel_size = tuple((size - 1) * rate + 1 for size, rate in zip(self.kernel.shape, self.rates))

    def call(self, x: Any) -> Any:
        """As Keras' own, with the wide window."""
        wide = spread(self.kernel, self.rates)
        y = ops.conv_transpose(x, wide, list(self.strides), self.padding, self.output_padding, self.data_format)
        y = y if self.bias is None else ops.add(y, self.bias)
        return y if self.activation is None else self.activation(y)


def spread(kernel: Any, rates: Sequence[int]) -> Any:
    """A kernel `(height, width, filters, inputs)` with zeros between its rows and columns."""
    height, width, *channels = kernel.shape
    down, right = rates
    kernel = ops.reshape(kernel, (height, 1, width, 1, *channels))
    kernel = ops.pad(kernel, ((0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0), (0, 0)))
    kernel = ops.reshape(kernel, (height * down, width * right, *channels))
    return kernel[: (height - 1) * down + 1, : (width - 1) * right + 1]


def zeros_around(pads: Sequence[Tuple[int, int]]) -> List[Any]:
    """A layer of zeros, if there are any."""
    if not any(map(any, pads)):
        return []
    return [layers.ZeroPadding1D(pads[0]) if len(pads) == 1 else layers.ZeroPadding2D(tuple(pads))]


def convolved(node: Node, activation: Any, make: Callable[..., Any], each_place: bool) -> Part:
    """A convolution.

    Args:
        node: of a layer with a window.
        activation: of its output.
        make: the Keras layer of strides, padding and the like.
        each_place: the engine cannot move the window so far: it is moved to each place, and most are left out.
    """
    layer: Any = node.layer
    # a window of one number reads some places only: they are taken out first, since oneDNN, in TensorFlow 2.21 as in PyTorch 2.13, writes
    # beyond its memory or gives a wrong gradient where there are few channels
    taken = math.prod(layer.kernel) == 1 and max(layer.stride) > 1
    own = layer.padding in ("same", "valid") and not each_place and not taken
    convolution = make(
        strides=1 if each_place or taken else layer.stride, padding=layer.padding if own else "valid", dilation_rate=layer.dilation,
        use_bias=layer.use_bias, activation=activation,
    )  # fmt: skip
    before = [] if own else zeros_around(layer.pads(node.input_shape))
    if taken:
        return Part((*before, Every(layer.stride), convolution))
    return Part((*before, convolution, *([Every(layer.stride)] if each_place else [])))


def convolution(node: Node, activation: Any) -> Part:
    """conv1d and conv2d; Keras refuses strides together with a dilation."""
    layer: Any = node.layer
    kind = layers.Conv1D if layer.rank == 1 else layers.Conv2D

    def make(**options: Any) -> Any:
        return kind(layer.filters, layer.kernel, groups=layer.groups, **options)

    return convolved(node, activation, make, max(layer.stride) > 1 and max(layer.dilation) > 1)


def depthwise(node: Node, activation: Any) -> Part:
    """depthwise_conv2d; tensorflow needs one stride for both axes (https://github.com/tensorflow/tensorflow/issues/33005)."""
    layer: Any = node.layer

    def make(**options: Any) -> Any:
        return layers.DepthwiseConv2D(layer.kernel, depth_multiplier=layer.depth_multiplier, **options)

    return convolved(node, activation, make, ENGINE == "tensorflow" and len(set(layer.stride)) > 1)


def transposed(node: Node, activation: Any) -> Part:
    """conv2d_transpose; what Keras has no padding for is cut off behind it."""
    layer: Any = node.layer
    same, extra = layer.padding == "same", layer.extra
    far = any(more >= stride for more, stride in zip(extra, layer.stride))  # than Keras' output_padding may be
    options: Dict[str, Any] = {
        "strides": layer.stride, "padding": "same" if same else "valid", "output_padding": None if same else (0, 0) if far else extra,
        "use_bias": layer.use_bias and not far, "activation": None if far else activation,
    }  # fmt: skip
    dilated = max(layer.dilation) > 1
    kind: Any = (lambda *given, **more: DilatedTranspose(layer.dilation, *given, **more)) if dilated else layers.Conv2DTranspose
    found = [kind(layer.filters, layer.kernel, **options)]
    if far:
        found += zeros_around([(0, more) for more in extra])
        found += [Bias(activation)] if layer.use_bias else [layers.Activation(activation)] if activation else []
    cuts = layer.pads(node.input_shape)
    if not same and any(map(any, cuts)):
        found.append(layers.Cropping2D(cuts))
    return Part(tuple(found))


LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": depthwise, "conv2d_transpose": transposed,
}  # fmt: skip
