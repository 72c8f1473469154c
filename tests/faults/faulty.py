"""PyTorch's adapter with one small fault, chosen by the mode:

    python -m harness run experiments/digits-mlp.toml --backend tests/faults/faulty.py --arm faulty:dense_bf16

Each fault is what somebody who ports a model could do: another constant in a call of the framework's, a layout not turned, a formula
with another meaning. It says where it has to be found, and what has to be named as its cause; None where the cause lies outside of what
the harness asks about: there the right answer is that none was found.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch.nn import functional

import backends.torch as right
from backends.torch import activations as functions
from backends.torch import attention, convolution, core, layers, losses, optimizers, plan, pooling, recurrent
from backends.torch.layout import channels_first, channels_last
from harness.spec import Node, ProgramSpec

REQUIRES = {"torch": "torch"}
MODES: dict[str, dict[str, dict[str, str]]] = {
    "": {}, "bn_epsilon": {}, "bn_momentum": {}, "bn_biased": {}, "bn_not_updated": {}, "bn_gamma_plus_one": {}, "ln_epsilon": {},
    "ln_epsilon_outside": {}, "ln_unbiased": {}, "ln_axis": {}, "gn_groups": {}, "in_epsilon": {}, "rms_epsilon": {}, "rms_centred": {},
    "conv_padding_side": {}, "conv_flipped": {}, "conv_transposed": {}, "conv_no_bias": {}, "conv_dilation": {}, "conv_shuffled": {},
    "depthwise_order": {}, "deconv_flipped": {}, "deconv_shifted": {}, "max_pool_zeros": {}, "avg_pool_counts": {}, "avg_pool_max": {},
    "global_sum": {}, "up_nearest": {}, "up_corners": {}, "dense_transposed": {}, "dense_bf16": {}, "dense_tf32": {}, "relu_leaky": {},
    "gelu_tanh": {}, "gelu_quick": {}, "leaky_slope": {}, "elu_alpha": {}, "softmax_axis": {}, "hard_sigmoid_old": {}, "silu_detached": {},
    "prelu_shared": {}, "lstm_gates": {}, "lstm_forget": {}, "lstm_no_tanh": {}, "lstm_two_biases": {}, "gru_gates": {}, "gru_reset": {},
    "rnn_relu": {}, "rnn_backwards": {}, "rnn_state": {}, "attention_scale": {}, "attention_sees_all": {}, "attention_one_ahead": {},
    "rotary_base": {}, "rotary_pairs": {}, "grouped_heads": {}, "embedding_padding": {}, "embedding_scaled": {}, "tied_detached": {},
    "positions_shifted": {}, "sinusoids_halves": {}, "dropout_unscaled": {}, "dropout_one_bit": {}, "dropout_off": {}, "noise_variance": {},
    "concatenate_order": {}, "add_averages": {}, "residual_lost": {}, "loss_sum": {}, "no_smoothing": {}, "loss_clipped": {},
    "binary_smoothing": {}, "huber_delta": {}, "mse_half": {}, "weights_ignored": {}, "weighted_mean": {}, "kl_no_entropy": {},
    "l2_half": {}, "l2_biases": {}, "adam_hat": {}, "adam_epsilon": {}, "adam_uncorrected": {}, "adam_skipped": {}, "adamw_coupled": {},
    "decay_without_rate": {}, "sgd_no_nesterov": {}, "sgd_dampened": {}, "rmsprop_inside": {}, "rmsprop_centred": {}, "clip_each": {},
    "clip_epsilon": {}, "schedule_late": {}, "beta_2": {}, "rate_double": {}, "accumulates_sum": {}, "row_dropped": {},
    "targets_rolled": {}, "gradient_stopped": {}, "half_precision": {}, "relu_half": {}, "max_pool_shares": {}, "bn_cancels": {},
    "loss_overflows": {}, "loss_cut": {},
}  # fmt: skip
FORMS, supports, versions = right.FORMS, lambda spec, dtype, device, mode: right.supports(spec, dtype, device, ""), right.versions

Replaced = Callable[[ExitStack], None]


class Fault(NamedTuple):
    """One fault.

    Attributes:
        plant: makes the program, in a world where something is replaced.
        model: the name of the small program that has what it concerns, see tests.faults.models.
        where: a layer's type, "loss" or "optimizer": where it has to be found.
        cause: words that the named cause has to hold; None where none is to be found.
        after: changes the program when it is built.
        probe: the directed probe at which it shows, where no ordinary step shows it.
    """

    model: str
    where: str
    cause: str | None
    plant: Callable[[ExitStack], None] | None = None
    after: Callable[[Any], None] | None = None
    probe: str | None = None


FAULTS: dict[str, Fault] = {}


def planted(
    name: str, model: str, where: str, cause: str | None, plant: Any = None, after: Any = None, probe: str | None = None
) -> None:
    """Keep a fault."""
    FAULTS[name] = Fault(model, where, cause, plant, after, probe)


class Program(right.Program):
    """See above."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        fault = FAULTS.get(mode)
        with ExitStack() as world:
            if fault is not None and fault.plant is not None:
                fault.plant(world)
            super().__init__(spec, dtype, device, "")
        if fault is not None and fault.after is not None:
            fault.after(self)


