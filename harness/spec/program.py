"""What an adapter builds: the model as a chain of named nodes, the loss and the optimizer, nothing left open."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from .datasets import Data, Facts, input_shape
from .experiment import Experiment
from .fields import Shape
from .initializers import Initializer
from .layers import Activation, ActivationFunction, Dense, Layer, Linear, Softmax, Step, by, output_shape, parameters
from .losses import BinaryCrossEntropy, Loss, Perceptron, SoftmaxCrossEntropy
from .optimizers import Optimizer


class SpecProblem(ValueError):
    """Something in an experiment that cannot be; `path` says where in its tree."""

    def __init__(self, path: Tuple[object, ...], message: str, hint: str = "", code: str = "shape") -> None:
        super().__init__(message)
        self.path, self.message, self.hint, self.code = path, message, hint, code


@dataclass(frozen=True)
class Parameter:
    """One array that is learned; `name` is canonical, e.g. `dense_1/kernel`."""

    name: str
    shape: Shape
    initializer: Initializer


@dataclass(frozen=True)
class Node:
    """One elementary layer. `dense` with an activation becomes two nodes, so that the value before it is compared too."""

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape

    @property
    def parameters(self) -> Tuple[Parameter, ...]:
        """The node's own parameters, in order."""
        found = parameters(self.layer, self.input_shape)
        return tuple(Parameter(f"{self.name}/{short}", shape, start) for short, (shape, start) in found.items())


@dataclass(frozen=True)
class ProgramSpec:
    """Everything an adapter needs to build a program; it falls back on no default of its framework."""

    nodes: Tuple[Node, ...]
    loss: Loss
    optimizer: Optimizer
    #: encoding of the targets: one of harness.spec.datasets.ENCODINGS
    targets: str
    #: the formulas the reference uses, as in harness.spec.optimizers.FORMS; adapters of frameworks have their own
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def input_shape(self) -> Shape:
        """Shape of one input, without the batch axis."""
        return self.nodes[0].input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of one output, without the batch axis."""
        return self.nodes[-1].output_shape

    @property
    def parameters(self) -> Tuple[Parameter, ...]:
        """All parameters, in the order of the layers."""
        return tuple(parameter for node in self.nodes for parameter in node.parameters)

    @property
    def loss_node(self) -> int:
        """Index of the node whose output the loss reads: the last, or the one before a final step."""
        return len(self.nodes) - (2 if is_step(self.nodes[-1].layer) and len(self.nodes) > 1 else 1)

    def with_forms(self, forms: Mapping[str, str]) -> ProgramSpec:
        """The same program in other forms."""
        return dataclasses.replace(self, forms=dict(forms))


def is_step(layer: Layer) -> bool:
    """Whether a layer is the step function."""
    return isinstance(layer, Activation) and isinstance(layer.activation, Step)


def program(experiment: Experiment, facts: Facts) -> ProgramSpec:
    """The program of an experiment.

    Raises:
        SpecProblem: a layer cannot take its input, or model, loss and data do not fit together.
    """
    nodes = chain(experiment.model.layers, input_shape(experiment.data, facts))
    loss = experiment.train.loss
    targets = target_encoding(experiment.data, facts, loss)
    spec = ProgramSpec(nodes, loss, experiment.train.optimizer, targets)
    check_fit(spec, facts)
    return spec


def chain(layers: Tuple[Layer, ...], shape: Shape) -> Tuple[Node, ...]:
    """Layers in sequence as nodes with names and shapes.

    Raises:
        SpecProblem: a layer cannot take what the layer before gives, or a name stands twice.
    """
    nodes: List[Node] = []
    counts: Dict[str, int] = {}
    taken: Dict[str, int] = {}
    before = "the data"
    for index, layer in enumerate(layers):
        path = ("model", "layers", index)
        counts[layer.type] = counts.get(layer.type, 0) + 1
        name = layer.name or f"{layer.type}_{counts[layer.type]}"
        if name in taken:
            raise SpecProblem(
                (*path, "name"), f'two layers are called "{name}": number {taken[name] + 1} and number {index + 1}', code="name"
            )
        taken[name] = index
        for node_name, part in elementary(name, layer):
            try:
                out = output_shape(part, shape)
            except ValueError as problem:
                raise SpecProblem(path, f"{problem} (from {before})") from None
            nodes.append(Node(node_name, part, shape, out))
            shape = out
        before = f'"{name}"'
    return tuple(nodes)


def elementary(name: str, layer: Layer) -> List[Tuple[str, Layer]]:
    """A layer as elementary ones: a dense layer's activation becomes a node of its own."""
    if isinstance(layer, Dense) and layer.activation and not isinstance(layer.activation, Linear):
        function: ActivationFunction = layer.activation
        bare = dataclasses.replace(layer, activation=None)
        return [(name, bare), (f"{name}/{function.type}", Activation(activation=function))]
    return [(name, layer)]


