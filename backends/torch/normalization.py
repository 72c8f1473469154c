"""Normalisations. Where torch takes channels as the second axis, it gets a view."""

from __future__ import annotations

from typing import Any

import numpy
import torch
from torch.nn import functional

from harness.spec import Node

from .layout import channels_first, channels_last
from .tensors import Function, Tensors


def batch_normalization(node: Node, net: Tensors) -> Function:
    """Over the batch and all places. Torch's momentum is the share of the new value, and its moving variance divides by n - 1."""
    layer: Any = node.layer
    mean, variance = net.statistics[f"{node.name}/moving_mean"], net.statistics[f"{node.name}/moving_variance"]
    gamma, beta = net.get(node, "gamma"), net.get(node, "beta")
    share, epsilon = 1 - layer.momentum, layer.epsilon

    def forward(x: Any) -> Any:
        x = channels_first(x)
        return channels_last(functional.batch_norm(x, mean, variance, gamma, beta, net.training, share, epsilon))

    return forward


def layer_normalization(node: Node, net: Tensors) -> Function:
    """Over the last axis."""
    layer: Any = node.layer
    gamma, beta, channels = net.get(node, "gamma"), net.get(node, "beta"), node.input_shape[-1:]
    return lambda x: functional.layer_norm(x, channels, gamma, beta, layer.epsilon)


def group_normalization(node: Node, net: Tensors) -> Function:
    """Over groups of channels and all places. Torch 2.13 cannot go backward with a beta but no gamma, so there is always one. Of images
    that lie channels last it takes the variance as a difference of means, which cancels (mean 32, deviation 1 / 8: 8e-3 off; pytorch#54293
    mended the other layout alone), and its backward there crashes where no gradient is wanted: they are copied."""
    layer: Any = node.layer
    gamma, beta = net.get(node, "gamma"), net.get(node, "beta")
    if gamma is None:
        gamma = net.constant(numpy.ones(node.input_shape[-1]))

    def forward(x: Any) -> Any:
        return channels_last(functional.group_norm(channels_first(x).contiguous(), layer.groups, gamma, beta, layer.epsilon))

    return forward


def instance_normalization(node: Node, net: Tensors) -> Function:
    """Over all places. Called without torch.nn.functional, which refuses images of one place."""
    layer: Any = node.layer
    gamma, beta = net.get(node, "gamma"), net.get(node, "beta")
    cudnn = torch.backends.cudnn.enabled

    def forward(x: Any) -> Any:
        return channels_last(torch.instance_norm(channels_first(x), gamma, beta, None, None, True, 0.0, layer.epsilon, cudnn))

    return forward


def rms_normalization(node: Node, net: Tensors) -> Function:
    """Over the last axis, without a mean."""
    layer: Any = node.layer
    gamma, channels = net.get(node, "gamma"), node.input_shape[-1:]
    return lambda x: functional.rms_norm(x, channels, gamma, layer.epsilon)
