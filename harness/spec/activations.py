"""Activations: elementwise functions, and softmax along an axis. Each says its gradient where it has a kink."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fields import Call, Spec, about
from .native import fixed


@dataclass(frozen=True)
class ActivationFunction(Spec):
    """An elementwise function, or a softmax along an axis."""


@dataclass(frozen=True)
class Linear(ActivationFunction):
    """f(z) = z."""

    type = "linear"
    calls = {
        "torch": Call("torch.nn.Identity"),
        "keras": Call("keras.activations.linear"),
        "tensorflow": Call("tensorflow.identity"),
        "jax": Call("jax.nn.identity"),
    }
    also = {"identity": "PyTorch and JAX", "none": "short"}


@dataclass(frozen=True)
class Step(ActivationFunction):
    """f(z) = 1 where z > 0, else 0 (Rosenblatt 1958). Its gradient is zero: only the perceptron loss can train through
    it, because that loss reads z."""

    type = "step"
    calls = {
        "torch": Call("torch.heaviside", note="sign(relu(z)), which has a gradient"),
        "keras": Call("keras.ops.cast", note="of z > 0"),
        "tensorflow": Call("tensorflow.cast", note="of z > 0"),
        "jax": Call("jax.numpy.heaviside"),
    }
    also = {"heaviside": "PyTorch and NumPy", "threshold": "PyTorch", "binary": "short"}


@dataclass(frozen=True)
class Sigmoid(ActivationFunction):
    """f(z) = 1 / (1 + exp(-z))."""

    type = "sigmoid"
    calls = {
        "torch": Call("torch.sigmoid"),
        "keras": Call("keras.activations.sigmoid"),
        "tensorflow": Call("tensorflow.sigmoid"),
        "jax": Call("jax.nn.sigmoid"),
    }
    also = {"logistic": "scikit-learn", "expit": "SciPy"}


@dataclass(frozen=True)
class Tanh(ActivationFunction):
    """f(z) = tanh(z)."""

    type = "tanh"
    calls = {
        "torch": Call("torch.tanh"),
        "keras": Call("keras.activations.tanh"),
        "tensorflow": Call("tensorflow.tanh"),
        "jax": Call("jax.numpy.tanh"),
    }


@dataclass(frozen=True)
class Relu(ActivationFunction):
    """f(z) = max(z, 0); the gradient at z = 0 is 0, as in every framework's own relu."""

    type = "relu"
    calls = {
        "torch": Call("torch.relu"),
        "keras": Call("keras.activations.relu"),
        "tensorflow": Call("tensorflow.nn.relu"),
        "jax": Call("jax.nn.relu"),
    }


@dataclass(frozen=True)
class Relu6(ActivationFunction):
    """f(z) = min(max(z, 0), 6); the gradient at 0 and at 6 is 0 (Krizhevsky 2010)."""

    type = "relu6"
    calls = {
        "torch": Call("torch.nn.functional.relu6"),
        "keras": Call("keras.activations.relu6"),
        "tensorflow": Call("tensorflow.nn.relu6"),
        "jax": Call("jax.nn.relu6"),
    }


@dataclass(frozen=True)
class LeakyRelu(ActivationFunction):
    """f(z) = z where z > 0, else negative_slope z; the gradient at 0 is the slope (Maas et al. 2013)."""

    negative_slope: float = field(
        default=0.0,
        metadata=about(
            "slope where z <= 0", ge=0, required=True, also={"alpha": "Keras 2", "slope": "other tools"},
            defaults="it is 0.01 in PyTorch and JAX, 0.2 in TensorFlow, 0.3 in Keras: write down which you mean",
        ),
    )  # fmt: skip
    type = "leaky_relu"
    calls = {
        "torch": Call("torch.nn.functional.leaky_relu", {"negative_slope": "negative_slope"}),
        "keras": Call("keras.layers.LeakyReLU", {"negative_slope": "negative_slope"}),
        "tensorflow": Call("tensorflow.nn.leaky_relu", {"negative_slope": "alpha"}),
        "jax": Call(
            "jax.nn.leaky_relu",
            {"negative_slope": "negative_slope"},
            "its gradient at 0 is 1: jnp.where(z > 0, z, slope z) instead",
        ),
    }
    also = {"lrelu": "other tools"}


@dataclass(frozen=True)
class Elu(ActivationFunction):
    """f(z) = z where z > 0, else alpha (exp(z) - 1); the gradient at 0 is alpha (Clevert et al. 2016)."""

    alpha: float = field(default=1.0, metadata=about("minus the limit on the left", ge=0))
    type = "elu"
    calls = {
        "torch": Call("torch.nn.functional.elu", {"alpha": "alpha"}),
        "keras": Call("keras.activations.elu", {"alpha": "alpha"}),
        "tensorflow": Call("tensorflow.nn.elu", note="alpha is 1 there, otherwise written out"),
        "jax": Call("jax.nn.elu", {"alpha": "alpha"}),
    }


@dataclass(frozen=True)
class Selu(ActivationFunction):
    """f(z) = s z where z > 0, else s a (exp(z) - 1), s = 1.0507009873554805, a = 1.6732632423543772; the gradient at 0 is s a
    (Klambauer et al. 2017)."""

    type = "selu"
    calls = {
        "torch": Call("torch.nn.functional.selu"),
        "keras": Call("keras.activations.selu"),
        "tensorflow": Call("tensorflow.nn.selu", note="its gradient at 0 is s, not s a: written out"),
        "jax": Call("jax.nn.selu"),
    }


