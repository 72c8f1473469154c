"""The model, loss and optimizer of a spec, in Keras' own classes."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping

import keras
from keras import ops

from harness.spec import Activation, Node, Optimizer, ProgramSpec


def softmax_cross_entropy(y: Any, z: Any) -> Any:
    """For classes or one-hot targets."""
    kind = ops.sparse_categorical_crossentropy if len(y.shape) == 1 else ops.categorical_crossentropy
    return kind(y, z, from_logits=True)


def absolute(difference: Any) -> Any:
    """|d| with gradient 0 at 0: that of jax's own is 1 there."""
    return difference * ops.stop_gradient(ops.sign(difference))


#: terms whose mean is the loss. Keras' own classes and functions around these cost a fifth of a small step on torch; its hinge
#: takes a maximum, whose gradient where both are equal depends on the engine.
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda y, z: ops.square(z - y),
    "mae": lambda y, z: absolute(z - y),
    "binary_cross_entropy": lambda y, z: ops.binary_crossentropy(y, z, from_logits=True),
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": lambda y, z: ops.relu(1 - y * z),
    "perceptron": lambda y, z: ops.where(y * z <= 0, -y * z, ops.zeros_like(z)),
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