# how something is replaced --------------------------------------------------------------------------------------------------


def layer(kind: str, build: Callable[[Node, Any], Any]) -> Replaced:
    """Another translation of a layer."""
    return lambda world: world.enter_context(patch.dict(layers.LAYERS, {kind: build}))


def otherwise(kind: str, **fields: Any) -> Replaced:
    """The same translation with other constants."""
    own = layers.LAYERS[kind]
    return layer(kind, lambda node, net: own(dataclasses.replace(node, layer=dataclasses.replace(node.layer, **fields)), net))


def wrapped(kind: str, change: Callable[..., Any]) -> Replaced:
    """The same translation, and something done with what it reads and gives: `change(own function, *inputs)`."""
    own = layers.LAYERS[kind]

    def build(node: Node, net: Any) -> Any:
        function = own(node, net)
        return lambda *inputs: change(function, *inputs)

    return layer(kind, build)


def activation(kind: str, function: Callable[[Any], Any]) -> Replaced:
    """Another function under an activation's name."""
    return lambda world: world.enter_context(patch.dict(functions.ACTIVATIONS, {kind: lambda spec: function}))


def term(kind: str, build: Callable[[Any], Any]) -> Replaced:
    """Another loss."""
    return lambda world: world.enter_context(patch.dict(losses.LOSSES, {kind: build}))


def parameter(kind: str, short: str, turn: Callable[[Any], Any]) -> Replaced:
    """A parameter that is read in another layout: `turn` makes of torch's tensor what the layer computes with."""
    own = layers.LAYERS[kind]

    def build(node: Node, net: Any) -> Any:
        tensor = net.tensors[f"{node.name}/{short}"]

        class Turned:
            """The tensors, one of them turned."""

            def __getattr__(self, name: str) -> Any:
                return getattr(net, name)

            def get(self, node: Node, name: str) -> Any:
                """A parameter."""
                return turn(tensor) if name == short else net.get(node, name)

        return lambda *inputs: own(node, Turned())(*inputs)  # type: ignore[arg-type]  # noqa: PLW0108 - anew at every call

    return layer(kind, build)


def optimizer(kind: str, **fields: Any) -> Replaced:
    """Torch's optimizer of a spec with other constants."""
    own = optimizers.OPTIMIZERS[kind]
    return lambda world: world.enter_context(
        patch.dict(optimizers.OPTIMIZERS, {kind: lambda spec, parameters: own(dataclasses.replace(spec, **fields), parameters)})
    )


def update(change: Callable[[Any], None]) -> Callable[[Any], None]:
    """Something done before every update, with torch's optimizer."""

    def after(program: Any) -> None:
        program.update.parts.insert(0, lambda: change(program.update))

    return after


# normalisations -------------------------------------------------------------------------------------------------------------

planted("bn_epsilon", "cnn", "batch_normalization", "epsilon 0.01", otherwise("batch_normalization", epsilon=1e-2))
planted("bn_momentum", "cnn", "batch_normalization", "momentum", otherwise("batch_normalization", momentum=0.25))
planted("ln_epsilon", "transformer", "layer_normalization", "epsilon 1e-05", otherwise("layer_normalization", epsilon=1e-5))
planted("gn_groups", "norms", "group_normalization", "groups", otherwise("group_normalization", groups=2))
planted("in_epsilon", "norms", "instance_normalization", "epsilon 0.001", otherwise("instance_normalization", epsilon=1e-3))
planted("rms_epsilon", "norms", "rms_normalization", "epsilon 1e-06", otherwise("rms_normalization", epsilon=1e-6))


def moved(node: Node, net: Any, update: bool) -> Any:
    """Batch normalisation whose moving numbers are moved by hand: the biased variance, or nothing at all."""
    spec: Any = node.layer
    mean, variance = (net.statistics[f"{node.name}/moving_{name}"] for name in ("mean", "variance"))
    gamma, beta, share = net.get(node, "gamma"), net.get(node, "beta"), 1 - spec.momentum

    def forward(x: Any) -> Any:
        if net.training and update:
            with torch.no_grad():
                rows = x.flatten(0, -2)
                mean.lerp_(rows.mean(0), share)
                variance.lerp_(rows.var(0, unbiased=False), share)
        old = (None, None) if net.training else (mean, variance)
        y = functional.batch_norm(channels_first(x), old[0], old[1], gamma, beta, net.training, 0.0, spec.epsilon)
        return channels_last(y)

    return forward


planted("bn_biased", "cnn", "batch_normalization", "biased", layer("batch_normalization", lambda n, t: moved(n, t, True)))
planted("bn_not_updated", "cnn", "batch_normalization", "nothing", layer("batch_normalization", lambda n, t: moved(n, t, False)))


def plus_one(own: Any, x: Any) -> Any:
    """(1 + gamma) h + beta, as some checkpoints want it."""
    return own(x) + (x - x.mean((0, 1, 2))) / (x.var((0, 1, 2), unbiased=False) + 1e-3).sqrt()


