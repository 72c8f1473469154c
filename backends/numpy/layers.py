"""Which class computes what: by type."""

from __future__ import annotations

from typing import Dict, Type

from harness.spec import Activation, Node

from . import activations, attention, convolution, core, merging, noise, normalization, pooling, recurrent, resizing
from .layer import Layer

LAYERS: Dict[str, Type[Layer]] = {
    "dense": core.Dense, "tied_dense": core.TiedDense, "embedding": core.Embedding, "flatten": core.Shape, "reshape": core.Shape,
    "permute": core.Permute, "take": core.Take,
    "conv1d": convolution.Convolution, "conv2d": convolution.Convolution, "depthwise_conv2d": convolution.DepthwiseConvolution,
    "conv2d_transpose": convolution.TransposedConvolution,
    "max_pooling1d": pooling.MaxPooling, "max_pooling2d": pooling.MaxPooling, "average_pooling1d": pooling.AveragePooling,
    "average_pooling2d": pooling.AveragePooling, "global_average_pooling1d": pooling.GlobalAveragePooling,
    "global_average_pooling2d": pooling.GlobalAveragePooling, "global_max_pooling1d": pooling.GlobalMaxPooling,
    "global_max_pooling2d": pooling.GlobalMaxPooling,
    "up_sampling1d": resizing.UpSampling, "up_sampling2d": resizing.UpSampling2D, "zero_padding1d": resizing.ZeroPadding,
    "zero_padding2d": resizing.ZeroPadding, "cropping1d": resizing.Cropping, "cropping2d": resizing.Cropping,
    "prelu": activations.PRelu,
    "batch_normalization": normalization.BatchNormalization, "layer_normalization": normalization.LayerNormalization,
    "group_normalization": normalization.GroupNormalization, "instance_normalization": normalization.InstanceNormalization,
    "rms_normalization": normalization.RMSNormalization,
    "simple_rnn": recurrent.SimpleRNN, "lstm": recurrent.LSTM, "gru": recurrent.GRU,
    "multi_head_attention": attention.MultiHeadAttention, "position_embedding": attention.PositionEmbedding,
    "sinusoidal_positions": attention.SinusoidalPositions,
    "add": merging.Add, "average": merging.Average, "multiply": merging.Multiply, "maximum": merging.Maximum,
    "concatenate": merging.Concatenate,
    "dropout": noise.Random, "spatial_dropout": noise.Random, "gaussian_noise": noise.Random,
}  # fmt: skip
ACTIVATIONS: Dict[str, Type[Layer]] = {
    "linear": activations.Identity, "step": activations.Step, "sigmoid": activations.Sigmoid, "tanh": activations.Tanh,
    "relu": activations.Relu, "relu6": activations.Relu6, "leaky_relu": activations.LeakyRelu, "elu": activations.Elu,
    "selu": activations.Selu, "gelu": activations.Gelu, "silu": activations.Silu, "softplus": activations.Softplus,
    "softsign": activations.Softsign, "hard_sigmoid": activations.HardSigmoid, "hard_silu": activations.HardSilu,
    "mish": activations.Mish, "softmax": activations.Softmax, "log_softmax": activations.LogSoftmax,
}  # fmt: skip


def layer_class(node: Node) -> Type[Layer]:
    """The class that computes a node."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return ACTIVATIONS[node.layer.activation.type]
    return LAYERS[node.layer.type]
