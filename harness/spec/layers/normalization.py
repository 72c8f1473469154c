"""Normalisations: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, by axes that they take mean and variance over.

Variances divide by n and are computed in two passes, from the differences to the mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Tuple

from ..fields import Call, Shape, about
from ..initializers import Initializer, Ones, Zeros
from ..native import machine_epsilon, one_less
from .base import Layer, Weight, by, need_some_axes

_EPSILON = about(
    "added to the variance", gt=0, required=True, also={"eps": "PyTorch"},
    defaults="epsilon is 1e-5 in PyTorch, 1e-3 in Keras, 1e-5 or 1e-6 in Flax: write down which you mean",
)  # fmt: skip


@dataclass(frozen=True)
class Normalization(Layer):
    """A normalisation with a learned factor gamma and a learned shift beta for each channel."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    scale: bool = field(default=True, metadata=about("whether gamma is learned", also={"use_scale": "Flax"}))
    center: bool = field(default=True, metadata=about("whether beta is learned", also={"use_bias": "Flax"}))
    gamma_initializer: Initializer = field(default_factory=Ones, metadata=about("how gamma starts", also={"scale_init": "Flax"}))
    beta_initializer: Initializer = field(default_factory=Zeros, metadata=about("how beta starts", also={"bias_init": "Flax"}))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_some_axes(self, shapes[0])
        return shapes[0]

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """gamma `(channels,)`, beta `(channels,)`."""
        channels = (shapes[0][-1],)
        gamma = {"gamma": Weight(channels, self.gamma_initializer)} if self.scale else {}
        return {**gamma, "beta": Weight(channels, self.beta_initializer)} if self.center else gamma


@dataclass(frozen=True)
class BatchNormalization(Normalization):
    """Mean and variance of each channel over the batch and all other axes; in inference the moving ones:
    moving <- momentum moving + (1 - momentum) of the batch's. The moving variance takes the batch's with n (Keras) or with n - 1
    (PyTorch) below, see the form batch_normalization.variance (Ioffe & Szegedy 2015)."""

    momentum: float = field(
        default=0.0,
        metadata=about(
            "share of the old moving value that is kept", ge=0, le=1, required=True,
            defaults="0.99 of the old is kept in Keras and Flax; PyTorch's momentum = 0.1 is the share of the new: here 0.9",
        ),
    )  # fmt: skip
    type = "batch_normalization"
    calls = {
        "torch": Call(
            "torch.nn.BatchNorm2d", {"epsilon": "eps", "momentum": "momentum"}, "momentum = 1 - momentum", {"momentum": one_less}
        ),
        "keras": Call("keras.layers.BatchNormalization", {"epsilon": "epsilon", "momentum": "momentum"}),
        "tensorflow": Call(
            "tensorflow.nn.batch_normalization", {"epsilon": "variance_epsilon"}, "moments and moving averages by hand"
        ),
        "flax": Call("flax.linen.BatchNorm", {"epsilon": "epsilon", "momentum": "momentum"}),
    }
    also = {"batch_norm": "Flax", "batchnorm": "short", "BatchNorm1d": "PyTorch", "BatchNorm2d": "PyTorch"}

    def statistics(self, *shapes: Shape) -> Dict[str, Tuple[Shape, float]]:
        """moving_mean and moving_variance, both `(channels,)`."""
        channels = (shapes[0][-1],)
        return {"moving_mean": (channels, 0.0), "moving_variance": (channels, 1.0)}


@dataclass(frozen=True)
class LayerNormalization(Normalization):
    """Mean and variance over the last axis (Ba et al. 2016)."""

    type = "layer_normalization"
    calls = {
        "torch": Call("torch.nn.LayerNorm", {"epsilon": "eps"}),
        "keras": Call("keras.layers.LayerNormalization", {"epsilon": "epsilon"}),
        "tensorflow": Call("tensorflow.nn.moments", note="then nn.batch_normalization"),
        "jax": Call("jax.numpy.mean", note="in two passes"),
        "flax": Call("flax.linen.LayerNorm", {"epsilon": "epsilon", "fast": "use_fast_variance"}, "use_fast_variance = false"),
    }
    also = {"layer_norm": "PyTorch and Flax", "layernorm": "short"}


@dataclass(frozen=True)
class GroupNormalization(Normalization):
    """Mean and variance of each group of neighbouring channels, over all places (Wu & He 2018)."""

    groups: int = field(
        default=0,
        metadata=about("number of groups: 32 in Keras and Flax", gt=0, required=True, also={"num_groups": "PyTorch and Flax"}),
    )
    type = "group_normalization"
    calls = {
        "torch": Call("torch.nn.GroupNorm", {"epsilon": "eps"}),
        "keras": Call("keras.layers.GroupNormalization", {"groups": "groups", "epsilon": "epsilon"}),
        "tensorflow": Call("tensorflow.nn.moments", note="of each group"),
        "jax": Call("jax.numpy.mean", note="in two passes"),
        "flax": Call(
            "flax.linen.GroupNorm",
            {"groups": "num_groups", "epsilon": "epsilon", "fast": "use_fast_variance"},
            "use_fast_variance = false",
        ),
    }
    also = {"group_norm": "PyTorch and Flax", "groupnorm": "short"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_some_axes(self, shapes[0])
        if shapes[0][-1] % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {shapes[0][-1]} channels")
        return shapes[0]


@dataclass(frozen=True)
class InstanceNormalization(Normalization):
    """Mean and variance of each channel over all its places (Ulyanov et al. 2016)."""

    type = "instance_normalization"
    calls = {
        "torch": Call("torch.nn.InstanceNorm2d", {"epsilon": "eps", "scale": "affine", "center": "affine"}, "affine = true"),
        "keras": Call("keras.layers.GroupNormalization", {"groups": "groups", "epsilon": "epsilon"}, "groups = -1"),
        "tensorflow": Call("tensorflow.nn.moments", note="of each channel"),
        "jax": Call("jax.numpy.mean", note="in two passes"),
        "flax": Call("flax.linen.InstanceNorm", {"epsilon": "epsilon"}),
    }
    also = {"instance_norm": "PyTorch and Flax", "InstanceNorm2d": "PyTorch"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        if len(shapes[0]) < 2:
            raise ValueError(f"an instance_normalization layer takes places x channels, but gets {by(shapes[0])}")
        return shapes[0]


@dataclass(frozen=True)
class RMSNormalization(Layer):
    """y = gamma x / sqrt(mean(x^2) + epsilon), the mean over the last axis (Zhang & Sennrich 2019)."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    scale: bool = field(default=True, metadata=about("whether gamma is learned", also={"use_scale": "Flax"}))
    gamma_initializer: Initializer = field(default_factory=Ones, metadata=about("how gamma starts", also={"scale_init": "Flax"}))
    type = "rms_normalization"
    calls = {
        "torch": Call("torch.nn.RMSNorm", {"epsilon": "eps"}, native={"epsilon": machine_epsilon}),
        "keras": Call("keras.layers.RMSNormalization", {"epsilon": "epsilon"}),
        "tensorflow": Call("tensorflow.math.rsqrt", note="of the mean square"),
        "jax": Call("jax.lax.rsqrt", note="of the mean square"),
        "flax": Call("flax.linen.RMSNorm", {"epsilon": "epsilon"}),
    }
    also = {"rms_norm": "PyTorch and Flax", "rmsnorm": "short"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_some_axes(self, shapes[0])
        return shapes[0]

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """gamma `(channels,)`."""
        return {"gamma": Weight((shapes[0][-1],), self.gamma_initializer)} if self.scale else {}