planted("bn_gamma_plus_one", "cnn", "batch_normalization", None, wrapped("batch_normalization", plus_one))


def layer_norm(outside: bool, unbiased: bool, axis: int = -1) -> Any:
    """By hand, with a mistake."""

    def build(node: Node, net: Any) -> Any:
        gamma, beta, epsilon = net.get(node, "gamma"), net.get(node, "beta"), node.layer.epsilon  # type: ignore[attr-defined]

        def forward(x: Any) -> Any:
            mean, variance = x.mean(axis, keepdim=True), x.var(axis, keepdim=True, unbiased=unbiased)
            root = variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt()
            return (x - mean) / root * gamma + beta

        return forward

    return layer("layer_normalization", build)


planted("ln_epsilon_outside", "transformer", "layer_normalization", None, layer_norm(True, False))
planted("ln_unbiased", "transformer", "layer_normalization", "unbiased", layer_norm(False, True))
planted("ln_axis", "transformer", "layer_normalization", None, layer_norm(False, False, 1))
planted(
    "rms_centred",
    "norms",
    "rms_normalization",
    None,
    wrapped("rms_normalization", lambda own, x: own(x - x.mean(-1, keepdim=True))),
)

# convolutions and pooling ---------------------------------------------------------------------------------------------------


def other_side(node: Node, net: Any) -> Any:
    """The odd zero in front."""
    spec: Any = node.layer
    pads = tuple(length for before, behind in spec.pads(node.input_shape) for length in (behind, before))
    return convolution.convolution(dataclasses.replace(node, layer=dataclasses.replace(spec, padding=pads)), net)


planted("conv_padding_side", "cnn", "conv2d", "padding", layer("conv2d", other_side))
planted("conv_flipped", "cnn", "conv2d", "flipped", parameter("conv2d", "kernel", lambda w: w.flip(2, 3)))
planted("conv_transposed", "cnn", "conv2d", "transposed", parameter("conv2d", "kernel", lambda w: w.transpose(2, 3)))
planted("conv_no_bias", "cnn", "conv2d", "bias", parameter("conv2d", "bias", lambda b: b * 0))
planted("conv_dilation", "images", "conv2d", "dilation_rate", otherwise("conv2d", dilation_rate=1))
planted("conv_shuffled", "images", "conv2d", None, wrapped("conv2d", lambda own, x: own(x)[..., [1, 0, *range(2, 6)]]))
planted(
    "depthwise_order", "cnn", "depthwise_conv2d", None,
    wrapped("depthwise_conv2d", lambda own, x: own(x).unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)),
)  # fmt: skip
planted(
    "deconv_flipped", "images", "conv2d_transpose", "flipped", parameter("conv2d_transpose", "kernel", lambda w: w.flip(2, 3))
)
planted("deconv_shifted", "images", "conv2d_transpose", None, wrapped("conv2d_transpose", lambda own, x: own(x).roll(1, 1)))


def padded_by_zeros(node: Node, net: Any) -> Any:
    """Zeros around, which are larger than what is negative."""
    spec: Any = node.layer
    (top, bottom), (left, right_) = spec.pads(node.input_shape)

    def forward(x: Any) -> Any:
        x = functional.pad(channels_first(x), (left, right_, top, bottom))
        return channels_last(functional.max_pool2d(x, spec.window, spec.stride))

    return forward


planted("max_pool_zeros", "images", "max_pooling2d", None, layer("max_pooling2d", padded_by_zeros))
planted("avg_pool_counts", "images", "average_pooling2d", "count_padding", otherwise("average_pooling2d", count_padding=True))
planted("avg_pool_max", "images", "average_pooling2d", "max_pooling2d", layer("average_pooling2d", pooling.max_pooling))
planted(
    "global_sum", "cnn", "global_average_pooling2d", "factor",
    layer("global_average_pooling2d", lambda node, net: lambda x: x.sum((1, 2))),
)  # fmt: skip
planted("up_nearest", "images", "up_sampling2d", "interpolation", otherwise("up_sampling2d", interpolation="nearest"))
planted(
    "up_corners", "images", "up_sampling2d", None,
    layer("up_sampling2d", lambda node, net: lambda x: channels_last(
        functional.interpolate(channels_first(x), scale_factor=2.0, mode="bilinear", align_corners=True))),
)  # fmt: skip

# dense layers and activations -----------------------------------------------------------------------------------------------

planted(
    "dense_transposed",
    "mlp",
    "dense",
    "transposed",
    parameter("dense", "kernel", lambda w: w.T if w.shape[0] == w.shape[1] else w),
)


def rounded(bits: int) -> Any:
    """x with so many bits of mantissa, the gradient as if nothing had been done."""

    def function(x: Any) -> Any:
        factor = 2.0 ** (24 - bits) + 1 if x.dtype == torch.float32 else 2.0 ** (53 - bits) + 1
        high = x.detach() * factor
        return x + ((high - (high - x.detach())) - x.detach())

    return function


