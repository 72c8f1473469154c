"""Normalisations."""

from __future__ import annotations

import numpy

from .graph import CHANNELS_FIRST, Value
from .here import Here


def affine(here: Here) -> list[str]:
    """gamma and beta; ONNX wants both: ones and zeros where they are not learned."""
    channels = here.node.input_shape[-1]
    gamma = here.weight("gamma") if here.layer.scale else here.constant("ones", numpy.ones(channels))
    beta = here.weight("beta") if here.layer.center else here.constant("zeros", numpy.zeros(channels))
    return [gamma, beta]


def batch_normalization(here: Here) -> Value:
    """By the moving mean and variance."""
    moving = [here.weight("moving_mean"), here.weight("moving_variance")]
    x = here.x(CHANNELS_FIRST)
    return here.give("BatchNormalization", x, *affine(here), *moving, layout=CHANNELS_FIRST, epsilon=here.layer.epsilon)


def layer_normalization(here: Here) -> Value:
    """Over the last axis."""
    return here.give("LayerNormalization", here.x(), *affine(here), axis=-1, epsilon=here.layer.epsilon, stash_type=here.graph.type)


def group_normalization(here: Here) -> Value:
    """Over the places and channels of a group, computed in float64: onnxruntime's variance is a difference of two means, which in float32
    has three digits where the mean is 32 and the deviation 1 / 8."""
    from onnx import TensorProto

    options = {"num_groups": here.layer.groups, "epsilon": here.layer.epsilon, "stash_type": TensorProto.DOUBLE}
    return here.give("GroupNormalization", here.x(CHANNELS_FIRST), *affine(here), layout=CHANNELS_FIRST, **options)


def instance_normalization(here: Here) -> Value:
    """Over the places of a channel."""
    x = here.x(CHANNELS_FIRST)
    return here.give("InstanceNormalization", x, *affine(here), layout=CHANNELS_FIRST, epsilon=here.layer.epsilon)


def rms_normalization(here: Here) -> Value:
    """Over the last axis, the mean not taken off."""
    gamma = here.weight("gamma") if here.layer.scale else here.constant("ones", numpy.ones(here.node.input_shape[-1]))
    return here.give("RMSNormalization", here.x(), gamma, axis=-1, epsilon=here.layer.epsilon, stash_type=here.graph.type)
