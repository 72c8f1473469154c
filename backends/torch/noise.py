"""Torch's own dropout and noise, for batches that bring none; the identity in inference."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from harness.spec import Node

from .layout import channels_first, channels_last
from .tensors import Function, Tensors


def dropout(node: Node, net: Tensors) -> Function:
    """Single values."""
    layer: Any = node.layer
    return lambda x: functional.dropout(x, layer.rate, net.training)


def spatial_dropout(node: Node, net: Tensors) -> Function:
    """Whole channels; what torch calls dropout1d, dropout2d, dropout3d is this for any number of axes."""
    layer: Any = node.layer
    return lambda x: channels_last(torch.feature_dropout(channels_first(x), layer.rate, net.training))


def gaussian_noise(node: Node, net: Tensors) -> Function:
    """Normal numbers added."""
    layer: Any = node.layer
    return lambda x: x + torch.randn_like(x) * layer.stddev if net.training else x
