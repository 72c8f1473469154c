"""Every layer's translation: from a node and the tensors of the model to a function of what the node reads.

Functions, because on small nets calling a submodule and looking its parameters up costs as much as computing it: 12 % of a step
of a 64-128-64-10 net on one core.
"""

from __future__ import annotations

from typing import Callable, Dict

from harness.spec import Node

from . import attention, convolution, core, noise, normalization, pooling, recurrent, resizing
from .tensors import Function, Tensors

LAYERS: Dict[str, Callable[[Node, Tensors], Function]] = {
    "dense": core.dense,
    "tied_dense": core.tied_dense,
    "embedding": core.embedding,
    "activation": core.activation,
    "prelu": core.prelu,
    "flatten": core.flatten,
    "reshape": core.reshape,
    "permute": core.permute,
    "take": core.take,
    "add": core.add,
    "multiply": core.multiply,
    "average": core.average,
    "maximum": core.maximum,
    "concatenate": core.concatenate,
    "dropout": noise.dropout,
    "spatial_dropout": noise.spatial_dropout,
    "gaussian_noise": noise.gaussian_noise,
    "conv1d": convolution.convolution,
    "conv2d": convolution.convolution,
    "depthwise_conv2d": convolution.convolution,
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
