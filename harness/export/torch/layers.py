"""Every layer's writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..draft import NotWritten
from . import activations, attention, convolution, core, merging, normalization, pooling, recurrent, resizing
from .pieces import Here, Piece

LAYERS: Mapping[str, Callable[[Here], Piece]] = {
    "dense": core.dense,
    "tied_dense": core.tied_dense,
    "embedding": core.embedding,
    "activation": activations.activation,
    "prelu": core.prelu,
    "flatten": core.flatten,
    "reshape": core.reshape,
    "permute": core.permute,
    "take": core.take,
    "add": merging.add,
    "multiply": merging.multiply,
    "average": merging.average,
    "maximum": merging.maximum,
    "concatenate": merging.concatenate,
    "dropout": merging.drawn,
    "spatial_dropout": merging.drawn,
    "gaussian_noise": merging.drawn,
    "conv1d": convolution.convolution,
    "conv2d": convolution.convolution,
    "depthwise_conv2d": convolution.depthwise,
    "conv2d_transpose": convolution.transposed,
    "max_pooling1d": pooling.max_pooling,
    "max_pooling2d": pooling.max_pooling,
    "average_pooling1d": pooling.average_pooling,
    "average_pooling2d": pooling.average_pooling,
    "global_average_pooling1d": pooling.global_average_pooling,
    "global_average_pooling2d": pooling.global_average_pooling,
    "global_max_pooling1d": pooling.global_max_pooling,
    "global_max_pooling2d": pooling.global_max_pooling,
    "up_sampling1d": resizing.up_sampling,
    "up_sampling2d": resizing.up_sampling,
    "zero_padding1d": resizing.zero_padding,
    "zero_padding2d": resizing.zero_padding,
    "cropping1d": resizing.cropping,
    "cropping2d": resizing.cropping,
    "batch_normalization": normalization.batch_normalization,
    "layer_normalization": normalization.layer_normalization,
    "group_normalization": normalization.group_normalization,
    "instance_normalization": normalization.instance_normalization,
    "rms_normalization": normalization.rms_normalization,
    "simple_rnn": recurrent.simple_rnn,
    "lstm": recurrent.lstm,
    "gru": recurrent.gru,
    "multi_head_attention": attention.multi_head_attention,
    "position_embedding": attention.position_embedding,
    "sinusoidal_positions": attention.sinusoidal_positions,
}


def piece(here: Here) -> Piece:
    """A node in a script.

    Raises:
        NotWritten: its layer is not written.
    """
    if here.layer.type not in LAYERS:
        raise NotWritten(f'"{here.node.name}": the layer "{here.layer.type}" is not written for PyTorch')
    return LAYERS[here.layer.type](here)
