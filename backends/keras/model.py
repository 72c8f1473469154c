"""A program's nodes as functional models over the same layers."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Dict, List, Mapping, Optional, Sequence

import keras

from harness.spec import INPUT, Node, ProgramSpec
from harness.spec.layers import Activated, Activation

from .activations import function
from .core import TiedDense
from .layers import LAYERS
from .part import Part


def is_own(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether a node is the activation of the layer before it, as in Keras' `activation=` (harness.spec.graph)."""
    before = nodes.get(node.inputs[0])
    if before is None or not isinstance(before.layer, Activated):
        return False
    return isinstance(node.layer, Activation) and node.name.startswith(f"{before.name}/")


class Net:
    """Models made when they are first asked for, and the variables of parameters and statistics by their canonical names."""

    def __init__(self, spec: ProgramSpec, integers: str) -> None:
        """`integers` is the dtype of inputs that are whole numbers."""
        self.spec, self.integers = spec, integers
        self.trained = spec.nodes[: spec.loss_node + 1]
        nodes = {node.name: node for node in self.trained}
        #: nodes whose layer computes the activation behind it too, and those activations
        self.inside = {node.inputs[0]: node for node in self.trained if is_own(node, nodes)}
        self.owned = {node.name for node in self.inside.values()}
        self.parts: Dict[str, Part] = {}
        for node in spec.nodes:
            self.parts[node.name] = self.part(node, self.inside.get(node.name))

    def part(self, node: Node, own: Optional[Node]) -> Part:
        """A node's layers, with an activation of their own if there is one."""
        activation = None if own is None else function(own.layer)
        if not node.table:
            return LAYERS[node.layer.type](node, activation)
        (embedding,) = self.parts[node.table.rpartition("/")[0]].layers
        return Part((TiedDense(embedding, getattr(node.layer, "use_bias", False), activation),))

    @cached_property
    def parameters(self) -> Dict[str, Any]:
        """Canonical name -> variable, in the order of the spec."""
        return self.named("parameters", "trainable_weights")

    @cached_property
    def statistics(self) -> Dict[str, Any]:
        """Canonical name -> variable."""
        return self.named("statistics", "non_trainable_weights")

    def named(self, canonical: str, weights: str) -> Dict[str, Any]:
        """Names of each node, and weights of its layers, which are built by now."""
        found = {}
        for node in self.spec.nodes:
            variables = [variable for layer in self.parts[node.name].layers for variable in getattr(layer, weights)]
            found.update({item.name: variable for item, variable in zip(getattr(node, canonical), variables)})
        return found

    @cached_property
    def native(self) -> Any:
        """x -> what the loss reads; its random layers draw for themselves."""
        x = self.input()
        return keras.Model(x, self.chain(x, self.trained)[self.trained[-1].name])

    @cached_property
    def full(self) -> Any:
        """x -> the last node's output."""
        x = self.input()
        return keras.Model(x, self.chain(x, self.spec.nodes)[self.spec.nodes[-1].name])

    @cached_property
    def masked(self) -> Any:
        """x, and what random nodes draw -> what the loss reads."""
        x, drawn = self.input(), self.drawn()
        return keras.Model([x, *drawn.values()], self.chain(x, self.trained, drawn)[self.trained[-1].name])

    @cached_property
    def probed(self) -> Any:
        """x, what random nodes draw, and a tap of zeros added to each node's output, so that the gradient there can be read -> all
        outputs by name."""
        x, drawn = self.input(), self.drawn()
        taps = {node.name: keras.Input(node.output_shape) for node in self.spec.nodes}
        return keras.Model([x, *drawn.values(), *taps.values()], self.chain(x, self.spec.nodes, drawn, taps))

    def input(self) -> Any:
        """The data."""
        return keras.Input(self.spec.input_shape, dtype=self.integers if self.spec.integer_inputs else None)

    def drawn(self) -> Dict[str, Any]:
        """An input for what each random node draws."""
        return {node.name: keras.Input(node.draw_shape) for node in self.spec.random_nodes}

    def chain(
        self, x: Any, nodes: Sequence[Node], drawn: Optional[Mapping[str, Any]] = None, taps: Optional[Mapping[str, Any]] = None
    ) -> Dict[str, Any]:
        """Outputs of nodes. With taps no layer computes the activation behind it."""
        found = {INPUT: x}
        for node in nodes:
            inputs, part = [found[name] for name in node.inputs], self.parts[node.name]
            if drawn and node.name in drawn:
                merge = keras.layers.Multiply() if node.layer.random == "mask" else keras.layers.Add()
                y = merge([inputs[0], drawn[node.name]])
            elif taps is None:
                y = inputs[0] if node.name in self.owned else part(*inputs)
            else:
                y = part.bare(*inputs) if node.name in self.inside else part(*inputs)
            found[node.name] = y if taps is None else keras.layers.Add()([y, taps[node.name]])
        return {name: y for name, y in found.items() if name != INPUT}

    def arguments(self, rest: Sequence[Any]) -> "tuple[Any, List[Any]]":
        """Sample weights (or None) and what random nodes draw, of what comes behind inputs and targets in a batch."""
        return (rest[0], list(rest[1:])) if self.spec.weighted else (None, list(rest))
