"""Another function under a layer's name, a parameter in another layout, another share of what is drawn."""

from __future__ import annotations

import dataclasses
import math
from itertools import permutations
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy

from ....spec import Activation, ActivationFunction, Layer, Node, family
from ....spec.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    MultiHeadAttention,
)
from ..setting import Setting, WhatIf, WhatIfs, read_otherwise, what_if_layer, with_layer
from .fields import VALUES, putting, said

#: layers that are mixed up, and take the same keys
ALIKE = (
    ("average_pooling1d", "max_pooling1d"), ("average_pooling2d", "max_pooling2d"),
    ("global_average_pooling1d", "global_max_pooling1d"), ("global_average_pooling2d", "global_max_pooling2d"),
    ("add", "average", "multiply", "maximum"), ("dropout", "spatial_dropout"),
)  # fmt: skip


def layers(setting: Setting, node: Node) -> WhatIfs:
    """All of them."""
    yield from other_types(node)
    yield from other_side(node)
    yield from other_layouts(node)
    yield from other_gates(node)
    yield from biases(setting, node)
    yield from scores(setting, node)
    yield from variances(setting, node)
    yield from draws(setting, node)


def other_types(node: Node) -> WhatIfs:
    """Another activation, or another layer that takes the same keys."""
    layer: Any = node.layer
    if layer.type == "activation":
        now = layer.activation.type
        for name, kind in family(ActivationFunction).items():
            if name not in (now, "step"):
                for function in with_values(kind):
                    text = f"{name}{in_brackets(function)} instead of {now}"
                    yield from what_if_layer(node, text, always(Activation(activation=function)))
    for group in ALIKE:
        for name in group:
            if layer.type in group and name != layer.type:
                cls = family(Layer)[name]
                kept = {item.name: getattr(layer, item.name) for item in dataclasses.fields(cls) if hasattr(layer, item.name)}
                yield from what_if_layer(node, f"{name} instead of {layer.type}", always(cls(**kept)))


def always(layer: Any) -> Callable[[Any], Any]:
    """This layer, whatever was there."""
    return lambda _: layer


def with_values(cls: Any) -> Iterator[Any]:
    """An activation with every value of its key, if it has one."""
    keys = [item.name for item in dataclasses.fields(cls)]
    if not keys:
        yield cls()
    for name in keys:
        for value in VALUES.get(name, (False, True)):
            yield cls(**{name: value})


def in_brackets(function: Any) -> str:
    """What its key says."""
    keys = [f"{item.name} {said(getattr(function, item.name))}" for item in dataclasses.fields(function)]
    return f" ({', '.join(keys)})" if keys else ""


def other_side(node: Node) -> WhatIfs:
    """The odd zero of "same" in front, as many on both sides, or all on one."""
    layer: Any = node.layer
    if not hasattr(layer, "padding") or not hasattr(layer, "pads"):
        return
    pads = layer.pads(node.input_shape)
    wanted = {
        "the odd zero of the padding in front instead of behind": [(behind, before) for before, behind in pads],
        "all the padding behind": [(0, before + behind) for before, behind in pads],
        "all the padding in front": [(before + behind, 0) for before, behind in pads],
    }
    for text, sides in wanted.items():
        if tuple(sides) != tuple(pads):
            numbers = tuple(length for both in sides for length in both)
            yield from what_if_layer(node, text, putting("padding", numbers))


def other_layouts(node: Node) -> WhatIfs:
    """Kernels transposed or flipped."""
    for parameter in node.parameters:
        short = parameter.name.rpartition("/")[2]
        if "kernel" not in short and short != "embeddings":
            continue
        rank = len(parameter.shape)
        turns: Dict[str, Callable[[Any], Any]] = {}
        if rank == 2:
            turns["transposed"] = lambda w: w.T
        elif rank == 3:
            turns["flipped, as a true convolution has it"] = lambda w: w[::-1]
            turns["with inputs and outputs exchanged"] = lambda w: w.swapaxes(1, 2)
        elif rank == 4:
            turns["flipped, as a true convolution has it"] = lambda w: w[::-1, ::-1]
            turns["transposed: height and width exchanged"] = lambda w: w.swapaxes(0, 1)
            turns["with inputs and outputs exchanged"] = lambda w: w.swapaxes(2, 3)
        for text, turn in turns.items():
            if turn(numpy.empty(parameter.shape)).shape == parameter.shape:
                yield read_otherwise(f"{short} {text}", {parameter.name: (turn, turn)})


def other_gates(node: Node) -> WhatIfs:
    """Gates in another order; a forget gate that is opened again."""
    layer: Any = node.layer
    letters = {LSTM: "ifgo", GRU: "zrn"}.get(type(layer), "")
    arrays = [parameter.name for parameter in node.parameters]
    for order in list(permutations(range(len(letters))))[1:]:
        text = f"gates {' '.join(letters[gate] for gate in order)} instead of {' '.join(letters)}"
        back = tuple(int(place) for place in numpy.argsort(order))
        yield read_otherwise(text, {name: (gates(order, layer.units), gates(back, layer.units)) for name in arrays})
    if isinstance(layer, LSTM) and layer.use_bias:

        def opened(setting: Setting) -> Setting:
            name = f"{node.name}/bias"
            bias = numpy.array(setting.state.parameters[name])
            bias[layer.units : 2 * layer.units] += 1
            return with_parameters(setting, {name: bias})

        yield WhatIf("1 added to the bias of the forget gate, which holds it already", opened)


