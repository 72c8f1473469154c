"""Dense layers, activations as layers, and what only moves numbers about."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple, Union

from ..activations import ActivationFunction, LogSoftmax, Softmax
from ..fields import Call, Shape, about
from ..initializers import GlorotUniform, Initializer, RandomUniform, Zeros
from ..native import by_inputs, standard_normal
from ..regularizers import Regularizer
from .base import Layer, Weight, by, need_some_axes

_ACTIVATION = {"act": "other tools", "nonlinearity": "other tools"}
#: how the weights of PyTorch's layers with a kernel start
FROM_INPUTS = {"kernel_initializer": by_inputs, "bias_initializer": by_inputs}
#: Keras' names of how weights start
KERAS_STARTS = {"kernel_initializer": "kernel_initializer", "bias_initializer": "bias_initializer"}
_KERNEL = {"kernel_init": "Flax", "init": "other tools", "weight_init": "other tools"}


@dataclass(frozen=True)
class Activated(Layer):
    """A layer whose output may go through an activation, as a node of its own behind it."""

    activation: Optional[ActivationFunction] = field(
        default=None, metadata=about("function of the layer's output", also=_ACTIVATION)
    )


@dataclass(frozen=True)
class Affine(Activated):
    """A layer with a kernel and a bias."""

    use_bias: bool = field(default=True, metadata=about("whether b is added", also={"bias": "PyTorch"}))
    kernel_initializer: Initializer = field(default_factory=GlorotUniform, metadata=about("how W starts", also=_KERNEL))
    bias_initializer: Initializer = field(default_factory=Zeros, metadata=about("how b starts", also={"bias_init": "Flax"}))
    kernel_regularizer: Optional[Regularizer] = field(default=None, metadata=about("penalty on W, added to the loss"))

    def kernel_and_bias(
        self, shape: Shape, units: int, fans: Optional[Tuple[int, int]] = None, kernel: str = "kernel"
    ) -> Dict[str, Weight]:
        """The kernel of that shape, and a bias of so many units where there is one."""
        found = {kernel: Weight(shape, self.kernel_initializer, self.kernel_regularizer, fans)}
        return {**found, "bias": Weight((units,), self.bias_initializer)} if self.use_bias else found


@dataclass(frozen=True)
class Dense(Affine):
    """y = x W + b along the last axis, W of shape `(inputs, units)`, b of shape `(units,)`; then `activation`."""

    units: int = field(
        default=0,
        metadata=about(
            "number of outputs", gt=0, required=True,
            also={"out_features": "PyTorch", "features": "Flax", "num_outputs": "TensorFlow 1", "output_dim": "Keras 1",
                  "size": "other tools", "width": "other tools", "neurons": "other tools"},
        ),
    )  # fmt: skip
    type = "dense"
    calls = {
        "torch": Call("torch.nn.Linear", {"use_bias": "bias"}, native=FROM_INPUTS),
        "keras": Call("keras.layers.Dense", {"use_bias": "use_bias", **KERAS_STARTS}),
        "tensorflow": Call("tensorflow.matmul", note="then bias_add"),
        "jax": Call("jax.numpy.matmul", note="then + b"),
        "flax": Call("flax.linen.Dense", {"use_bias": "use_bias"}),
    }
    also = {"linear": "PyTorch", "fully_connected": "other tools", "fc": "other tools", "affine": "other tools"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The last axis becomes the units."""
        need_some_axes(self, shapes[0])
        return (*shapes[0][:-1], self.units)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """kernel `(inputs, units)`, bias `(units,)`."""
        return self.kernel_and_bias((shapes[0][-1], self.units), self.units)


