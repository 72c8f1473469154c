"""The model as a module, and the losses: every node a function of one tensor over the module's own parameters.

Functions, because on small nets calling a submodule and looking its parameters up costs as much as computing it: 12 % of a step
of a 64-128-64-10 net on one core.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import torch
from torch import nn
from torch.nn import functional

from harness.spec import Node, ProgramSpec


class Net(nn.Module):
    """The chain of nodes. `tensors` holds the parameters by canonical name; dense kernels are `(out, in)`, as torch has them."""

    def __init__(self, spec: ProgramSpec, **placed: Any) -> None:
        super().__init__()
        shapes = {parameter.name: parameter.shape[::-1] for parameter in spec.parameters}
        self.tensors = {name: nn.Parameter(torch.zeros(shape, **placed)) for name, shape in shapes.items()}
        self.owned = nn.ParameterList(self.tensors.values())
        self.functions = [self.function(node) for node in spec.nodes]
        self.dropouts = [node.layer.type == "dropout" for node in spec.nodes]
        self.trained = self.functions[: spec.loss_node + 1]

    def function(self, node: Node) -> Callable[[Any], Any]:
        """What a node computes."""
        layer: Any = node.layer
        return ACTIVATIONS[layer.activation.type] if layer.type == "activation" else LAYERS[layer.type](self, node)

    def forward(self, x: Any, *masks: Any) -> Any:
        """What the loss reads. Without masks, dropout is torch's own."""
        if masks:
            return self.outputs(x, masks)[len(self.trained) - 1]
        for function in self.trained:
            x = function(x)
        return x

    def outputs(self, x: Any, masks: Tuple[Any, ...]) -> List[Any]:
        """Every node's output, with one mask for each dropout node."""
        found, left = [], iter(masks)
        for function, dropout in zip(self.functions, self.dropouts):
            x = x * next(left) if dropout else function(x)
            found.append(x)
        return found

    def infer(self, x: Any) -> Any:
        """The last node's output, in inference mode."""
        self.eval()
        with torch.inference_mode():
            for function in self.functions:
                x = function(x)
        self.train()
        return x


def dense(net: Net, node: Node) -> Callable[[Any], Any]:
    """y = x W + b."""
    weight, bias = net.tensors[f"{node.name}/kernel"], net.tensors.get(f"{node.name}/bias")
    return lambda x: functional.linear(x, weight, bias)


def flatten(net: Net, node: Node) -> Callable[[Any], Any]:
    """All axes but the rows made one."""
    return lambda x: x.flatten(1)


def dropout(net: Net, node: Node) -> Callable[[Any], Any]:
    """Torch's own; the identity in inference."""
    layer: Any = node.layer
    return lambda x: functional.dropout(x, layer.rate, net.training)


LAYERS: Dict[str, Callable[[Net, Node], Callable[[Any], Any]]] = {"dense": dense, "flatten": flatten, "dropout": dropout}
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "step": lambda x: torch.sign(torch.relu(x)),  # torch.heaviside has no gradient at all, this has the zero one
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda x: torch.softmax(x, -1),
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    "softmax_cross_entropy": functional.cross_entropy,
    "hinge": lambda z, y: torch.relu(1 - y * z).mean(),
    "perceptron": lambda z, y: torch.clamp(-y * z, min=0).mean(),  # unlike relu's, clamp's gradient at 0 is 1
}