def gates(order: Tuple[int, ...], units: int) -> Callable[[Any], Any]:
    """The gates of the last axis in another order."""
    return lambda w: w.reshape(*w.shape[:-1], len(order), units)[..., list(order), :].reshape(w.shape)


def with_parameters(setting: Setting, arrays: Dict[str, Any]) -> Setting:
    """Other numbers of some parameters."""
    return setting._replace(state=dataclasses.replace(setting.state, parameters={**setting.state.parameters, **arrays}))


def biases(setting: Setting, node: Node) -> WhatIfs:
    """A bias that is left out."""
    names = [parameter.name for parameter in node.parameters if "bias" in parameter.name.rpartition("/")[2]]
    for chosen in [*([name] for name in names), *([names] if len(names) > 1 else [])]:
        text = f"without {' and '.join(name.rpartition('/')[2] for name in chosen)}"
        yield read_otherwise(text, dict.fromkeys(chosen, (numpy.zeros_like, numpy.zeros_like)))


def scores(setting: Setting, node: Node) -> WhatIfs:
    """Attention whose scores are scaled otherwise: the queries are."""
    layer: Any = node.layer
    if not isinstance(layer, MultiHeadAttention):
        return
    size = layer.head(node.input_shape)
    wanted = {
        "scores without the scale 1 / sqrt(key_dim)": math.sqrt(size),
        "scores with the scale 1 / key_dim": 1 / math.sqrt(size),
        "scores with the scale 1 / sqrt(features) of all heads together": 1 / math.sqrt(layer.num_heads),
    }
    names = [parameter.name for parameter in node.parameters if parameter.name.rpartition("/")[2].startswith("query_")]
    for text, factor in wanted.items():
        yield read_otherwise(text, {name: (times(factor), times(factor)) for name in names})


def times(factor: float) -> Callable[[Any], Any]:
    """x times a number."""
    return lambda values: values * factor


def variances(setting: Setting, node: Node) -> WhatIfs:
    """A normalisation by the unbiased variance: with s^2 n / (n - 1) for s^2, gamma d / sqrt(s^2 n / (n - 1) + e) is
    gamma r d / sqrt(s^2 + e r^2), r^2 = (n - 1) / n. And moving statistics of the other variance, or of one that is not moved."""
    layer: Any = node.layer
    count = averaged(setting, node)
    gamma = f"{node.name}/gamma"
    if count > 1 and gamma in setting.state.parameters:
        share = (count - 1) / count
        turned = read_otherwise("", {gamma: (times(math.sqrt(share)), times(math.sqrt(share)))})

        def smaller(layer: Any) -> Any:
            return dataclasses.replace(layer, epsilon=layer.epsilon * share)

        yield turned._replace(
            text="normalised by the unbiased variance, n / (n - 1) times the biased one",
            change=lambda setting: turned.change(with_layer(setting, node.name, smaller)),
        )
    if isinstance(layer, BatchNormalization):
        form = "batch_normalization.variance"
        now = setting.spec.forms.get(form, "biased")
        other = "biased" if now == "unbiased" else "unbiased"
        yield WhatIf(f"a moving variance of {other} instead of {now} ones", with_form(form, other))


def with_form(name: str, value: str) -> Callable[[Setting], Setting]:
    """Another form."""
    return lambda setting: setting._replace(spec=setting.spec.with_forms({**setting.spec.forms, name: value}))


def averaged(setting: Setting, node: Node) -> int:
    """How many numbers a normalisation averages over; 0 where it is none."""
    layer: Any = node.layer
    places, channels = math.prod(node.input_shape[:-1]), node.input_shape[-1]
    if isinstance(layer, BatchNormalization):
        return len(setting.batch.inputs) * places
    if isinstance(layer, LayerNormalization):
        return channels
    if isinstance(layer, InstanceNormalization):
        return places
    return places * channels // layer.groups if isinstance(layer, GroupNormalization) else 0


def draws(setting: Setting, node: Node) -> WhatIfs:
    """Masks and noise that are used otherwise."""
    layer: Any = node.layer
    if not layer.random:
        return
    wanted: List[Tuple[str, Callable[[Any], Any]]] = []
    if layer.random == "noise":
        for text, factor in (("noise with its deviation squared", layer.stddev), ("no noise", 0.0)):
            wanted.append((text, times(factor)))
    else:
        wanted.append(("what is kept is not scaled by 1 / (1 - rate)", numpy.sign))
        wanted.append(("no mask: nothing is dropped", numpy.ones_like))
        wanted.append(("what is kept and what is dropped exchanged", lambda mask: (mask == 0) * numpy.float32(layer.scale)))
    for text, turn in wanted:
        yield WhatIf(text, drawn_otherwise(node.name, turn))


def drawn_otherwise(name: str, turn: Callable[[Any], Any]) -> Callable[[Setting], Setting]:
    """Another use of what a node draws."""

    def change(setting: Setting) -> Setting:
        masks = dict(setting.batch.masks or {})
        masks[name] = turn(masks[name])
        return setting._replace(batch=dataclasses.replace(setting.batch, masks=masks))

    return change
