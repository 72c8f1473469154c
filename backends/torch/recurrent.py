"""Recurrences: torch's own kernels where there is one, over `(rows, steps, features)` from a state of zeros.

Torch has two biases that are added; the second is held at zero where the formula has one. Called without a module, which would
register that zero as a parameter.
"""

from __future__ import annotations

from typing import Any, Callable, Tuple

import torch
from torch.nn import functional

from harness.spec import Node

from .tensors import Function, Tensors

#: from `(rows, steps, features)` to all outputs `(rows, steps, units)` and the last one `(rows, units)`
Run = Callable[[Any], Tuple[Any, Any]]


def directed(node: Node, run: Run) -> Function:
    """Forwards or backwards, all outputs or the last."""
    layer: Any = node.layer
    backwards, sequences = layer.go_backwards, layer.return_sequences

    def forward(x: Any) -> Any:
        outputs, last = run(x.flip(1) if backwards else x)
        if not sequences:
            return last
        return outputs.flip(1) if backwards else outputs

    return forward


def weights_of(node: Node, net: Tensors) -> Tuple[Any, ...]:
    """Torch's weights: both kernels, and a bias and a zero where there is one."""
    kernels, bias = (net.get(node, "kernel"), net.get(node, "recurrent_kernel")), net.get(node, "bias")
    return kernels if bias is None else (*kernels, bias, torch.zeros_like(bias, requires_grad=False))


def options(node: Node, net: Tensors) -> Tuple[Any, ...]:
    """What torch's kernels take last: has_biases, num_layers, dropout, train, bidirectional, batch_first."""
    layer: Any = node.layer
    return (layer.use_bias, 1, 0.0, True, False, True)


def simple_rnn(node: Node, net: Tensors) -> Function:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    weights, last = weights_of(node, net), options(node, net)
    kernel = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}[layer.activation]

    def run(x: Any) -> Tuple[Any, Any]:
        outputs, state = kernel(x, x.new_zeros(1, len(x), layer.units), weights, *last)
        return outputs, state[0]

    return directed(node, run)


def lstm(node: Node, net: Tensors) -> Function:
    """Gates i, f, g, o, as torch has them."""
    layer: Any = node.layer
    weights, last = weights_of(node, net), options(node, net)

    def run(x: Any) -> Tuple[Any, Any]:
        zeros = x.new_zeros(1, len(x), layer.units)
        outputs, state, _ = torch.lstm(x, (zeros, zeros), weights, *last)
        return outputs, state[0]

    return directed(node, run)


def gru(node: Node, net: Tensors) -> Function:
    """Gates r, z, n in torch (see layout); its kernels have reset_after alone, so the other is written out."""
    layer: Any = node.layer
    return directed(node, gru_after(node, net) if layer.reset_after else gru_before(node, net))


def gru_after(node: Node, net: Tensors) -> Run:
    """The reset acts on h U + c."""
    layer: Any = node.layer
    kernels, biases, last = (
        (net.get(node, "kernel"), net.get(node, "recurrent_kernel")),
        net.get(node, "bias"),
        options(node, net),
    )

    def run(x: Any) -> Tuple[Any, Any]:
        weights = kernels if biases is None else (*kernels, *biases.unbind())
        outputs, state = torch.gru(x, x.new_zeros(1, len(x), layer.units), weights, *last)
        return outputs, state[0]

    return run


def gru_before(node: Node, net: Tensors) -> Run:
    """The reset acts on h."""
    layer: Any = node.layer
    units, bias = layer.units, net.get(node, "bias")
    kernel, recurrent = net.get(node, "kernel"), net.get(node, "recurrent_kernel")

    def run(x: Any) -> Tuple[Any, Any]:
        gates, candidate = recurrent.split((2 * units, units))  # type: ignore[union-attr]
        h, outputs = x.new_zeros(len(x), units), []
        for step in functional.linear(x, kernel, bias).unbind(1):
            z, r = torch.sigmoid(step[:, : 2 * units] + functional.linear(h, gates)).chunk(2, 1)
            new = torch.tanh(step[:, 2 * units :] + functional.linear(r * h, candidate))
            h = z * h + (1 - z) * new
            outputs.append(h)
        return torch.stack(outputs, 1), h

    return run
