"""Recurrences: PyTorch's own modules where there is one."""

from __future__ import annotations

from collections.abc import Mapping

from .pieces import Here, Piece, Weight
from .text import Part, call

#: gates r, z, n of nn.GRU from z, r, h, and back
SWAPPED = ("swapped({}.T)", "swapped({}).T")


def directed(here: Here) -> str:
    """Forwards or backwards, all outputs or the last."""
    layer = here.layer
    outputs = here.run(f"{here.last}.flip(1)" if layer.go_backwards else here.last) + "[0]"
    if not layer.return_sequences:
        return f"{outputs}[:, -1]"
    return f"{outputs}.flip(1)" if layer.go_backwards else outputs


def module(here: Here, name: str, **options: Part | None) -> str:
    """The statement that makes it."""
    bias = None if here.layer.use_bias else False
    return f"{here.own} = {call(name, here.channels, here.layer.units, **options, bias=bias)}"


def kernels(here: Here, load: str = "{}.T", back: str = "{}.T") -> Mapping[str, Weight]:
    """Both kernels."""
    return {
        "kernel": here.weight("weight_ih_l0", load, back),
        "recurrent_kernel": here.weight("weight_hh_l0", load, back),
    }


def one_bias(here: Here, name: str, **options: Part | None) -> Piece:
    """A module of two biases that are added, of which the second is held at 0."""
    modules, weights = [module(here, name, **options, batch_first=True)], kernels(here)
    if not here.layer.use_bias:
        return Piece(directed(here), modules=modules, weights=weights)
    modules.append(f"{here.own}.bias_hh_l0.requires_grad_(False)  # PyTorch's second bias stays 0")
    constants = {f"{here.name}.bias_hh_l0": f"torch.zeros({here.layer.gates * here.layer.units})"}
    return Piece(directed(here), False, modules, {**weights, "bias": here.weight("bias_ih_l0")}, constants)


def simple_rnn(here: Here) -> Piece:
    """nn.RNN."""
    return one_bias(here, "nn.RNN", nonlinearity='"relu"' if here.layer.activation == "relu" else None)


def lstm(here: Here) -> Piece:
    """nn.LSTM, whose gates stand in the same order."""
    return one_bias(here, "nn.LSTM")


def gru(here: Here) -> Piece:
    """nn.GRU, whose reset gate acts on h U; else it is written out."""
    return gru_after(here) if here.layer.reset_after else gru_before(here)


def gru_after(here: Here) -> Piece:
    """nn.GRU: gates in another order, two biases as in the file."""
    weights = dict(kernels(here, *SWAPPED))
    if here.layer.use_bias:
        both = {f"{here.name}.bias_ih_l0": "swapped({}[0])", f"{here.name}.bias_hh_l0": "swapped({}[1])"}
        weights["bias"] = Weight(both, "torch.stack([swapped({}), swapped({})])")
    return Piece(directed(here), modules=[module(here, "nn.GRU", batch_first=True)], weights=weights)


def gru_before(here: Here) -> Piece:
    """A module that scripts bring with them."""
    weights = {
        "kernel": here.weight("kernel.weight", "{}.T", "{}.T"),
        "recurrent_kernel": here.weight("recurrent.weight", "{}.T", "{}.T"),
    }
    if here.layer.use_bias:
        weights["bias"] = here.weight("kernel.bias")
    return Piece(directed(here), modules=[module(here, "GRUResetBefore")], weights=weights)
