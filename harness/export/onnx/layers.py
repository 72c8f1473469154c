"""Every layer's writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..draft import NotWritten
from . import activations, attention, core, merging, normalization, recurrent, resizing, windows
from .graph import Value
from .here import Here

#: type -> its writer
LAYERS: Mapping[str, Callable[[Here], Value]] = {
    # core
    "dense": core.dense, "tied_dense": core.tied_dense, "embedding": core.embedding, "prelu": core.prelu, "flatten": core.flatten,
    "reshape": core.reshape, "permute": core.permute, "take": core.take, "dropout": core.dropout, "spatial_dropout": core.nothing,
    "gaussian_noise": core.nothing, "activation": activations.activation,
    # branches
    "add": merging.add, "multiply": merging.multiply, "average": merging.average, "maximum": merging.maximum,
    "concatenate": merging.concatenate,
    # images
    **dict.fromkeys(("conv1d", "conv2d"), windows.convolution),
    "depthwise_conv2d": windows.depthwise, "conv2d_transpose": windows.transposed,
    **dict.fromkeys(("max_pooling1d", "max_pooling2d"), windows.max_pooling),
    **dict.fromkeys(("average_pooling1d", "average_pooling2d"), windows.average_pooling),
    **dict.fromkeys(("global_average_pooling1d", "global_average_pooling2d"), windows.global_average_pooling),
    **dict.fromkeys(("global_max_pooling1d", "global_max_pooling2d"), windows.global_max_pooling),
    **dict.fromkeys(("up_sampling1d", "up_sampling2d"), resizing.up_sampling),
    **dict.fromkeys(("zero_padding1d", "zero_padding2d"), resizing.zero_padding),
    **dict.fromkeys(("cropping1d", "cropping2d"), resizing.cropping),
    # normalisations
    "batch_normalization": normalization.batch_normalization, "layer_normalization": normalization.layer_normalization,
    "group_normalization": normalization.group_normalization, "instance_normalization": normalization.instance_normalization,
    "rms_normalization": normalization.rms_normalization,
    # sequences
    "simple_rnn": recurrent.simple_rnn, "lstm": recurrent.lstm, "gru": recurrent.gru,
    "multi_head_attention": attention.multi_head_attention, "position_embedding": attention.position_embedding,
    "sinusoidal_positions": attention.sinusoidal_positions,
}  # fmt: skip


def written(here: Here) -> Value:
    """A node in the graph.

    Raises:
        NotWritten: its layer is not written, or onnxruntime lacks what it needs.
    """
    if here.layer.type not in LAYERS:
        raise NotWritten(f'"{here.node.name}": the layer "{here.layer.type}" is not written for ONNX')
    return LAYERS[here.layer.type](here)