def reduced(bits: int) -> Replaced:
    """Dense layers whose factors are rounded."""
    cut = rounded(bits)

    def build(node: Node, net: Any) -> Any:
        weight, bias = net.get(node, "kernel"), net.get(node, "bias")
        return lambda x: functional.linear(cut(x), cut(weight), bias)

    return layer("dense", build)


planted("dense_bf16", "mlp", "dense", "8 bits", reduced(8))
planted("dense_tf32", "mlp", "dense", "11 bits", reduced(11))
planted("relu_leaky", "mlp", "activation", "leaky_relu", activation("relu", lambda x: functional.leaky_relu(x, 0.01)))
planted("gelu_tanh", "mlp", "activation", "approximate", activation("gelu", lambda x: functional.gelu(x, approximate="tanh")))
planted("gelu_quick", "mlp", "activation", None, activation("gelu", lambda x: x * torch.sigmoid(1.702 * x)))
planted(
    "leaky_slope",
    "activations",
    "activation",
    "negative_slope",
    activation("leaky_relu", lambda x: functional.leaky_relu(x, 0.2)),
)
planted("elu_alpha", "activations", "activation", "alpha", activation("elu", functional.elu))
planted("softmax_axis", "activations", "activation", "axis", activation("softmax", lambda x: torch.softmax(x, 1)))
planted("hard_sigmoid_old", "activations", "activation", None, activation("hard_sigmoid", lambda x: (0.2 * x + 0.5).clamp(0, 1)))
planted("silu_detached", "activations", "activation", None, activation("silu", lambda x: x * torch.sigmoid(x).detach()))
planted(
    "prelu_shared", "activations", "prelu", None,
    layer("prelu", lambda node, net: lambda x: functional.prelu(channels_first(x), net.get(node, "alpha").mean()[None]).movedim(1, -1)),
)  # fmt: skip

# recurrences ----------------------------------------------------------------------------------------------------------------


def gates(order: list[int]) -> Callable[[Any], Any]:
    """Gates in another order: they stand one behind the other on the first axis of torch's kernels, on the last of biases."""

    def turn(w: Any) -> Any:
        axis = 0 if w.shape[0] % len(order) == 0 else -1
        return torch.cat([w.chunk(len(order), axis)[gate] for gate in order], axis)

    return turn


def all_of(kind: str, shorts: list[str], turn: Callable[[Any], Any]) -> Replaced:
    """Several parameters turned."""
    own = layers.LAYERS[kind]

    def build(node: Node, net: Any) -> Any:
        class Turned:
            """The tensors, some of them turned."""

            def __getattr__(self, name: str) -> Any:
                return getattr(net, name)

            def get(self, node: Node, name: str) -> Any:
                """A parameter."""
                tensor = net.get(node, name)
                return turn(tensor) if name in shorts else tensor

        return lambda *inputs: own(node, Turned())(*inputs)  # type: ignore[arg-type]  # noqa: PLW0108 - anew at every call

    return layer(kind, build)


EVERY = ["kernel", "recurrent_kernel", "bias"]
planted("lstm_gates", "rnn", "lstm", "gates", all_of("lstm", EVERY, gates([1, 0, 2, 3])))


def more_to_forget(b: Any) -> Any:
    """1 more on the forget gate at every step, as if the bias had not held it yet."""
    return b + torch.cat([torch.full_like(part, float(gate == 1)) for gate, part in enumerate(b.detach().chunk(4))])


planted("lstm_forget", "rnn", "lstm", "forget", parameter("lstm", "bias", more_to_forget))


