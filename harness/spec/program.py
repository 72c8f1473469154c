"""From layers to a program: a graph of elementary nodes, the parameters with their names, and how targets are written.

This is what an adapter translates. It holds no framework's word.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple

from .datasets import Data, Facts, input_shape
from .experiment import Experiment
from .fields import Shape
from .graph import INPUT, Node, Parameter, SpecProblem, Statistic, is_step, wired
from .layers import Activation, Embedding, LogSoftmax, MultiHeadAttention, Sigmoid, Softmax, by
from .losses import BinaryCrossEntropy, KLDivergence, Loss, Perceptron, SoftmaxCrossEntropy
from .optimizers import Optimizer


@dataclass(frozen=True)
class ProgramSpec:
    """Everything an adapter needs to build a program; it falls back on no default of its framework.

    Attributes:
        nodes: each behind those that it reads; the last one is the output.
        loss: what is made small, penalties on parameters not counted.
        optimizer: how the gradient moves the parameters.
        targets: encoding of the targets: one of harness.spec.datasets.ENCODINGS.
        forms: the formulas the reference uses, as in harness.spec.optimizers.FORMS; adapters of frameworks have their own.
        weighted: whether batches bring sample weights.
    """

    nodes: Tuple[Node, ...]
    loss: Loss
    optimizer: Optimizer
    targets: str
    forms: Mapping[str, str] = field(default_factory=dict)
    weighted: bool = False

    @property
    def input_shape(self) -> Shape:
        """Shape of one input, without the batch axis."""
        return self.nodes[0].input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of one output, without the batch axis."""
        return self.nodes[-1].output_shape

    @property
    def integer_inputs(self) -> bool:
        """Whether inputs are whole numbers, as embeddings want them; there is no gradient at them then."""
        return any(isinstance(node.layer, Embedding) and node.inputs[0] == INPUT for node in self.nodes)

    @property
    def target_shape(self) -> Shape:
        """Shape of one target: `()` or one number a step for classes, the output's otherwise."""
        return self.output_shape[:-1] if self.targets == "integer" else self.output_shape

    @property
    def terms_shape(self) -> Shape:
        """Shape of one row's terms of the loss, and of its sample weights."""
        return self.output_shape[:-1]

    @property
    def parameters(self) -> Tuple[Parameter, ...]:
        """All parameters, in the order of the nodes."""
        return tuple(parameter for node in self.nodes for parameter in node.parameters)

    @property
    def statistics(self) -> Tuple[Statistic, ...]:
        """What layers keep from step to step without a gradient, in the order of the nodes."""
        return tuple(statistic for node in self.nodes for statistic in node.statistics)

    @property
    def penalties(self) -> Mapping[str, Tuple[float, float]]:
        """Parameter -> factors of the sum of its absolute values and of its squares, which the loss adds; only where one is not 0."""
        factors = {item.name: item.regularizer.factors for item in self.parameters if item.regularizer}
        return {name: both for name, both in factors.items() if any(both)}

    @property
    def random_nodes(self) -> Tuple[Node, ...]:
        """The nodes that draw something in training (dropout, noise), in order."""
        return tuple(node for node in self.nodes if node.layer.random)

    @property
    def loss_node(self) -> int:
        """Index of the node whose output the loss reads: the last, or the one before a final step."""
        last = self.nodes[-1]
        names = [node.name for node in self.nodes]
        return names.index(last.inputs[0]) if is_step(last.layer) and last.inputs[0] != INPUT else len(names) - 1

    def with_forms(self, forms: Mapping[str, str]) -> ProgramSpec:
        """The same program in other forms."""
        return dataclasses.replace(self, forms=dict(forms))


def program(experiment: Experiment, facts: Facts) -> ProgramSpec:
    """The program of an experiment.

    Raises:
        SpecProblem: a layer cannot take its input, or model, loss and data do not fit together.
    """
    nodes = wired(experiment.model.layers, input_shape(experiment.data, facts))
    train = experiment.train
    for key, message in train.optimizer.problems():
        raise SpecProblem(("train", "optimizer", key), message, code="optimizer")
    targets = target_encoding(experiment.data, facts, train.loss)
    weighted = facts.weighted or getattr(train.loss, "class_weights", None) is not None
    spec = ProgramSpec(nodes, train.loss, train.optimizer, targets, weighted=weighted)
    check_inputs(spec, facts)
    check_fit(spec, facts, experiment.data)
    return spec


