"""The model, loss and optimizer of a spec, in Keras' own classes."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

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

ACTIVATIONS: Dict[str, Any] = {
    "linear": "linear", "step": lambda z: ops.cast(z > 0, z.dtype), "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu",
    "softmax": "softmax",
}  # fmt: skip
LAYERS: Dict[str, Callable[[Any, Any], Any]] = {
    "dense": lambda spec, activation: keras.layers.Dense(spec.units, activation, use_bias=spec.use_bias),
    "flatten": lambda spec, _: keras.layers.Flatten(),
    "dropout": lambda spec, _: keras.layers.Dropout(spec.rate),
}


def layer(node: Node, own: Optional[Node]) -> Any:
    """The Keras layer of a node, with an activation of its own if there is one. Keras names it: its names cannot hold a "/"."""
    if isinstance(node.layer, Activation):
        return keras.layers.Activation(function(node))
    return LAYERS[node.layer.type](node.layer, function(own) if own else None)


def function(node: Node) -> Any:
    """What Keras calls the activation of a node."""
    if not isinstance(node.layer, Activation) or node.layer.activation is None:
        raise TypeError(f"{node.name} is no activation")
    return ACTIVATIONS[node.layer.activation.type]


def is_own(before: Node, node: Node) -> bool:
    """Whether a node is the activation of the dense layer before it (harness.spec.program.elementary)."""
    return before.layer.type == "dense" and node.layer.type == "activation" and node.name.startswith(f"{before.name}/")


class Affine(keras.layers.Layer):  # type: ignore[misc]
    """A dense layer up to its activation, so that the value there can be read."""

    def __init__(self, dense: Any) -> None:
        super().__init__()
        self.dense = dense

    def call(self, x: Any) -> Any:
        """y = x W + b."""
        y = ops.matmul(x, self.dense.kernel)
        return y if self.dense.bias is None else ops.add(y, self.dense.bias)


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
    """Models over the same layers, made when they are first asked for; `native` has to be the first."""

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec = spec
        self.trained = spec.nodes[: spec.loss_node + 1]
        self.masked_nodes = [node for node in spec.nodes if node.layer.type == "dropout"]
        #: activations that the dense layer before them computes
        owned = {a.name: b for a, b in zip(self.trained, self.trained[1:]) if is_own(a, b)}
        self.inside = {b.name: a for a, b in owned.items()}
        self.layers = {node.name: layer(node, owned.get(node.name)) for node in spec.nodes}

    @cached_property
    def native(self) -> Any:
        """x -> what the loss reads."""
        x = keras.Input(self.spec.input_shape)
        return keras.Model(x, self.chain(x, self.trained))

    @cached_property
    def full(self) -> Any:
        """x -> the last node's output."""
        x = keras.Input(self.spec.input_shape)
        return keras.Model(x, self.chain(x, self.spec.nodes))

    @cached_property
    def masked(self) -> Any:
        """x and masks -> what the loss reads."""
        inputs = self.inputs(self.masked_nodes)
        return keras.Model(inputs, self.chain(inputs[0], self.trained, inputs[1:]))

    @cached_property
    def probed(self) -> Any:
        """x, masks, and a tap of zeros added to each node's output, so that the gradient there can be read -> all outputs."""
        inputs = self.inputs([*self.masked_nodes, *self.spec.nodes])
        x, masks, taps = inputs[0], iter(inputs[1:]), inputs[1 + len(self.masked_nodes) :]
        outputs = {}
        for node, tap in zip(self.spec.nodes, taps):
            part = self.layers[node.name]
            if node in self.masked_nodes:
                y = keras.layers.Multiply()([x, next(masks)])
            else:
                y = (Affine(part) if node.name in self.inside.values() else part)(x)
            x = outputs[node.name] = keras.layers.Add()([y, tap])
        return keras.Model(inputs, outputs)

    def inputs(self, nodes: Sequence[Node]) -> List[Any]:
        """The input, and one more for the output of each of these nodes."""
        return [keras.Input(shape) for shape in (self.spec.input_shape, *(node.output_shape for node in nodes))]

    def chain(self, x: Any, nodes: Sequence[Node], masks: Sequence[Any] = ()) -> Any:
        """The output of the last of these nodes; masks, if there are any, take the place of dropout."""
        given = iter(masks)
        for node in nodes:
            if masks and node in self.masked_nodes:
                x = keras.layers.Multiply()([x, next(given)])
            elif node.name not in self.inside:
                x = self.layers[node.name](x)
        return x