def lstm_by_hand(node: Node, net: Any) -> Any:
    """h = s(o) c, without the tanh."""
    kernel, recurrent_kernel, bias = (net.get(node, name) for name in EVERY)

    def forward(x: Any) -> Any:
        h = c = x.new_zeros(len(x), recurrent_kernel.shape[1])
        for step in x.unbind(1):
            i, f, g, o = (functional.linear(step, kernel, bias) + functional.linear(h, recurrent_kernel)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * c
        return h

    return forward


planted("lstm_no_tanh", "rnn", "lstm", None, layer("lstm", lstm_by_hand))


def learning_twice(b: Any) -> Any:
    """b + b - b, the last held: the gradient at b counts twice, as where both of torch's biases learn."""
    return 2 * b - b.detach()


planted("lstm_two_biases", "rnn", "lstm", "factor 2", parameter("lstm", "bias", learning_twice))
planted("gru_gates", "rnn", "gru", "gates", all_of("gru", EVERY, gates([1, 0, 2])))


def reset_before(node: Node, net: Any) -> Any:
    """The reset acts on h, not on h U."""
    kernel, recurrent_kernel = net.get(node, "kernel"), net.get(node, "recurrent_kernel")
    spec: Any = node.layer

    def forward(x: Any) -> Any:
        h, outputs = x.new_zeros(len(x), spec.units), []
        for step in (x.flip(1) if spec.go_backwards else x).unbind(1):
            (r, z, n), (ur, uz, un) = functional.linear(step, kernel).chunk(3, 1), recurrent_kernel.chunk(3)
            r, z = torch.sigmoid(r + h @ ur.T), torch.sigmoid(z + h @ uz.T)
            h = z * h + (1 - z) * torch.tanh(n + (r * h) @ un.T)
            outputs.append(h)
        found = torch.stack(outputs, 1)
        return (found.flip(1) if spec.go_backwards else found) if spec.return_sequences else h

    return forward


planted("gru_reset", "gru", "gru", "reset_after", layer("gru", reset_before))
planted("rnn_relu", "gru", "simple_rnn", "relu", otherwise("simple_rnn", activation="relu"))


def not_turned_back(node: Node, net: Any) -> Any:
    """The outputs of the way back stand in its own order."""
    own, spec = recurrent.gru(node, net), node.layer
    return lambda x: own(x).flip(1) if spec.go_backwards else own(x)  # type: ignore[attr-defined]


planted("rnn_backwards", "rnn", "gru", None, layer("gru", not_turned_back))


def state_of_tenths(node: Node, net: Any) -> Any:
    """The first state is 0.1."""
    kernel, recurrent_kernel, bias = (net.get(node, name) for name in EVERY)

    def forward(x: Any) -> Any:
        h, outputs = x.new_full((len(x), recurrent_kernel.shape[0]), 0.1), []
        for step in x.unbind(1):
            h = torch.tanh(functional.linear(step, kernel, bias) + functional.linear(h, recurrent_kernel))
            outputs.append(h)
        return torch.stack(outputs, 1)

    return forward


planted("rnn_state", "gru", "simple_rnn", None, layer("simple_rnn", state_of_tenths))

# attention, tables, positions -----------------------------------------------------------------------------------------------


def attended(**options: Any) -> Replaced:
    """Another call of torch's attention."""
    own = functional.scaled_dot_product_attention

    def plant(world: ExitStack) -> None:
        kind = layers.LAYERS["multi_head_attention"]

        def build(node: Node, net: Any) -> Any:
            function = kind(node, net)

            def forward(*inputs: Any) -> Any:
                def call(q: Any, k: Any, v: Any, **given: Any) -> Any:
                    more = {name: value(q, k) if callable(value) else value for name, value in options.items()}
                    return own(q, k, v, **{**given, **more})

                with patch.object(functional, "scaled_dot_product_attention", call):
                    return function(*inputs)

            return forward

        world.enter_context(patch.dict(layers.LAYERS, {"multi_head_attention": build}))

    return plant


def one_ahead(q: Any, k: Any) -> Any:
    """Each step sees the one behind it too."""
    return torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril(1)


planted("attention_scale", "transformer", "multi_head_attention", "scale", attended(scale=1.0))
planted("attention_sees_all", "transformer", "multi_head_attention", "causal", otherwise("multi_head_attention", causal=False))
planted("attention_one_ahead", "transformer", "multi_head_attention", None, attended(is_causal=False, attn_mask=one_ahead))
planted("rotary_base", "rotary", "multi_head_attention", "rotary_base", otherwise("multi_head_attention", rotary_base=500000.0))


def neighbours(node: Node, net: Any) -> Any:
    """Pairs of neighbours are turned, not of halves."""
    own = attention.rotary(node, net)

    def turn(x: Any) -> Any:
        halves = torch.cat((x[..., 0::2], x[..., 1::2]), -1)
        left, right_ = own(halves).chunk(2, -1)
        return torch.stack((left, right_), -1).flatten(-2)

    return turn


def with_rotary(change: Any) -> Replaced:
    """Other turns."""
    kind = layers.LAYERS["multi_head_attention"]

    def build(node: Node, net: Any) -> Any:
        turn = change(node, net)
        with patch.object(attention, "rotary", lambda node, net: turn):
            return kind(node, net)

    return layer("multi_head_attention", build)


planted("rotary_pairs", "rotary", "multi_head_attention", None, with_rotary(neighbours))


def tiled(node: Node, net: Any) -> Any:
    """Heads of k and v in turn, not each several times."""
    own = functional.scaled_dot_product_attention
    function = attention.multi_head_attention(node, net)

    def call(q: Any, k: Any, v: Any, **given: Any) -> Any:
        times = q.shape[1] // k.shape[1]
        return own(q, k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1), **{**given, "enable_gqa": False})

    def forward(*inputs: Any) -> Any:
        with patch.object(functional, "scaled_dot_product_attention", call):
            return function(*inputs)

    return forward


planted("grouped_heads", "rotary", "multi_head_attention", None, layer("multi_head_attention", tiled))


def without_padding(node: Node, net: Any) -> Any:
    """Word 0 is padding: its row does not learn."""
    table = net.get(node, "embeddings")
    return lambda x: functional.embedding(x, table, padding_idx=0)


planted("embedding_padding", "transformer", "embedding", None, layer("embedding", without_padding))
planted("embedding_scaled", "transformer", "embedding", "factor", wrapped("embedding", lambda own, x: own(x) * math.sqrt(8)))


