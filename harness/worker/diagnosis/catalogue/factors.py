"""Everything, or the gradients alone, times a number that has a name."""

from __future__ import annotations

import math
from typing import Any, Dict, Iterator, Tuple

from ....interface import LOSS, Arrays
from ..makers import makers
from ..setting import Setting, WhatIf, WhatIfs, node_of

Named = Dict[str, float]


def factors(setting: Setting, maker: str) -> WhatIfs:
    """Of what a node, or the loss, makes: all of it, its gradients of parameters, what it gives back, its statistics."""
    for text, factor in named(setting, maker).items():
        for what, kinds in parts(maker):
            said = f"{what} times the factor {text}" if factor else f"{what}: nothing arrives"
            yield WhatIf(said, lambda setting: setting, multiplied(setting, maker, kinds, factor))
    for short in shorts(setting, maker):
        for text, factor in (("2", 2.0), ("0.5", 0.5)):
            yield WhatIf(f"the gradient of {short} times the factor {text}", lambda setting: setting, one(maker, short, factor))
        yield WhatIf(f"the gradient of {short}: nothing arrives", lambda setting: setting, one(maker, short, 0.0))


def parts(maker: str) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """What may be multiplied, in words and by kind."""
    if maker == LOSS:
        yield "the loss and its gradient", ("loss", "output_gradients")
    else:
        yield "output and gradients", ("outputs", "output_gradients", "gradients")
        yield "its gradients", ("output_gradients", "gradients")
        yield "the gradient at its input", ("output_gradients",)
        yield "the gradients of its parameters", ("gradients",)
        yield "its statistics", ("statistics",)


def named(setting: Setting, maker: str) -> Named:
    """Numbers that are left out or put in by mistake."""
    found: Named = {"0": 0.0, "2": 2.0, "0.5": 0.5, "-1": -1.0}
    rows = len(setting.batch.inputs)
    sizes = {"rows": rows}
    if maker != LOSS:
        node = node_of(setting.spec, maker)
        sizes["places"] = math.prod(node.input_shape[:-1])
        sizes["features"] = node.input_shape[-1] if node.input_shape else 1
        sizes["output features"] = node.output_shape[-1] if node.output_shape else 1
    else:
        sizes["outputs"] = setting.spec.output_shape[-1]
    for name, size in sizes.items():
        if size > 1:
            more = {f"{size} ({name})": float(size), f"1 / {size} ({name})": 1 / size}
            more.update({f"sqrt({size}) ({name})": math.sqrt(size), f"1 / sqrt({size}) ({name})": 1 / math.sqrt(size)})
            found.update(more)
    found[f"{rows} / {rows - 1}"] = rows / max(rows - 1, 1)
    return found


def multiplied(setting: Setting, maker: str, kinds: Tuple[str, ...], factor: float) -> Any:
    """The change of tensors; penalties stay what they are."""
    rest = penalty(setting) if maker == LOSS else 0.0

    def back(tensors: Arrays) -> Arrays:
        mine = [name for name in tensors if maker in makers(setting.spec, name) and name.partition("/")[0] in kinds]
        fixed = {name: rest if name.startswith("loss/") else 0.0 for name in mine}
        return {**tensors, **{name: (tensors[name] - fixed[name]) * factor + fixed[name] for name in mine}}

    return back


def penalty(setting: Setting) -> float:
    """What the penalties on parameters add to the loss."""
    arrays = setting.state.parameters
    sums = [l1 * abs(arrays[name]).sum() + l2 * (arrays[name] ** 2.0).sum() for name, (l1, l2) in setting.spec.penalties.items()]
    return float(sum(sums))


def shorts(setting: Setting, maker: str) -> Iterator[str]:
    """Names of a node's parameters."""
    if maker != LOSS:
        for parameter in node_of(setting.spec, maker).parameters:
            yield parameter.name.rpartition("/")[2]


def one(maker: str, short: str, factor: float) -> Any:
    """The change of one parameter's gradient."""
    name = f"gradients/{maker}/{short}"
    return lambda tensors: {**tensors, name: tensors[name] * factor}
