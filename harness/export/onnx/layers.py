"""Every layer's writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..draft import NotWritten
from . import activations, attention, core, merging, normalization, recurrent, resizing, windows
from .graph import Value
from .here import Here

LAYERS: Mapping[str, Callable[[Here], Value]] = {
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
    "dropout": core.dropout,
    "spatial_dropout": core.nothing,
    "gaussian_noise": core.nothing,
    "conv1d": windows.convolution,
    "conv2d": windows.convolution,
    "depthwise_conv2d": windows.depthwise,
    "conv2d_transpose": windows.transposed,
    "max_pooling1d": windows.max_pooling,
    "max_pooling2d": windows.max_pooling,
    "average_pooling1d": windows.average_pooling,
    "average_pooling2d": windows.average_pooling,
    "global_average_pooling1d": windows.global_average_pooling,
    "global_average_pooling2d": windows.global_average_pooling,
    "global_max_pooling1d": windows.global_max_pooling,
    "global_max_pooling2d": windows.global_max_pooling,
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


def written(here: Here) -> Value:
    """A node in the graph.

    Raises:
        NotWritten: its layer is not written, or onnxruntime lacks what it needs.
    """
    if here.layer.type not in LAYERS:
        raise NotWritten(f'"{here.node.name}": the layer "{here.layer.type}" is not written for ONNX')
    return LAYERS[here.layer.type](here)
