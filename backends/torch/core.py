"""Dense layers, tables, and what only moves numbers about; and branches made one."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch.nn import functional

from harness.spec import Node

from .activations import ACTIVATIONS
from .layout import channels_first, channels_last
from .tensors import Function, Tensors


def dense(node: Node, net: Tensors) -> Function:
    """y = x W + b."""
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    return lambda x: functional.linear(x, weight, bias)


def tied_dense(node: Node, net: Tensors) -> Function:
    """y = x E^T + b: the table lies as torch's kernels do."""
    weight, bias = net.tensors[node.table], net.get(node, "bias")
    return lambda x: functional.linear(x, weight, bias)


def embedding(node: Node, net: Tensors) -> Function:
    """Rows of a table."""
    table = net.get(node, "embeddings")
    return lambda x: functional.embedding(x, table)


def activation(node: Node, net: Tensors) -> Function:
    """A function."""
    layer: Any = node.layer
    return ACTIVATIONS[layer.activation.type](layer.activation)


def prelu(node: Node, net: Tensors) -> Function:
    """One slope a channel, which torch takes as the second axis."""
    alpha = net.get(node, "alpha")
    return lambda x: channels_last(functional.prelu(channels_first(x), alpha))


def flatten(node: Node, net: Tensors) -> Function:
    """All axes but the rows made one."""
    return lambda x: x.flatten(1)


def reshape(node: Node, net: Tensors) -> Function:
    """Another shape."""
    shape = node.output_shape
    return lambda x: x.reshape(-1, *shape)


def permute(node: Node, net: Tensors) -> Function:
    """Axes in another order, a view."""
    layer: Any = node.layer
    return lambda x: x.permute(0, *layer.dims)


def take(node: Node, net: Tensors) -> Function:
    """Places along an axis."""
    layer: Any = node.layer
    places, axis = layer.places(node.input_shape), layer.axis
    if isinstance(layer.indices, int):
        return lambda x: x.select(axis, places[0])
    indices = torch.tensor(places, device=net.device)
    return lambda x: x.index_select(axis, indices)


def add(node: Node, net: Tensors) -> Function:
    """a + b + ..."""
    return lambda *inputs: reduce(torch.add, inputs)


def multiply(node: Node, net: Tensors) -> Function:
    """a b ..."""
    return lambda *inputs: reduce(torch.mul, inputs)


def average(node: Node, net: Tensors) -> Function:
    """(a + b + ...) / count."""
    return lambda *inputs: reduce(torch.add, inputs) / len(inputs)


def larger(a: Any, b: Any) -> Any:
    """max(a, b): torch.maximum halves the gradient between equals, this gives it to the first."""
    return torch.where(a >= b, a, b)


def maximum(node: Node, net: Tensors) -> Function:
    """max(a, b, ...)."""
    return lambda *inputs: reduce(larger, inputs)


def concatenate(node: Node, net: Tensors) -> Function:
    """One behind the other."""
    layer: Any = node.layer
    axis = layer.place(node.input_shape)
    return lambda *inputs: torch.cat(inputs, axis)
