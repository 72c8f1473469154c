"""What is random in training and the identity in inference. The harness draws it, the same for all arms."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..fields import Call, Shape, about, float32
from .base import Layer, need_some_axes


@dataclass(frozen=True)
class Masking(Layer):
    """y = x m, where m is 0 with probability `rate` and 1 / (1 - rate) otherwise."""

    rate: float = field(
        default=0.0,
        metadata=about(
            "share of values that are dropped", ge=0, lt=1, required=True, also={"p": "PyTorch", "prob": "other tools"}
        ),
    )
    random = "mask"

    @property
    def scale(self) -> float:
        """What a kept value is multiplied by, a number that float32 can hold."""
        return float32(1 / (1 - self.rate))


@dataclass(frozen=True)
class Dropout(Masking):
    """y = x m, where m is 0 with probability `rate` and 1 / (1 - rate) otherwise; the identity in inference
    (Srivastava et al. 2014, in its inverted form). The harness draws m, the same for all arms."""

    type = "dropout"
    calls = {
        "torch": Call("torch.nn.Dropout", {"rate": "p"}, "masks of the harness in comparisons"),
        "keras": Call("keras.layers.Dropout", note="masks of the harness in comparisons"),
        "tensorflow": Call("tensorflow.nn.dropout", note="masks of the harness in comparisons"),
        "jax": Call("jax.random.bernoulli", note="masks of the harness in comparisons"),
        "flax": Call("flax.linen.Dropout"),
    }


@dataclass(frozen=True)
class SpatialDropout(Masking):
    """Dropout of whole channels: m has one number for each sample and channel (Tompson et al. 2015)."""

    type = "spatial_dropout"
    calls = {
        "torch": Call("torch.nn.Dropout2d", {"rate": "p"}),
        "keras": Call("keras.layers.SpatialDropout2D"),
        "tensorflow": Call("tensorflow.nn.dropout", note="with a noise_shape"),
        "jax": Call("jax.random.bernoulli"),
    }
    also = {"SpatialDropout1D": "Keras", "SpatialDropout2D": "Keras", "Dropout1d": "PyTorch", "Dropout2d": "PyTorch"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_some_axes(self, shapes[0])
        return shapes[0]

    def draw_shape(self, shape: Shape) -> Shape:
        """One number a channel."""
        return (*(1 for _ in shape[:-1]), shape[-1])


@dataclass(frozen=True)
class GaussianNoise(Layer):
    """y = x + n, n drawn from N(0, stddev^2); the identity in inference (Bishop 1995)."""

    stddev: float = field(default=0.0, metadata=about("standard deviation", gt=0, required=True, also={"std": "PyTorch"}))
    random = "noise"
    type = "gaussian_noise"
    calls = {
        "torch": Call("torch.randn_like"),
        "keras": Call("keras.layers.GaussianNoise"),
        "tensorflow": Call("tensorflow.random.normal"),
        "jax": Call("jax.random.normal"),
    }
