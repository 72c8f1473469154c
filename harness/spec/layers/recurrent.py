"""Recurrences over `(steps, features)`, from a state of zeros: sigma is the logistic function."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Dict, Optional

from ..fields import Call, Shape, about
from ..initializers import GlorotUniform, Initializer, Zeros
from ..native import by_units, fixed
from ..regularizers import Regularizer
from .base import Layer, Weight, need_axes
from .core import KERAS_STARTS

#: how the weights of PyTorch's recurrences start
_TORCH = dict.fromkeys(("kernel_initializer", "recurrent_initializer", "bias_initializer"), by_units)
_KERAS = {**KERAS_STARTS, "recurrent_initializer": "recurrent_initializer"}
_UNITS = about("length of the state", gt=0, required=True, also={"hidden_size": "PyTorch", "features": "Flax"})


@dataclass(frozen=True)
class Recurrent(Layer):
    """One recurrence. Kernels hold the gates side by side, in the order of the formula."""

    units: int = field(default=0, metadata=_UNITS)
    return_sequences: bool = field(default=False, metadata=about("all outputs `(steps, units)` instead of the last `(units,)`"))
    go_backwards: bool = field(
        default=False,
        metadata=about(
            "from the last step to the first; outputs stand at the steps that they belong to, and the last one is that of the first step",
            also={"reverse": "Flax"},
        ),
    )
    use_bias: bool = field(default=True, metadata=about("whether b is added", also={"bias": "PyTorch"}))
    kernel_initializer: Initializer = field(default_factory=GlorotUniform, metadata=about("how W starts"))
    recurrent_initializer: Initializer = field(
        default_factory=GlorotUniform, metadata=about("how U starts (orthogonal in Keras)")
    )
    bias_initializer: Initializer = field(default_factory=Zeros, metadata=about("how b starts"))
    kernel_regularizer: Optional[Regularizer] = field(default=None, metadata=about("penalty on W, added to the loss"))

    #: gates side by side in a kernel
    gates: ClassVar[int] = 1

    def output_shape(self, *shapes: Shape) -> Shape:
        """`(steps, units)` or `(units,)`."""
        need_axes(self, shapes[0], 2, "steps x features")
        return (shapes[0][0], self.units) if self.return_sequences else (self.units,)

    def bias_shape(self) -> Shape:
        """`(gates units,)`."""
        return (self.gates * self.units,)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """kernel `(features, gates units)`, recurrent_kernel `(units, gates units)`, bias."""
        wide = self.gates * self.units
        found = {
            "kernel": Weight((shapes[0][-1], wide), self.kernel_initializer, self.kernel_regularizer),
            "recurrent_kernel": Weight((self.units, wide), self.recurrent_initializer),
        }
        return {**found, "bias": Weight(self.bias_shape(), self.bias_initializer)} if self.use_bias else found


@dataclass(frozen=True)
class SimpleRNN(Recurrent):
    """h <- f(x W + h U + b), f tanh or relu (Elman 1990)."""

    activation: str = field(default="tanh", metadata=about("f", choices=("tanh", "relu"), also={"nonlinearity": "PyTorch"}))
    type = "simple_rnn"
    calls = {
        "torch": Call("torch.nn.RNN", note="its second bias is held at 0", native=_TORCH),
        "keras": Call("keras.layers.SimpleRNN", {"activation": "activation", **_KERAS}),
        "tensorflow": Call("tensorflow.while_loop", note="written out"),
        "jax": Call("jax.lax.scan", note="written out"),
        "flax": Call("flax.linen.SimpleCell"),
    }
    also = {"rnn": "PyTorch"}


@dataclass(frozen=True)
class LSTM(Recurrent):
    """i, f, g, o = x W + h U + b; c <- sigma(f) c + sigma(i) tanh(g); h <- sigma(o) tanh(c) (Hochreiter & Schmidhuber 1997, Gers et al.
    2000). One bias: PyTorch's second is held at 0."""

    unit_forget_bias: bool = field(
        default=False,
        metadata=about(
            "whether f's bias starts at 1 more: Keras' default, not PyTorch's or Flax'", also={"forget_bias": "TensorFlow 1"}
        ),
    )
    type = "lstm"
    calls = {
        "torch": Call("torch.nn.LSTM", note="its second bias is held at 0", native=_TORCH),
        "keras": Call("keras.layers.LSTM", {"unit_forget_bias": "unit_forget_bias", **_KERAS}),
        "tensorflow": Call("tensorflow.while_loop", note="written out"),
        "jax": Call("jax.lax.scan", note="written out"),
        "flax": Call("flax.linen.OptimizedLSTMCell"),
    }
    gates = 4


@dataclass(frozen=True)
class GRU(Recurrent):
    """z, r = sigma(x W_zr + h U_zr + b_zr), h' = tanh(x W_h + b_h + r (h U_h + c_h)) with reset_after (PyTorch, Flax, Keras' default), or
    tanh(x W_h + (r h) U_h + b_h) without (Cho et al. 2014); h <- z h + (1 - z) h'. The gates stand in the order z, r, h; with
    reset_after there are two rows of biases, b for x and c for h, both added."""

    reset_after: bool = field(
        default=True,
        metadata=about(
            "whether r acts on h U (PyTorch, cuDNN) or on h (the paper)",
            required=True,
            also={"linear_before_reset": "ONNX"},
            defaults="it is true in Keras, and the only way in PyTorch and Flax: write down which you mean",
        ),
    )
    type = "gru"
    calls = {
        "torch": Call(
            "torch.nn.GRU",
            note="its gates stand in the order r, z, h; without reset_after it is written out",
            native={**_TORCH, "reset_after": fixed(True)},
        ),
        "keras": Call("keras.layers.GRU", {"reset_after": "reset_after", **_KERAS}),
        "tensorflow": Call("tensorflow.while_loop", note="written out"),
        "jax": Call("jax.lax.scan", note="written out"),
        "flax": Call("flax.linen.GRUCell", note="two of its biases are one"),
    }
    gates = 3

    def bias_shape(self) -> Shape:
        """`(2, 3 units)` with reset_after, `(3 units,)` without."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)