def target_encoding(data: Data, facts: Facts, loss: Loss) -> str:
    """How targets are written: as the data say, else the first encoding of the loss that suits them."""
    allowed = loss.targets
    if data.targets:
        if data.targets not in allowed:
            raise SpecProblem(
                ("data", "targets"), f'the loss "{loss.type}" cannot take "{data.targets}" targets',
                f"it takes {' or '.join(allowed)}", code="targets",
            )  # fmt: skip
        chosen: Optional[str] = data.targets
    elif facts.classes is None:
        chosen = "value" if "value" in allowed else None
    else:
        chosen = next((name for name in allowed if name != "binary" or facts.classes == 2), None)
    if chosen is None or (facts.classes is None) != (chosen == "value"):
        kind = "values" if facts.classes is None else f"{facts.classes} classes"
        raise SpecProblem(
            ("train", "loss"), f'the loss "{loss.type}" does not suit data with {kind}',
            "use mse or mae" if facts.classes is None else "use a cross-entropy", code="targets",
        )  # fmt: skip
    if chosen == "binary" and facts.classes != 2:
        raise SpecProblem(
            ("data", "targets"),
            f"binary targets need two classes, but the data have {facts.classes}",
            'use "one_hot"',
            code="targets",
        )
    return chosen


def target_width(encoding: str, facts: Facts) -> Optional[int]:
    """Values in one target: `(rows, width)` arrays; None for integers, which are `(rows,)`."""
    if encoding == "integer":
        return None
    if encoding == "value":
        return facts.outputs
    if encoding == "binary" or (encoding == "sign" and facts.classes == 2):
        return 1
    return facts.classes


def check_fit(spec: ProgramSpec, facts: Facts) -> None:
    """Model, loss and data have to fit together.

    Raises:
        SpecProblem: naming the place.
    """
    where = ("model", "layers")
    wanted = target_width(spec.targets, facts)
    shape = (wanted if wanted is not None else facts.classes,)
    if spec.output_shape != shape:
        raise SpecProblem(
            where, f"the model gives {by(spec.output_shape)} outputs a row, but the targets ({spec.targets}) need {shape[0]}",
            f"make the last dense layer units = {shape[0]}"
            if len(spec.output_shape) == 1
            else 'put a "flatten" before the last dense layer',
        )  # fmt: skip
    if not spec.parameters:
        raise SpecProblem(where, "the model has nothing to learn", 'add a "dense" layer', code="model")
    inner_step = any(is_step(node.layer) for node in spec.nodes[:-1])
    last_step = is_step(spec.nodes[-1].layer)
    if inner_step or (last_step and not isinstance(spec.loss, Perceptron)):
        raise SpecProblem(
            where, f'the loss "{spec.loss.type}" cannot train through a step: its gradient is zero',
            'put the step last and use loss = "perceptron", which reads the value before it', code="model",
        )  # fmt: skip
    last = spec.nodes[-1].layer
    if isinstance(spec.loss, (SoftmaxCrossEntropy, BinaryCrossEntropy)) and isinstance(last, Activation):
        squashes = isinstance(last.activation, Softmax) or (last.activation and last.activation.type == "sigmoid")
        if squashes:
            raise SpecProblem(
                where, f'the loss "{spec.loss.type}" takes logits, but the last layer is already squashed',
                "leave the last activation out: the loss contains it", code="model",
            )  # fmt: skip


def steps_per_epoch(experiment: Experiment, train_rows: int) -> int:
    """Optimizer steps in one epoch; a last, smaller batch is left out.

    Raises:
        SpecProblem: the batch is larger than the training data.
    """
    size = experiment.train.batch_size
    if isinstance(size, str):
        return 1
    if size > train_rows:
        raise SpecProblem(
            ("train", "batch_size"),
            f"a batch of {size} rows is more than the {train_rows} training rows",
            'use "full"',
            code="value",
        )
    return train_rows // size


def total_steps(experiment: Experiment, train_rows: int) -> int:
    """Optimizer steps in the whole run."""
    train = experiment.train
    return train.steps if train.steps is not None else (train.epochs or 1) * steps_per_epoch(experiment, train_rows)