@dataclass(frozen=True)
class Gelu(ActivationFunction):
    """f(z) = z (1 + erf(z / sqrt(2))) / 2, or approximately z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2
    (Hendrycks & Gimpel 2016)."""

    approximate: bool = field(
        default=False,
        metadata=about(
            "the form with tanh instead of erf", required=True,
            defaults="the exact form is PyTorch's, Keras' and TensorFlow's, that with tanh JAX': write down which you mean",
        ),
    )  # fmt: skip
    type = "gelu"
    calls = {
        "torch": Call("torch.nn.functional.gelu", {"approximate": "approximate"}, native={"approximate": fixed(False)}),
        "keras": Call("keras.activations.gelu", {"approximate": "approximate"}),
        "tensorflow": Call("tensorflow.nn.gelu", {"approximate": "approximate"}, "in float64 accurate only to 5e-9: written out"),
        "jax": Call("jax.nn.gelu", {"approximate": "approximate"}),
    }


@dataclass(frozen=True)
class Silu(ActivationFunction):
    """f(z) = z / (1 + exp(-z)) (Elfwing et al. 2018)."""

    type = "silu"
    calls = {
        "torch": Call("torch.nn.functional.silu"),
        "keras": Call("keras.activations.silu"),
        "tensorflow": Call("tensorflow.nn.silu"),
        "jax": Call("jax.nn.silu"),
    }
    also = {"swish": "Keras and JAX"}


@dataclass(frozen=True)
class Softplus(ActivationFunction):
    """f(z) = log(1 + exp(z)) (Dugas et al. 2001)."""

    type = "softplus"
    calls = {
        "torch": Call(
            "torch.nn.functional.softplus",
            {"threshold": "threshold"},
            "it returns z above its threshold: a higher one in float64",
        ),
        "keras": Call("keras.activations.softplus"),
        "tensorflow": Call("tensorflow.math.softplus"),
        "jax": Call("jax.nn.softplus"),
    }


@dataclass(frozen=True)
class Softsign(ActivationFunction):
    """f(z) = z / (1 + |z|) (Bergstra et al. 2009)."""

    type = "softsign"
    calls = {
        "torch": Call("torch.nn.functional.softsign"),
        "keras": Call("keras.activations.softsign"),
        "tensorflow": Call("tensorflow.nn.softsign"),
        "jax": Call("jax.nn.soft_sign"),
    }
    also = {"soft_sign": "JAX"}


@dataclass(frozen=True)
class HardSigmoid(ActivationFunction):
    """f(z) = min(max(z + 3, 0), 6) / 6; the gradient at -3 and at 3 is 0. Keras 2 had 0.2 z + 0.5 instead of z / 6 + 0.5."""

    type = "hard_sigmoid"
    calls = {
        "torch": Call("torch.nn.functional.hardsigmoid"),
        "keras": Call("keras.activations.hard_sigmoid"),
        "tensorflow": Call("tensorflow.nn.relu6", note="relu6(z + 3) / 6"),
        "jax": Call("jax.nn.hard_sigmoid"),
    }


@dataclass(frozen=True)
class HardSilu(ActivationFunction):
    """f(z) = z min(max(z + 3, 0), 6) / 6 (Howard et al. 2019); the gradient is 0 at -3 and 1 at 3."""

    type = "hard_silu"
    calls = {
        "torch": Call("torch.nn.functional.hardswish"),
        "keras": Call("keras.activations.hard_silu"),
        "tensorflow": Call("tensorflow.nn.relu6", note="z relu6(z + 3) / 6"),
        "jax": Call("jax.nn.hard_silu"),
    }
    also = {"hardswish": "PyTorch", "hard_swish": "JAX"}


@dataclass(frozen=True)
class Mish(ActivationFunction):
    """f(z) = z tanh(log(1 + exp(z))) (Misra 2019)."""

    type = "mish"
    calls = {
        "torch": Call("torch.nn.functional.mish"),
        "keras": Call("keras.activations.mish"),
        "tensorflow": Call("tensorflow.math.softplus", note="z tanh(softplus(z))"),
        "jax": Call("jax.nn.mish"),
    }


@dataclass(frozen=True)
class Softmax(ActivationFunction):
    """f(z)_i = exp(z_i) / sum_j exp(z_j), along an axis."""

    axis: int = field(
        default=-1,
        metadata=about("axis of the sum; -1 is the last, the channels; 1 is the first behind the batch", also={"dim": "PyTorch"}),
    )
    type = "softmax"
    calls = {
        "torch": Call("torch.softmax"),
        "keras": Call("keras.activations.softmax", {"axis": "axis"}),
        "tensorflow": Call("tensorflow.nn.softmax", {"axis": "axis"}),
        "jax": Call("jax.nn.softmax", {"axis": "axis"}),
    }


@dataclass(frozen=True)
class LogSoftmax(ActivationFunction):
    """f(z)_i = z_i - log sum_j exp(z_j), along an axis."""

    axis: int = field(
        default=-1,
        metadata=about("axis of the sum; -1 is the last, the channels; 1 is the first behind the batch", also={"dim": "PyTorch"}),
    )
    type = "log_softmax"
    calls = {
        "torch": Call("torch.log_softmax"),
        "keras": Call("keras.activations.log_softmax", {"axis": "axis"}),
        "tensorflow": Call("tensorflow.nn.log_softmax", {"axis": "axis"}),
        "jax": Call("jax.nn.log_softmax", {"axis": "axis"}),
    }