def target_encoding(data: Data, facts: Facts, loss: Loss) -> str:
    """How targets are written: as the data say, else the first encoding of the loss that suits them."""
    allowed = loss.targets
    classes = None if data.targets == "inputs" else facts.classes
    if data.targets and data.targets != "inputs":
        if data.targets not in allowed:
            raise SpecProblem(
                ("data", "targets"), f'the loss "{loss.type}" cannot take "{data.targets}" targets',
                f"it takes {' or '.join(allowed)}", code="targets",
            )  # fmt: skip
        chosen: Optional[str] = data.targets
    elif classes is None:
        chosen = "value" if "value" in allowed else None
    else:
        chosen = next((name for name in allowed if name != "binary" or classes == 2), None)
    if chosen is None or (classes is None) != (chosen == "value"):
        kind = "values" if classes is None else f"{classes} classes"
        raise SpecProblem(
            ("train", "loss"), f'the loss "{loss.type}" does not suit data with {kind}',
            "use mse or mae" if classes is None else "use a cross-entropy", code="targets",
        )  # fmt: skip
    if chosen == "binary" and classes != 2:
        raise SpecProblem(
            ("data", "targets"),
            f"binary targets need two classes, but the data have {classes}",
            'use "one_hot"',
            code="targets",
        )
    return chosen


def wanted_outputs(encoding: str, facts: Facts, data: Data) -> Shape:
    """The shape of outputs that targets ask for."""
    if data.targets == "inputs":
        return input_shape(data, facts)
    return (*facts.steps, facts.classes if encoding == "integer" and facts.classes else width(encoding, facts))


def width(encoding: str, facts: Facts) -> int:
    """Values in one target that is no integer."""
    if encoding == "value":
        return facts.outputs
    if encoding == "binary" or (encoding == "sign" and facts.classes == 2):
        return 1
    return facts.classes or 0


def check_inputs(spec: ProgramSpec, facts: Facts) -> None:
    """Embeddings read whole numbers that they have rows for, everything else reads floats.

    Raises:
        SpecProblem: naming what does not fit.
    """
    where = ("model", "layers")
    for node in spec.nodes:
        reads = [name for name in node.inputs if name == INPUT]
        if isinstance(node.layer, MultiHeadAttention) and node.layer.mask is not None and node.inputs[-1] == INPUT:
            reads = reads[1:]
        if not isinstance(node.layer, Embedding):
            if reads and spec.integer_inputs:
                raise SpecProblem(
                    where, f'"{node.name}" reads the data, which are whole numbers', "only an embedding takes them", "model"
                )
            continue
        if node.inputs[0] != INPUT:
            raise SpecProblem(
                where, f'"{node.name}" is an embedding and reads "{node.inputs[0]}"', "an embedding reads the data", "model"
            )
        if facts.integers is None:
            raise SpecProblem(
                ("data",), f'"{node.name}" is an embedding and takes whole numbers, but the data are values',
                "set integer_inputs = true if they are whole numbers", "model",
            )  # fmt: skip
        if node.layer.input_dim < facts.integers:
            raise SpecProblem(
                where,
                f'"{node.name}" has {node.layer.input_dim} rows, but the data have numbers up to {facts.integers - 1}',
                f"input_dim = {facts.integers}",
                "model",
            )
    if facts.integers is not None and not spec.integer_inputs:
        raise SpecProblem(
            where,
            "the data are whole numbers, and no embedding reads them",
            'put an "embedding" first, or set integer_inputs = false',
            "model",
        )


def check_fit(spec: ProgramSpec, facts: Facts, data: Data) -> None:
    """Model, loss and data have to fit together.

    Raises:
        SpecProblem: naming the place.
    """
    where = ("model", "layers")
    wanted = wanted_outputs(spec.targets, facts, data)
    if spec.output_shape != wanted:
        flat = len(wanted) == 1
        raise SpecProblem(
            where, f"the model gives {by(spec.output_shape)} outputs a row, but the targets ({spec.targets}) need {by(wanted)}",
            f"make the last dense layer units = {wanted[-1]}"
            if len(spec.output_shape) == len(wanted)
            else 'put a "flatten" before the last dense layer' if flat else f"the last layer has to give {by(wanted)}",
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
    check_last(spec)
    weights = getattr(spec.loss, "class_weights", None)
    if weights is not None and len(weights) != facts.classes:
        raise SpecProblem(
            ("train", "loss", "class_weights"),
            f"there are {len(weights)} class weights, but {facts.classes} classes",
            code="targets",
        )


def check_last(spec: ProgramSpec) -> None:
    """What the loss takes: logits, or log-probabilities.

    Raises:
        SpecProblem: the last layer gives something else.
    """
    where, last = ("model", "layers"), spec.nodes[-1].layer
    function = last.activation if isinstance(last, Activation) else None
    squashed = isinstance(function, (Softmax, LogSoftmax, Sigmoid))
    if squashed and isinstance(spec.loss, (SoftmaxCrossEntropy, BinaryCrossEntropy)):
        raise SpecProblem(
            where,
            f'the loss "{spec.loss.type}" takes logits, but the last layer is already squashed',
            "leave the last activation out: the loss contains it",
            code="model",
        )
    if isinstance(spec.loss, KLDivergence) and not isinstance(function, LogSoftmax):
        raise SpecProblem(where, 'the loss "kl_divergence" takes log-probabilities', 'put a "log_softmax" last', code="model")


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
