"""The model, loss and optimizer of a spec, in Keras' own classes."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping

import keras
from keras import ops

from harness.spec import Activation, Node, Optimizer, ProgramSpec


class MeanAbsoluteError(keras.losses.Loss):
    """mean(|p - y|) with gradient 0 at p = y: the gradient of jax's own abs is 1 there."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        difference = y_pred - y_true
        return ops.mean(difference * ops.stop_gradient(ops.sign(difference)), axis=-1)


class Hinge(keras.losses.Loss):
    """mean(max(0, 1 - y z)) with gradient 0 at y z = 1: Keras' own takes a maximum, which has another one in each engine."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.relu(1 - y_true * y_pred), axis=-1)


class Perceptron(keras.losses.Loss):
    """mean(max(0, -y z)) with gradient -y wherever y z <= 0."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        margin = y_true * y_pred
        return ops.mean(ops.where(margin <= 0, -margin, ops.zeros_like(margin)), axis=-1)


def softmax_cross_entropy(targets: str, dtype: str) -> Any:
    """For classes or one-hot targets."""
    losses = keras.losses
    kind = losses.SparseCategoricalCrossentropy if targets == "integer" else losses.CategoricalCrossentropy
    return kind(from_logits=True, dtype=dtype)


#: encoding of the targets, dtype -> loss
LOSSES: Dict[str, Callable[[str, str], Any]] = {
    "mse": lambda targets, dtype: keras.losses.MeanSquaredError(dtype=dtype),
    "mae": lambda targets, dtype: MeanAbsoluteError(dtype=dtype),
    "binary_cross_entropy": lambda targets, dtype: keras.losses.BinaryCrossentropy(from_logits=True, dtype=dtype),
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": lambda targets, dtype: Hinge(dtype=dtype),
    "perceptron": lambda targets, dtype: Perceptron(dtype=dtype),
}

LAYERS: Dict[str, Callable[[Any], Any]] = {
    "dense": lambda spec: keras.layers.Dense(spec.units, use_bias=spec.use_bias, kernel_initializer="zeros"),
    "flatten": lambda spec: keras.layers.Flatten(),
    "dropout": lambda spec: keras.layers.Dropout(spec.rate),
}
ACTIVATIONS: Dict[str, Any] = {
    "linear": "linear", "step": lambda z: ops.cast(z > 0, z.dtype), "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu",
    "softmax": "softmax",
}  # fmt: skip


def layer(node: Node) -> Any:
    """The Keras layer of a node. Keras names it: its names cannot hold a "/"."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return keras.layers.Activation(ACTIVATIONS[node.layer.activation.type])
    return LAYERS[node.layer.type](node.layer)


def sgd(spec: Any) -> Any:
    """SGD; Keras wants the momentum as a float."""
    return keras.optimizers.SGD(spec.learning_rate, momentum=float(spec.momentum), nesterov=spec.nesterov)


def rmsprop(spec: Any) -> Any:
    """RMSprop."""
    return keras.optimizers.RMSprop(spec.learning_rate, rho=spec.rho, momentum=float(spec.momentum), epsilon=spec.epsilon)


def adam(spec: Any, **more: Any) -> Any:
    """Adam, or AdamW where there is a decay."""
    kind = keras.optimizers.AdamW if more else keras.optimizers.Adam
    return kind(spec.learning_rate, beta_1=spec.beta_1, beta_2=spec.beta_2, epsilon=spec.epsilon, **more)


OPTIMIZERS: Dict[str, Callable[[Any], Any]] = {
    "sgd": sgd, "adam": adam, "adamw": lambda spec: adam(spec, weight_decay=float(spec.weight_decay)), "rmsprop": rmsprop,
}  # fmt: skip
#: our slots -> how Keras' names of them end
SLOTS: Mapping[str, Mapping[str, str]] = {
    "sgd": {"velocity": "momentum"},
    "adam": {"first_moment": "momentum", "second_moment": "velocity"},
    "adamw": {"first_moment": "momentum", "second_moment": "velocity"},
    "rmsprop": {"mean_square": "velocity", "velocity": "momentum"},
}


def slots(spec: Optimizer, optimizer: Any) -> Dict[str, List[Any]]:
    """Slot -> its variables, in the order of the parameters; only those that the optimizer keeps."""
    found = {
        slot: [variable for variable in optimizer.variables if variable.name.endswith(f"_{ending}")]
        for slot, ending in SLOTS[spec.type].items()
    }
    return {slot: variables for slot, variables in found.items() if variables}


class Net:
    """Models over the same layers, made when they are first asked for."""

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self.layers = [layer(node) for node in spec.nodes]
        self.read_node = spec.nodes[spec.loss_node].name
        self.masked_nodes = [node for node in spec.nodes if node.layer.type == "dropout"]

    @cached_property
    def native(self) -> Any:
        """x -> what the loss reads."""
        return self.chain(self.spec.loss_node)

    @cached_property
    def full(self) -> Any:
        """x -> the last node's output."""
        return self.native if self.spec.loss_node == len(self.layers) - 1 else self.chain(len(self.layers) - 1)

    def chain(self, last: int) -> Any:
        """x -> the output of one node."""
        x = outputs = keras.Input(self.spec.input_shape)
        for part in self.layers[: last + 1]:
            outputs = part(outputs)
        return keras.Model(x, outputs)

    @cached_property
    def masked(self) -> Any:
        """x and masks -> what the loss reads."""
        inputs = self.inputs(self.masked_nodes)
        return keras.Model(inputs, self.walk(inputs, tapped=False)[self.read_node])

    @cached_property
    def probed(self) -> Any:
        """x, masks and a tap of zeros for each node, added to its output, so that the gradient there can be read -> all outputs."""
        inputs = self.inputs([*self.masked_nodes, *self.spec.nodes])
        return keras.Model(inputs, self.walk(inputs, tapped=True))

    def inputs(self, nodes: List[Node]) -> List[Any]:
        """The input, and one more for the output of each of these nodes."""
        return [keras.Input(shape) for shape in (self.spec.input_shape, *(node.output_shape for node in nodes))]

    def walk(self, inputs: List[Any], tapped: bool) -> Dict[str, Any]:
        """The output of every node, with masks in place of dropout."""
        x, *rest = inputs
        masks, taps = iter(rest[: len(self.masked_nodes)]), iter(rest[len(self.masked_nodes) :])
        outputs = {}
        for node, part in zip(self.spec.nodes, self.layers):
            x = keras.layers.Multiply()([x, next(masks)]) if node in self.masked_nodes else part(x)
            x = keras.layers.Add()([x, next(taps)]) if tapped else x
            outputs[node.name] = x
        return outputs
