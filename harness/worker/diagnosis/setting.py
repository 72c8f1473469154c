"""What a step is computed from, and what could be changed about it."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Iterator, NamedTuple, Optional

import numpy

from ...interface import Arrays, Batch, State
from ...spec import Node, ProgramSpec


class Setting(NamedTuple):
    """One forced step, and what an arm made of it.

    Attributes:
        spec: the program.
        state: where the step starts.
        batch: its data.
        tensors: what the arm computed, as harness.worker.numeric.forced_step names it.
    """

    spec: ProgramSpec
    state: State
    batch: Batch
    tensors: Arrays


class WhatIf(NamedTuple):
    """One other meaning.

    Attributes:
        text: what is otherwise, in words.
        change: the setting in which it is so.
        back: from tensors computed there to those that the arm is held against; None where they are the same.
    """

    text: str
    change: Callable[[Setting], Setting]
    back: Optional[Callable[[Arrays], Arrays]] = None


WhatIfs = Iterator[WhatIf]


def both(one: WhatIf, other: WhatIf) -> WhatIf:
    """Two at once."""

    def back(tensors: Arrays) -> Arrays:
        inner = other.back(tensors) if other.back else tensors
        return one.back(inner) if one.back else inner

    return WhatIf(f"{one.text}, and {other.text}", lambda setting: other.change(one.change(setting)), back)


def node_of(spec: ProgramSpec, name: str) -> Node:
    """A node by name."""
    return next(node for node in spec.nodes if node.name == name)


def with_node(setting: Setting, node: Node) -> Setting:
    """Another node under the same name."""
    nodes = tuple(node if other.name == node.name else other for other in setting.spec.nodes)
    return setting._replace(spec=dataclasses.replace(setting.spec, nodes=nodes))


def other_layer(node: Node, layer: Any) -> Optional[Node]:
    """A node with another layer, if that takes the same inputs and parameters and gives an output of the same shape."""
    try:
        found = dataclasses.replace(node, layer=layer, output_shape=layer.output_shape(*node.input_shapes))
        same = [(item.name, item.shape) for item in found.parameters] == [(item.name, item.shape) for item in node.parameters]
    except (ValueError, TypeError, AttributeError, IndexError):
        return None
    same = same and [item.shape for item in found.statistics] == [item.shape for item in node.statistics]
    return found if same and found.output_shape == node.output_shape else None


def what_if_layer(node: Node, text: str, change: Callable[[Any], Any]) -> WhatIfs:
    """A node whose layer is changed; nothing where that is not possible. `change` takes the layer as it is then: another change may be
    there already."""
    if other_layer(node, change(node.layer)) is not None:
        yield WhatIf(text, lambda setting: with_layer(setting, node.name, change))


def with_layer(setting: Setting, name: str, change: Callable[[Any], Any]) -> Setting:
    """Another layer at a node.

    Raises:
        ValueError: it does not take what the node reads.
    """
    node = node_of(setting.spec, name)
    found = other_layer(node, change(node.layer))
    if found is None:
        raise ValueError(f"no such layer at {name}")
    return with_node(setting, found)


def read_otherwise(text: str, turns: Any) -> WhatIf:
    """Parameters that are read in another layout or size, by a linear map each.

    Args:
        text: in words.
        turns: parameter's name -> (the map, its transpose: from the gradient at what is read to that at the parameter).
    """

    def change(setting: Setting) -> Setting:
        turned = {name: numpy.ascontiguousarray(turn(setting.state.parameters[name])) for name, (turn, _) in turns.items()}
        state = dataclasses.replace(setting.state, parameters={**setting.state.parameters, **turned})
        return setting._replace(state=state)

    def back(tensors: Arrays) -> Arrays:
        gradients = {f"gradients/{name}": transposed(tensors[f"gradients/{name}"]) for name, (_, transposed) in turns.items()}
        return {**tensors, **gradients}

    return WhatIf(text, change, back)