def detached(node: Node, net: Any) -> Any:
    """The shared table learns from the words alone."""
    weight, bias = net.tensors[node.table], net.get(node, "bias")
    return lambda x: functional.linear(x, weight.detach(), bias)


planted("tied_detached", "transformer", "tied_dense", None, layer("tied_dense", detached))
planted(
    "positions_shifted",
    "rotary",
    "position_embedding",
    None,
    parameter("position_embedding", "embeddings", lambda w: w.roll(1, 0)),
)


def in_halves(node: Node, net: Any) -> Any:
    """All sines, then all cosines."""
    own = attention.sinusoidal_positions(node, net)

    def forward(x: Any) -> Any:
        table = own(torch.zeros_like(x))
        return x + torch.cat((table[..., 0::2], table[..., 1::2]), -1)

    return forward


planted("sinusoids_halves", "transformer", "sinusoidal_positions", None, layer("sinusoidal_positions", in_halves))

# what is drawn, branches ----------------------------------------------------------------------------------------------------


def drawing(kind: str, change: Callable[[Node, Any, Any], Any]) -> Callable[[Any], None]:
    """Something else is made of what a node draws."""

    def after(program: Any) -> None:
        net, spec = program.net, program.spec
        calls = [
            dataclasses.replace(call, function=lambda x, draw, node=node: change(node, x, draw))
            if node.layer.type == kind
            else call
            for node, call in zip(spec.nodes, net.calls, strict=False)
        ]
        net.calls = calls
        net.given = plan.Plan([*calls[: spec.loss_node + 1], net.loss], net.batch, [right.model.LOSS])

    return after


planted("dropout_unscaled", "mlp", "dropout", "scaled", None, drawing("dropout", lambda node, x, m: x * (m > 0)))
planted("dropout_off", "mlp", "dropout", "no mask", None, drawing("dropout", lambda node, x, m: x))


def one_bit(node: Node, x: Any, mask: Any) -> Any:
    """One unit of one row is kept that should not be, or not kept that should."""
    flipped = mask.clone()
    flipped.view(-1)[5] = node.layer.scale - flipped.view(-1)[5]  # type: ignore[attr-defined]
    return x * flipped


planted("dropout_one_bit", "mlp", "dropout", None, None, drawing("dropout", one_bit))
planted(
    "noise_variance",
    "images",
    "gaussian_noise",
    "noise",
    None,
    drawing("gaussian_noise", lambda node, x, n: x + n / 2),
)
planted("concatenate_order", "branches", "concatenate", None, wrapped("concatenate", lambda own, a, b: own(b, a)))
planted("add_averages", "branches", "add", "average", layer("add", core.average))
planted("residual_lost", "branches", "multiply", None, layer("multiply", lambda node, net: lambda a, b: b))

# losses ---------------------------------------------------------------------------------------------------------------------


def whole_loss(change: Callable[[ProgramSpec], ProgramSpec]) -> Replaced:
    """The loss of another spec."""

    def plant(world: ExitStack) -> None:
        own = losses.loss_function
        world.enter_context(patch.object(right.model, "loss_function", lambda spec: own(change(spec))))

    return plant


def spec_of_loss(**fields: Any) -> Replaced:
    """The loss with other constants."""
    return whole_loss(lambda spec: dataclasses.replace(spec, loss=dataclasses.replace(spec.loss, **fields)))


planted("loss_sum", "mlp", "loss", "sum", spec_of_loss(reduction="sum"))
planted("no_smoothing", "smoothed", "loss", "label_smoothing", spec_of_loss(label_smoothing=0.0))


def clipped_probabilities(spec: Any) -> Any:
    """From probabilities that are cut at 1e-3."""

    def terms(z: Any, y: Any, reduction: str) -> Any:
        p = torch.softmax(z, -1).clamp(1e-3, 1 - 1e-3)
        found = -torch.log(p.gather(-1, y[..., None])[..., 0])
        return found if reduction == "none" else found.mean() if reduction == "mean" else found.sum()

    return terms


planted("loss_clipped", "mlp", "loss", None, term("softmax_cross_entropy", clipped_probabilities))
planted(
    "binary_smoothing", "binary", "loss", None,
    term("binary_cross_entropy", lambda spec: lambda z, y, reduction: losses.cross_entropy_of_logits(z, y * (1 - 0.125), reduction)),
)  # fmt: skip
planted("huber_delta", "huber", "loss", "delta", spec_of_loss(delta=1.0))
planted(
    "mse_half",
    "regression",
    "loss",
    "factor 0.5",
    term("mse", lambda spec: lambda z, y, r: losses.mean_squared_error(z, y, r) / 2),
)


def unweighted(spec: ProgramSpec) -> Any:
    """The weights are not looked at."""
    own = losses.loss_function(dataclasses.replace(spec, weighted=False))
    return lambda z, y, w: own(z, y)


def ignoring(world: ExitStack) -> None:
    """The weights are not looked at."""
    world.enter_context(patch.object(right.model, "loss_function", unweighted))


