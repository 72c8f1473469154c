"""Recurrences. What is a product with the kernel of all inputs stands in the script; functions go through time and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...spec.layers import GRU
from .core import affine, affine_gradients, own
from .place import Lines, Place, call


@dataclass(frozen=True)
class Steps:
    """What the lines through time and back read and make.

    Attributes:
        z: name of the projected inputs, x W + b, in the order of the steps.
        d_states: the gradient at all states, in that order too.
        states: name of all states.
        d_z: name of the gradient at z.
    """

    z: str
    d_states: str
    states: str
    d_z: str


#: a node and its steps -> the line through time, the line back, and the gradient of its bias where that is no sum of d_z
Through = Callable[[Place, Steps], tuple[str, str, str]]


def recurrent(at: Place, through: Through) -> Lines:
    """The projection, the way through time, and what is read of the states."""
    layer = at.layer
    flip = "[:, ::-1]" if layer.go_backwards else ""
    bias = f"{at.p('bias')}[0]" if has_two_biases(at) else own(at, "bias")
    z, states, d_z = at.new("z"), at.new("states"), at.names.new(f"{at.d}_z")
    projected = affine(at.x, at.p("kernel"), bias)
    d_states = f"{at.d}{flip}" if layer.return_sequences else f"last_only({at.d}, {states})"
    forward, back, d_bias = through(at, Steps(z, d_states, states, d_z))
    read = f"{states}{flip}" if layer.return_sequences else f"{states}[:, -1]"
    gradients = affine_gradients(at, at.x, d_z, 3)
    if d_bias:
        gradients[at.full("bias")] = d_bias
    return Lines(
        (f"{z} = ({projected}){flip}" if flip else f"{z} = {projected}", forward, f"{at.y} = {read}"),
        (f"{d_z} @ {at.p('kernel')}.T",),
        gradients,
        (back, f"{d_z} = {d_z}{flip}") if flip else (back,),
    )


def has_two_biases(at: Place) -> bool:
    """Whether a gru has a bias for h U too."""
    layer = at.layer
    return isinstance(layer, GRU) and layer.reset_after and layer.use_bias


def by_states(at: Place, steps: Steps) -> tuple[str, str, str]:
    """A simple_rnn, whose states are all that is kept."""
    relu = at.layer.activation == "relu"
    kernel = at.p("recurrent_kernel")
    forward = call("simple_rnn", steps.z, kernel, *(["relu"] if relu else []))
    back = call("simple_rnn_backward", steps.d_states, kernel, steps.states, *(["relu_slope"] if relu else []))
    return f"{steps.states} = {forward}", f"{steps.d_z}, {at.g('recurrent_kernel')} = {back}", ""


def by_kept(at: Place, steps: Steps, name: str) -> tuple[str, str, str]:
    """An lstm, or a gru that resets before: each step leaves something."""
    kernel, kept = at.p("recurrent_kernel"), at.new("kept")
    back = call(f"{name}_backward", steps.d_states, kernel, kept)
    return f"{steps.states}, {kept} = {call(name, steps.z, kernel)}", f"{steps.d_z}, {at.g('recurrent_kernel')} = {back}", ""


def by_product(at: Place, steps: Steps) -> tuple[str, str, str]:
    """A gru that resets after: the product h U + c has a gradient of its own, whose sum is that of c."""
    kernel, kept, two = at.p("recurrent_kernel"), at.new("kept"), has_two_biases(at)
    d_product = at.names.new(f"{at.d}_product") if two else "_"
    forward = call("gru", steps.z, kernel, *([f"{at.p('bias')}[1]"] if two else []))
    back = call("gru_backward", steps.d_states, kernel, kept)
    return (
        f"{steps.states}, {kept} = {forward}",
        f"{steps.d_z}, {d_product}, {at.g('recurrent_kernel')} = {back}",
        f"np.stack([{steps.d_z}.sum((0, 1)), {d_product}.sum((0, 1))])" if two else "",
    )


def simple_rnn(at: Place) -> Lines:
    """h <- f(x W + b + h U)."""
    return recurrent(at, by_states)


def lstm(at: Place) -> Lines:
    """Four gates side by side."""
    return recurrent(at, lambda place, steps: by_kept(place, steps, "lstm"))


def gru(at: Place) -> Lines:
    """Three gates; r acts on h U + c, or on h."""
    if at.layer.reset_after:
        return recurrent(at, by_product)
    return recurrent(at, lambda place, steps: by_kept(place, steps, "gru_reset_before"))


#: type -> its lines
RECURRENCES: Mapping[str, Callable[[Place], Lines]] = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}
