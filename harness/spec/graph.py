"""Layers as a graph of elementary nodes, in an order in which each node stands behind those that it reads."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from dataclasses import dataclass
from typing import ClassVar, Dict, List, Mapping, MutableMapping, Optional, Sequence, Tuple

from .fields import Shape
from .initializers import Initializer
from .layers import LSTM, Activated, Activation, Composite, Embedding, Layer, Linear, MultiHeadAttention, Step, TiedDense, by
from .regularizers import Regularizer

#: what nodes call the data
INPUT = "input"


class SpecProblem(ValueError):
    """Something in an experiment that cannot be; `path` says where in its tree."""

    def __init__(self, path: Tuple[object, ...], message: str, hint: str = "", code: str = "shape") -> None:
        super().__init__(message)
        self.path, self.message, self.hint, self.code = path, message, hint, code


@dataclass(frozen=True)
class Parameter:
    """One array that is learned; `name` is canonical, e.g. `dense_1/kernel`.

    Attributes:
        name: node and short name.
        shape: in canonical layout.
        initializer: how it starts.
        regularizer: its penalty in the loss.
        fans: inputs and outputs of one unit; from the shape when not given.
        forget: how many numbers from which on start at 1 more (an LSTM's unit_forget_bias); none usually.
    """

    name: str
    shape: Shape
    initializer: Initializer
    regularizer: Optional[Regularizer] = None
    fans: Optional[Tuple[int, int]] = None
    forget: Tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Statistic:
    """One array that a layer keeps from step to step without a gradient, e.g. `batch_normalization_1/moving_mean`."""

    name: str
    shape: Shape
    start: float


@dataclass(frozen=True)
class Node:
    """One elementary layer. A layer with an activation becomes two nodes, so that the value before it is compared too.

    Attributes:
        name: canonical; parts of a composite layer stand behind its name and a slash.
        layer: never a Composite, and without an activation of its own.
        inputs: names of the nodes it reads, or "input"; an attention's mask is the last.
        input_shapes: their shapes, without the batch axis.
        output_shape: without the batch axis.
        table: of a tied_dense, the parameter that it shares.
    """

    name: str
    layer: Layer
    inputs: Tuple[str, ...]
    input_shapes: Tuple[Shape, ...]
    output_shape: Shape
    table: str = ""

    @property
    def input_shape(self) -> Shape:
        """Shape of the first input."""
        return self.input_shapes[0]

    @property
    def parameters(self) -> Tuple[Parameter, ...]:
        """The node's own parameters, in order."""
        found = self.layer.weights(*self.input_shapes)
        return tuple(
            Parameter(
                f"{self.name}/{short}", weight.shape, weight.initializer, weight.regularizer, weight.fans, self.forget(short)
            )
            for short, weight in found.items()
        )

    def forget(self, short: str) -> Tuple[int, int]:
        """Where a bias starts at 1 more: the forget gate of an LSTM that asks for it."""
        layer = self.layer
        wanted = isinstance(layer, LSTM) and layer.unit_forget_bias and short == "bias"
        return (layer.units, 2 * layer.units) if wanted and isinstance(layer, LSTM) else (0, 0)

    @property
    def statistics(self) -> Tuple[Statistic, ...]:
        """What the node keeps."""
        found = self.layer.statistics(*self.input_shapes)
        return tuple(Statistic(f"{self.name}/{short}", shape, start) for short, (shape, start) in found.items())

    @property
    def draw_shape(self) -> Shape:
        """Shape of what it draws for one sample."""
        return self.layer.draw_shape(self.input_shape)


@dataclass(frozen=True)
class Place:
    """Where a layer stands.

    Attributes:
        name: what its node is called.
        reads: nodes whose outputs it reads.
        path: where it is in the experiment's tree.
        names: layers that can be named from here: name -> the node behind it.
        before: what stands before it, in words.
    """

    name: str
    reads: Tuple[str, ...]
    path: Tuple[object, ...]
    names: MutableMapping[str, str]
    before: str

    def part(self, name: str, reads: Tuple[str, ...]) -> "Place":
        """The place of an elementary part."""
        return dataclasses.replace(self, name=f"{self.name}/{name}", reads=reads)

    def inside(self, key: str, prefix: str = "", reads: Tuple[str, ...] = ()) -> "Place":
        """The place of a list of layers, which stands under `key`."""
        return dataclasses.replace(self, name=f"{self.name}/{prefix}", path=(*self.path, key), reads=reads or self.reads)


class Wiring:
    """A graph while it is made."""

    default_path: ClassVar[Tuple[object, ...]] = ("model", "layers")

    def __init__(self, shape: Shape) -> None:
        self.nodes: Dict[str, Node] = {}
        self.shapes: Dict[str, Shape] = {INPUT: shape}
        self.places: Dict[str, Tuple[object, ...]] = {}

    def problem(
        self, place: Place, message: str, hint: str = "", code: str = "shape", key: Tuple[object, ...] = ()
    ) -> SpecProblem:
        """What to raise at a place."""
        return SpecProblem((*place.path, *key), message, hint, code)

    def sequence(self, layers: Sequence[Layer], place: Place) -> str:
        """Layers one behind the other; the name of the last node. A layer with `inputs` reads those instead of the one before.

        Raises:
            SpecProblem: a layer cannot take what it reads, a name stands twice, or is not there.
        """
        names: MutableMapping[str, str] = ChainMap({}, place.names)
        own: Dict[str, int] = {}
        counts: Dict[str, int] = {}
        reads, before = place.reads, place.before
        for index, layer in enumerate(layers):
            path = (*place.path, index)
            counts[layer.type] = counts.get(layer.type, 0) + 1
            name = layer.name or f"{layer.type}_{counts[layer.type]}"
            if name in own or name == INPUT:
                text = f"number {own[name] + 1} and number {index + 1}" if name in own else "that is what the data are called"
                raise SpecProblem((*path, "name"), f'two layers are called "{name}": {text}', code="name")
            own[name] = index
            here = Place(f"{place.name}{name}", reads, path, names, before)
            if layer.inputs is not None:
                here = dataclasses.replace(
                    here, reads=self.named(here, layer.inputs), before=" and ".join(f'"{word}"' for word in layer.inputs)
                )
            names[name] = self.layer(here, layer)
            reads, before = (names[name],), f'"{name}"'
        return reads[0]

    def named(self, place: Place, names: Tuple[str, ...]) -> Tuple[str, ...]:
        """The nodes behind some names.

        Raises:
            SpecProblem: there is no such layer before.
        """
        found = []
        for index, name in enumerate(names):
            if name != INPUT and name not in place.names:
                known = ", ".join(f'"{word}"' for word in [INPUT, *place.names])
                raise self.problem(
                    place, f'there is no layer "{name}" before this one', f"there are {known}", "name", ("inputs", index)
                )
            found.append(name if name == INPUT else place.names[name])
        return tuple(found)

    def layer(self, place: Place, layer: Layer) -> str:
        """One layer, its parts or its activation included; the name of the last node."""
        least, most = layer.arity
        if isinstance(layer, MultiHeadAttention) and layer.mask is not None:
            place = dataclasses.replace(place, reads=(*place.reads, self.mask(place, layer.mask)))
        count = len(place.reads)
        if count < least or (most is not None and count > most):
            wanted = (
                f"{least} inputs" if most == least else f"{least} inputs or more" if most is None else f"{least} to {most} inputs"
            )
            wanted = wanted.replace("1 inputs", "one input")
            hint = 'name them: inputs = ["...", "..."]' if count < least else ""
            raise self.problem(place, f'"{layer.type}" takes {wanted}, not {count}', hint, "inputs")
        if isinstance(layer, Composite):
            return layer.wire(self, place)
        if isinstance(layer, Activated) and layer.activation and not isinstance(layer.activation, Linear):
            behind = self.node(place, dataclasses.replace(layer, activation=None))
            return self.node(place.part(layer.activation.type, (behind,)), Activation(activation=layer.activation))
        return self.node(place, layer)

    def mask(self, place: Place, name: str) -> str:
        """The node that marks padding.

        Raises:
            SpecProblem: there is no such layer before.
        """
        if name != INPUT and name not in place.names:
            raise self.problem(place, f'there is no layer "{name}" before this one', code="name", key=("mask",))
        return name if name == INPUT else place.names[name]

    def node(self, place: Place, layer: Layer) -> str:
        """One elementary node.

        Raises:
            SpecProblem: it cannot take what it reads.
        """
        if place.name in self.nodes:
            raise self.problem(place, f'two layers are called "{place.name}"', code="name", key=("name",))
        table = ""
        if isinstance(layer, TiedDense):
            layer, table = self.tied(place, layer)
        shapes = tuple(self.shapes[name] for name in place.reads)
        try:
            shape = layer.output_shape(*shapes)
        except ValueError as problem:
            hint = "add shortcut = [...] with layers that change x alike" if place.name.endswith("/add") else ""
            raise self.problem(place, f"{problem} (from {place.before})", hint) from None
        bare = dataclasses.replace(layer, name=None, inputs=None)
        self.nodes[place.name] = Node(place.name, bare, place.reads, shapes, shape, table)
        self.shapes[place.name], self.places[place.name] = shape, place.path
        return place.name

    def tied(self, place: Place, layer: TiedDense) -> Tuple[TiedDense, str]:
        """A tied layer that knows its table, and the table's name.

        Raises:
            SpecProblem: there is no such embedding before, or its vectors are not as long as the input.
        """
        node = self.nodes.get(place.names.get(layer.to, ""))
        if node is None or not isinstance(node.layer, Embedding):
            raise self.problem(place, f'there is no embedding "{layer.to}" before this layer', code="name", key=("to",))
        size, length = node.layer.output_dim, self.shapes[place.reads[0]][-1:]
        if length != (size,):
            raise self.problem(
                place,
                f'the vectors of "{layer.to}" have {size} numbers, but this layer gets '
                f"{by(self.shapes[place.reads[0]])} (from {place.before})",
            )
        return dataclasses.replace(layer, units=node.layer.input_dim), f"{node.name}/embeddings"


def wired(layers: Sequence[Layer], shape: Shape) -> Tuple[Node, ...]:
    """Layers as a graph of elementary nodes; the last one is the output.

    Args:
        layers: in order; composite ones and named inputs are resolved.
        shape: of one input, without the batch axis.

    Raises:
        SpecProblem: a layer cannot take what it reads, a name stands twice or is not there, or nothing reads a layer.
    """
    wiring, last = whole(layers, shape)
    nodes: List[Node] = list(wiring.nodes.values())
    read = {name for node in nodes for name in node.inputs}
    for node in nodes:
        if node.name not in read and node.name != last:
            raise SpecProblem(
                wiring.places[node.name], f'nothing reads "{node.name}"', "name it in the inputs of a later layer", "inputs"
            )
    return tuple(nodes)


def places(layers: Sequence[Layer], shape: Shape) -> Mapping[str, Tuple[object, ...]]:
    """Node -> where its layer, or the one that it is a part of, stands in the experiment's tree; arguments as of `wired`."""
    return whole(layers, shape)[0].places


def whole(layers: Sequence[Layer], shape: Shape) -> Tuple[Wiring, str]:
    """All layers wired, and the name of the last node."""
    wiring = Wiring(shape)
    return wiring, wiring.sequence(layers, Place("", (INPUT,), Wiring.default_path, {}, "the data"))


def is_step(layer: Layer) -> bool:
    """Whether a layer is the step function."""
    return isinstance(layer, Activation) and isinstance(layer.activation, Step)