planted("weights_ignored", "weighted", "loss", "weights", ignoring)
planted("weighted_mean", "weighted", "loss", "weighted_mean", spec_of_loss(reduction="weighted_mean"))
planted(
    "kl_no_entropy", "kl", "loss", None,
    term("kl_divergence", lambda spec: lambda z, y, reduction: -(y * z).sum(-1).mean()),
)  # fmt: skip


def other_penalties(change: Callable[[Any], dict[str, Any]]) -> Replaced:
    """Other penalties."""

    def plant(world: ExitStack) -> None:
        own = right.model.Net.penalised

        def penalised(self: Any, loss: Any) -> Any:
            self.penalties = change(self)
            return own(self, loss)

        world.enter_context(patch.object(right.model.Net, "penalised", penalised))

    return plant


planted(
    "l2_half",
    "regression",
    "loss",
    "penalty",
    other_penalties(lambda net: {k: (a / 2, b / 2) for k, (a, b) in net.penalties.items()}),
)
planted(
    "l2_biases", "regression", "loss", None,
    other_penalties(lambda net: {**net.penalties, **{name: (0.0, 0.03125) for name in net.tensors if name.endswith("bias")}}),
)  # fmt: skip

# optimizers -----------------------------------------------------------------------------------------------------------------


def hat(spec: Any, parameters: list[Any]) -> Any:
    """Epsilon beside the uncorrected root."""
    own = optimizers.adam(spec, parameters)
    step = own.step

    def changed() -> None:
        count = float(next(iter(own.state.values()))["step"]) + 1
        own.param_groups[0]["eps"] = spec.epsilon / math.sqrt(1 - spec.beta_2**count)
        step()

    own.step = changed
    return own


def replaced(kind: str, build: Callable[[Any, list[Any]], Any]) -> Replaced:
    """Another optimizer."""
    return lambda world: world.enter_context(patch.dict(optimizers.OPTIMIZERS, {kind: build}))


planted("adam_hat", "adam", "optimizer", "hat", replaced("adam", hat))
planted("adam_epsilon", "adam", "optimizer", "epsilon", optimizer("adam", epsilon=1e-7))
planted("beta_2", "adam", "optimizer", "beta_2", optimizer("adam", beta_2=0.99))
planted("rate_double", "adam", "optimizer", "learning_rate", optimizer("adam", learning_rate=0.03125))


def uncorrected(spec: Any, parameters: list[Any]) -> Any:
    """As if the moments had not started at zero."""
    own = optimizers.adam(spec, parameters)
    step = own.step

    def changed() -> None:
        for state in own.state.values():
            state["step"] += 10**6
        step()
        for state in own.state.values():
            state["step"] -= 10**6

    own.step = changed
    return own


planted("adam_uncorrected", "adam", "optimizer", "correction", replaced("adam", uncorrected))


def lazy(spec: Any, parameters: list[Any]) -> Any:
    """Nothing at all."""
    own = optimizers.adam(spec, parameters)
    own.step = lambda: None
    return own


planted("adam_skipped", "adam", "optimizer", "nothing", replaced("adam", lazy))
planted("adamw_coupled", "adamw", "optimizer", "coupled", optimizer("adamw", decoupled=False))


def shrinking(change: Any) -> None:
    """Decay without the learning rate, on top of nothing."""
    with torch.no_grad():
        torch._foreach_mul_(change.parameters, 1 - change.spec.weight_decay)


planted("decay_without_rate", "adamw", "optimizer", None, optimizer("adamw", weight_decay=0.0), update(shrinking))
planted("sgd_no_nesterov", "nesterov", "optimizer", "nesterov", optimizer("sgd", nesterov=False))


def dampened(spec: Any, parameters: list[Any]) -> Any:
    """v <- m v + (1 - m) g."""
    return torch.optim.SGD(parameters, spec.learning_rate, momentum=spec.momentum, dampening=spec.momentum)


planted("sgd_dampened", "momentum", "optimizer", None, replaced("sgd", dampened))


class InsideRoot(torch.optim.RMSprop):
    """Epsilon inside the root."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """See above."""
        group = self.param_groups[0]
        for p in group["params"]:
            square = self.state[p]["square_avg"]
            square.mul_(group["alpha"]).addcmul_(p.grad, p.grad, value=1 - group["alpha"])
            p.sub_(group["lr"] * p.grad / (square + group["eps"]).sqrt())


def inside(spec: Any, parameters: list[Any]) -> Any:
    """Of a spec."""
    return InsideRoot(parameters, spec.learning_rate, alpha=spec.rho, eps=spec.epsilon)


planted("rmsprop_inside", "rmsprop", "optimizer", "inside", replaced("rmsprop", inside))


class Centred(InsideRoot):
    """The square of the gradient is taken off the mean square."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """See above."""
        group = self.param_groups[0]
        for p in group["params"]:
            square = self.state[p]["square_avg"]
            square.mul_(group["alpha"]).addcmul_(p.grad, p.grad, value=1 - group["alpha"])
            p.sub_(group["lr"] * p.grad / ((square - (0.1 * p.grad) ** 2).clamp(min=0).sqrt() + group["eps"]))


planted(
    "rmsprop_centred", "rmsprop", "optimizer", None,
    replaced("rmsprop", lambda spec, parameters: Centred(parameters, spec.learning_rate, alpha=spec.rho, eps=spec.epsilon)),
)  # fmt: skip


def clips_each(program: Any) -> None:
    """Each gradient's norm, not that of all."""
    change = program.update
    change.spec = dataclasses.replace(change.spec, clip_norm=change.spec.global_clip_norm, global_clip_norm=None)
    change.parts = change.in_order()