@dataclass(frozen=True)
class TiedDense(Activated):
    """y = x E^T + b along the last axis, E of shape `(units, inputs)` the table of the embedding `to`: one array, learned through
    both (Press & Wolf 2017)."""

    to: str = field(default="", metadata=about("name of the embedding whose table it shares", required=True, min_length=1))
    use_bias: bool = field(default=False, metadata=about("whether b is added", also={"bias": "PyTorch"}))
    bias_initializer: Initializer = field(default_factory=Zeros, metadata=about("how b starts"))
    #: rows of the shared table; the graph fills it in
    units: int = field(default=0, metadata=about("number of outputs: the embedding's input_dim, filled in", ge=0))
    type = "tied_dense"
    calls = {
        "torch": Call("torch.nn.functional.linear", note="with the embedding's weight"),
        "keras": Call("keras.ops.matmul", note="with the embedding's table"),
        "tensorflow": Call("tensorflow.matmul", {"transpose": "transpose_b"}, "transpose_b = true"),
        "jax": Call("jax.numpy.matmul", note="with the table, transposed"),
    }
    also = {"tied_output": "other tools", "reversible_embedding": "Keras Hub"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The last axis becomes the embedding's words."""
        need_some_axes(self, shapes[0])
        return (*shapes[0][:-1], self.units)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """bias `(units,)`; the table is the embedding's."""
        return {"bias": Weight((self.units,), self.bias_initializer)} if self.use_bias else {}


@dataclass(frozen=True)
class Embedding(Layer):
    """y = E_x: whole numbers x in 0 ... input_dim - 1 become rows of a table E of shape `(input_dim, output_dim)`. The gradient of a row is
    the sum over all places where it was read."""

    input_dim: int = field(
        default=0,
        metadata=about(
            "number of words",
            gt=0,
            required=True,
            also={"num_embeddings": "PyTorch and Flax", "vocab": "other tools", "vocab_size": "other tools"},
        ),
    )
    output_dim: int = field(
        default=0,
        metadata=about(
            "length of a word's vector",
            gt=0,
            required=True,
            also={"embedding_dim": "PyTorch", "features": "Flax", "units": "other tools"},
        ),
    )
    embeddings_initializer: Initializer = field(default_factory=RandomUniform, metadata=about("how E starts", also=_KERNEL))
    embeddings_regularizer: Optional[Regularizer] = field(default=None, metadata=about("penalty on E, added to the loss"))
    type = "embedding"
    calls = {
        "torch": Call(
            "torch.nn.Embedding",
            {"padding": "padding_idx", "sparse": "sparse"},
            native={"embeddings_initializer": standard_normal},
        ),
        "keras": Call("keras.layers.Embedding", {"embeddings_initializer": "embeddings_initializer", "mask": "mask_zero"}),
        "tensorflow": Call("tensorflow.gather"),
        "jax": Call("jax.numpy.take", {"out": "mode"}),
        "flax": Call("flax.linen.Embed"),
    }

    def output_shape(self, *shapes: Shape) -> Shape:
        """One more axis."""
        return (*shapes[0], self.output_dim)

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """embeddings `(input_dim, output_dim)`."""
        shape = (self.input_dim, self.output_dim)
        return {"embeddings": Weight(shape, self.embeddings_initializer, self.embeddings_regularizer)}


@dataclass(frozen=True)
class Activation(Layer):
    """An activation as a layer of its own. `"relu"` is short for `{ type = "activation", activation = "relu" }`."""

    activation: Optional[ActivationFunction] = field(default=None, metadata=about("the function", required=True))
    type = "activation"
    calls = {
        "keras": Call("keras.layers.Activation"),
    }

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        function = self.activation
        if isinstance(function, (Softmax, LogSoftmax)) and not (1 <= function.axis <= len(shapes[0]) or function.axis == -1):
            raise ValueError(
                f"{function.type} along axis {function.axis}: there are axes 1 to {len(shapes[0])} behind the batch, and -1"
            )
        return shapes[0]


@dataclass(frozen=True)
class PRelu(Layer):
    """f(z) = z where z > 0, else alpha z, one learned alpha for each channel; the gradients at 0 are alpha for z and 0 for alpha
    (He et al. 2015)."""

    alpha_initializer: Initializer = field(default_factory=Zeros, metadata=about("how alpha starts: 0.25 in PyTorch, 0 in Keras"))
    type = "prelu"
    calls = {
        "torch": Call("torch.nn.PReLU", {"count": "num_parameters", "alpha_initializer": "init"}, "one slope a channel"),
        "keras": Call(
            "keras.layers.PReLU",
            {"alpha_initializer": "alpha_initializer", "shared": "shared_axes"},
            "shared_axes: all but the channels",
        ),
        "tensorflow": Call("tensorflow.where", note="z > 0, z, alpha z"),
        "jax": Call("jax.numpy.where", note="z > 0, z, alpha z"),
        "flax": Call("flax.linen.PReLU", {"alpha_initializer": "negative_slope_init"}, "one slope for all"),
    }

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_some_axes(self, shapes[0])
        return shapes[0]

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """alpha `(channels,)`."""
        return {"alpha": Weight((shapes[0][-1],), self.alpha_initializer)}


@dataclass(frozen=True)
class Flatten(Layer):
    """All axes but the batch made one, row by row (channels last)."""

    type = "flatten"
    calls = {
        "torch": Call("torch.flatten", {"start": "start_dim"}, "start_dim = 1, channels moved last before"),
        "keras": Call("keras.layers.Flatten"),
        "tensorflow": Call("tensorflow.reshape"),
        "jax": Call("jax.numpy.reshape"),
    }

    def output_shape(self, *shapes: Shape) -> Shape:
        """One axis."""
        return (math.prod(shapes[0]),)


@dataclass(frozen=True)
class Reshape(Layer):
    """The same numbers, row by row, in another shape."""

    target_shape: Tuple[int, ...] = field(
        default=(),
        metadata=about("the new shape, without the batch axis", required=True, min_length=1, gt=0, also={"shape": "PyTorch"}),
    )
    type = "reshape"
    calls = {
        "torch": Call("torch.reshape", note="channels moved last before"),
        "keras": Call("keras.layers.Reshape"),
        "tensorflow": Call("tensorflow.reshape"),
        "jax": Call("jax.numpy.reshape"),
    }
    also = {"view": "PyTorch", "unflatten": "PyTorch"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The target shape."""
        if math.prod(shapes[0]) != math.prod(self.target_shape):
            raise ValueError(
                f"{by(shapes[0])} has {math.prod(shapes[0])} values, {by(self.target_shape)} has {math.prod(self.target_shape)}"
            )
        return tuple(self.target_shape)


@dataclass(frozen=True)
class Permute(Layer):
    """Axes in another order: axis i of the output is axis dims[i] of the input, counted from 1 behind the batch."""

    dims: Tuple[int, ...] = field(
        default=(), metadata=about("the axes, counted from 1, in their new order", required=True, min_length=1, gt=0)
    )
    type = "permute"
    calls = {
        "torch": Call("torch.permute", note="counts the batch as axis 0"),
        "keras": Call("keras.layers.Permute"),
        "tensorflow": Call("tensorflow.transpose"),
        "jax": Call("jax.numpy.transpose"),
    }
    also = {"transpose": "JAX and TensorFlow"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's, in the new order."""
        if sorted(self.dims) != list(range(1, len(shapes[0]) + 1)):
            raise ValueError(
                f'"dims" must be {", ".join(map(str, range(1, len(shapes[0]) + 1)))} in some order, not {", ".join(map(str, self.dims))}'
            )
        return tuple(shapes[0][axis - 1] for axis in self.dims)


@dataclass(frozen=True)
class Take(Layer):
    """Some places along an axis: one number takes that axis away, a list keeps it. Negative places count from the end."""

    indices: Union[int, Tuple[int, ...]] = field(
        default=0,
        metadata=about(
            "the place, or several", required=True, min_length=1, also={"index": "other tools", "step": "other tools"}
        ),
    )
    axis: int = field(default=1, metadata=about("the axis, counted from 1 behind the batch", gt=0, also={"dim": "PyTorch"}))
    type = "take"
    calls = {
        "torch": Call("torch.index_select", note="or a slice"),
        "keras": Call("keras.ops.take", {"axis": "axis"}),
        "tensorflow": Call("tensorflow.gather", {"axis": "axis"}),
        "jax": Call("jax.numpy.take", {"axis": "axis"}, "or a slice"),
    }
    also = {"slice": "other tools", "index_select": "PyTorch"}

    def places(self, shape: Shape) -> Tuple[int, ...]:
        """The places, counted from 0.

        Raises:
            ValueError: one does not exist, or stands twice.
        """
        if self.axis > len(shape):
            raise ValueError(f"axis {self.axis}: there are axes 1 to {len(shape)} behind the batch")
        length = shape[self.axis - 1]
        chosen = (self.indices,) if isinstance(self.indices, int) else tuple(self.indices)
        for place in chosen:
            if not -length <= place < length:
                raise ValueError(f"place {place} on an axis of length {length}")
        found = tuple(place % length for place in chosen)
        if len(set(found)) < len(found):
            raise ValueError("a place is taken twice")
        return found

    def output_shape(self, *shapes: Shape) -> Shape:
        """The axis as long as there are places, or gone."""
        places = self.places(shapes[0])
        kept = () if isinstance(self.indices, int) else (len(places),)
        return (*shapes[0][: self.axis - 1], *kept, *shapes[0][self.axis :])
