"""Layers and activations: Keras 3's names, channels-last, kernels `(in, out)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

from .fields import Shape, Spec, about, float32
from .initializers import GlorotUniform, Initializer, Zeros


@dataclass(frozen=True)
class ActivationFunction(Spec):
    """An elementwise function, or softmax over the last axis."""


@dataclass(frozen=True)
class Linear(ActivationFunction):
    """f(z) = z."""

    type = "linear"
    also = {"identity": "PyTorch and JAX", "none": "short"}


@dataclass(frozen=True)
class Step(ActivationFunction):
    """f(z) = 1 where z > 0, else 0 (Rosenblatt 1958). Its gradient is zero: only the perceptron loss can train through
    it, because that loss reads z."""

    type = "step"
    also = {"heaviside": "PyTorch and NumPy", "threshold": "PyTorch", "binary": "short"}


@dataclass(frozen=True)
class Sigmoid(ActivationFunction):
    """f(z) = 1 / (1 + exp(-z))."""

    type = "sigmoid"
    also = {"logistic": "scikit-learn", "expit": "SciPy"}


@dataclass(frozen=True)
class Tanh(ActivationFunction):
    """f(z) = tanh(z)."""

    type = "tanh"


@dataclass(frozen=True)
class Relu(ActivationFunction):
    """f(z) = max(z, 0); the gradient at z = 0 is 0, as in every framework's own relu."""

    type = "relu"


@dataclass(frozen=True)
class Softmax(ActivationFunction):
    """f(z)_i = exp(z_i) / sum_j exp(z_j), over the last axis."""

    type = "softmax"


@dataclass(frozen=True)
class Layer(Spec):
    """One layer as data."""

    name: Optional[str] = field(
        default=None, metadata=about("the layer's name in all tables; made from its type when not given", min_length=1)
    )


@dataclass(frozen=True)
class Dense(Layer):
    """y = x W + b, W of shape `(inputs, units)`, b of shape `(units,)`; then `activation`."""

    units: int = field(
        default=0,
        metadata=about(
            "number of outputs", gt=0, required=True,
            also={"out_features": "PyTorch", "features": "Flax", "num_outputs": "TensorFlow 1", "output_dim": "Keras 1",
                  "size": "other tools", "width": "other tools", "neurons": "other tools"},
        ),
    )  # fmt: skip
    activation: Optional[ActivationFunction] = field(
        default=None, metadata=about("function of the layer's output", also={"act": "other tools", "nonlinearity": "other tools"})
    )
    use_bias: bool = field(default=True, metadata=about("whether b is added", also={"bias": "PyTorch"}))
    kernel_initializer: Initializer = field(
        default_factory=GlorotUniform,
        metadata=about("how W starts", also={"kernel_init": "Flax", "init": "other tools", "weight_init": "other tools"}),
    )
    bias_initializer: Initializer = field(default_factory=Zeros, metadata=about("how b starts", also={"bias_init": "Flax"}))
    type = "dense"
    also = {"linear": "PyTorch", "fully_connected": "other tools", "fc": "other tools", "affine": "other tools"}


@dataclass(frozen=True)
class Activation(Layer):
    """An activation as a layer of its own. `"relu"` is short for `{ type = "activation", activation = "relu" }`."""

    activation: Optional[ActivationFunction] = field(default=None, metadata=about("the function", required=True))
    type = "activation"


@dataclass(frozen=True)
class Flatten(Layer):
    """All axes but the batch made one, row by row (channels last)."""

    type = "flatten"


@dataclass(frozen=True)
class Dropout(Layer):
    """y = x m, where m is 0 with probability `rate` and 1 / (1 - rate) otherwise; the identity in inference
    (Srivastava et al. 2014, in its inverted form). The harness draws m, the same for all arms."""

    rate: float = field(
        default=0.0,
        metadata=about(
            "share of values that are dropped", ge=0, lt=1, required=True, also={"p": "PyTorch", "prob": "other tools"}
        ),
    )
    type = "dropout"

    @property
    def scale(self) -> float:
        """What a kept value is multiplied by, a number that float32 can hold."""
        return float32(1 / (1 - self.rate))


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape behind a layer, without the batch axis.

    Raises:
        ValueError: the layer cannot take an input of that shape; the text says why.
    """
    if isinstance(layer, Dense):
        if len(shape) != 1:
            raise ValueError(f'a dense layer takes a vector, but gets {by(shape)}; put a "flatten" before it')
        return (layer.units,)
    if isinstance(layer, Flatten):
        size = 1
        for length in shape:
            size *= length
        return (size,)
    return shape


def parameters(layer: Layer, shape: Shape) -> Mapping[str, "tuple[Shape, Initializer]"]:
    """The layer's parameters, in order: short name -> (shape, initializer). `shape` is the layer's input, without batch."""
    if not isinstance(layer, Dense):
        return {}
    kernel = {"kernel": ((shape[-1], layer.units), layer.kernel_initializer)}
    return {**kernel, "bias": ((layer.units,), layer.bias_initializer)} if layer.use_bias else kernel


def by(shape: Shape) -> str:
    """A shape as people write it: `8x8`, `64`, `one number`."""
    return "x".join(str(length) for length in shape) or "one number"
