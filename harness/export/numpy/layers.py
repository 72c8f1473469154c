"""Which function writes which layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..draft import NotWritten
from . import attention, core, images, merging, normalization
from .activations import CURVES, activation
from .place import Lines, Place
from .recurrent import RECURRENCES

#: type -> its lines
LAYERS: Mapping[str, Callable[[Place], Lines]] = {
    "dense": core.dense, "tied_dense": core.tied_dense, "embedding": core.embedding, "activation": activation, "prelu": core.prelu,
    "flatten": core.reshape, "reshape": core.reshape, "permute": core.permute, "take": core.take,
    "dropout": core.masking, "spatial_dropout": core.masking, "gaussian_noise": core.noise,
    "conv1d": images.convolution, "conv2d": images.convolution, "depthwise_conv2d": images.depthwise_convolution,
    "conv2d_transpose": images.transposed_convolution,
    "max_pooling1d": images.max_pooling, "max_pooling2d": images.max_pooling,
    "average_pooling1d": images.average_pooling, "average_pooling2d": images.average_pooling,
    "global_average_pooling1d": images.global_average_pooling, "global_average_pooling2d": images.global_average_pooling,
    "global_max_pooling1d": images.global_max_pooling, "global_max_pooling2d": images.global_max_pooling,
    "up_sampling1d": images.up_sampling, "up_sampling2d": images.up_sampling,
    "zero_padding1d": images.zero_padding, "zero_padding2d": images.zero_padding,
    "cropping1d": images.cropping, "cropping2d": images.cropping,
    "batch_normalization": normalization.batch_normalization, "layer_normalization": normalization.layer_normalization,
    "group_normalization": normalization.group_normalization, "instance_normalization": normalization.instance_normalization,
    "rms_normalization": normalization.rms_normalization,
    **RECURRENCES,
    "multi_head_attention": attention.multi_head_attention, "position_embedding": attention.position_embedding,
    "sinusoidal_positions": attention.sinusoidal_positions,
    "add": merging.add, "average": merging.average, "multiply": merging.multiply, "maximum": merging.maximum,
    "concatenate": merging.concatenate,
}  # fmt: skip


def lines(at: Place) -> Lines:
    """A node as text.

    Raises:
        NotWritten: its layer or activation is unknown here.
    """
    name = at.node.name
    if at.layer.type not in LAYERS:
        raise NotWritten(f'"{name}": the layer "{at.layer.type}" is not written for NumPy')
    if at.layer.type == "activation" and at.layer.activation.type not in CURVES:
        raise NotWritten(f'"{name}": the activation "{at.layer.activation.type}" is not written for NumPy')
    return LAYERS[at.layer.type](at)