planted("clip_each", "clipped", "optimizer", "clip_norm", None, clips_each)


def clips_with_epsilon(program: Any) -> None:
    """Torch's own clipping, which adds 1e-6 to the norm."""
    change = program.update

    def clip() -> None:
        torch.nn.utils.clip_grad_norm_(change.parameters, change.spec.global_clip_norm)

    change.parts = [clip if part == change.clip_all else part for part in change.parts]


planted("clip_epsilon", "clipped", "optimizer", None, None, clips_with_epsilon)


def late(program: Any) -> None:
    """The rate of the update behind."""
    change = program.update

    def schedule() -> None:
        change.optimizer.param_groups[0]["lr"] = change.spec.learning_rate * change.spec.schedule.factor(change.steps)

    change.parts = [schedule if part == change.schedule else part for part in change.parts]


planted("schedule_late", "scheduled", "optimizer", "schedule", None, late)


def summing(program: Any) -> None:
    """Gradients of several steps are added up, not averaged."""
    change = program.update
    change.parts = [part for part in change.parts if part != change.average]


# with plain sgd a sum of two is twice the learning rate: no number tells them apart
planted("accumulates_sum", "accumulating", "optimizer", "learning_rate", None, summing)

# data and precision ---------------------------------------------------------------------------------------------------------


def of_loss(change: Callable[..., Any]) -> Replaced:
    """Something else reaches the loss: `change(own, z, y)`."""

    def plant(world: ExitStack) -> None:
        own = losses.loss_function

        def build(spec: ProgramSpec) -> Any:
            function = own(spec)
            return lambda z, y: change(function, z, y)

        world.enter_context(patch.object(right.model, "loss_function", build))

    return plant


planted("row_dropped", "mlp", "loss", None, of_loss(lambda own, z, y: own(z[:-1], y[:-1])))
planted("targets_rolled", "mlp", "loss", None, of_loss(lambda own, z, y: own(z, y.roll(1, 0))))


planted("gradient_stopped", "activations", "activation", "nothing", activation("tanh", lambda x: torch.tanh(x.detach()) + 0 * x))


def in_half(own: Any, x: Any) -> Any:
    """Computed in bfloat16, all of it."""
    return own(x.bfloat16().to(x.dtype)).bfloat16().to(x.dtype)


planted("half_precision", "transformer", "layer_normalization", None, wrapped("layer_normalization", in_half))

# what ordinary data do not show ---------------------------------------------------------------------------------------------

planted("relu_half", "mlp", "activation", None, activation("relu", lambda x: (x + x.abs()) / 2), probe="ties")


def shared_among_equals(node: Node, net: Any) -> Any:
    """The gradient is divided among all that are the largest."""
    return lambda x: x.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).amax((2, 4))


planted("max_pool_shares", "pooled", "max_pooling2d", None, layer("max_pooling2d", shared_among_equals), probe="ties")


def cancelling(node: Node, net: Any) -> Any:
    """The variance as the mean of squares less the square of the mean."""
    spec: Any = node.layer
    gamma, beta, share = net.get(node, "gamma"), net.get(node, "beta"), 1 - spec.momentum
    moving = [net.statistics[f"{node.name}/moving_{name}"] for name in ("mean", "variance")]

    def forward(x: Any) -> Any:
        rows = x.flatten(0, -2)
        mean = rows.mean(0)
        variance = (rows * rows).mean(0) - mean * mean
        if net.training:
            with torch.no_grad():
                moving[0].lerp_(mean, share)
                moving[1].lerp_(variance * len(rows) / (len(rows) - 1), share)
        return (x - mean) / (variance + spec.epsilon).sqrt() * gamma + beta

    return forward


planted("bn_cancels", "cnn", "batch_normalization", None, layer("batch_normalization", cancelling), probe="shifted")


def overflowing(spec: Any) -> Any:
    """exp of logits as they are."""
    return lambda z, y, reduction: (torch.log(torch.exp(z).sum(-1)) - z.gather(-1, y[..., None])[..., 0]).mean()


planted("loss_overflows", "mlp", "loss", None, term("softmax_cross_entropy", overflowing), probe="saturated")


def cut_far_out(spec: Any) -> Any:
    """From probabilities that are no less than 1e-7."""
    return lambda z, y, reduction: -torch.log(torch.softmax(z, -1).gather(-1, y[..., None])[..., 0].clamp(min=1e-7)).mean()


planted("loss_cut", "mlp", "loss", None, term("softmax_cross_entropy", cut_far_out), probe="saturated")
