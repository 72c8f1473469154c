"""The model: from a staged batch to the loss, to every output, and to predictions."""

from __future__ import annotations

from typing import Any, Dict, Hashable, Sequence, Tuple

import torch

from harness.interface import shared
from harness.spec import INPUT, Node, ProgramSpec
from harness.spec.layers import Recurrent

from .layers import LAYERS
from .losses import loss_function
from .plan import Call, Compiled, Plan
from .tensors import Function, Tensors

#: what plans call what a batch brings beside the inputs (nodes are called by strings), and the loss
TARGETS, WEIGHTS, LOSS = ("batch", "targets"), ("batch", "weights"), ("loss",)


class Net(Tensors):
    """The graph and its loss. A random node reads what it draws as a second input where the batch brings it, else it is torch's own.

    Attributes:
        batch: names of what a staged batch holds, in order.
        calls: of the nodes, random ones reading what they draw.
        loss: the call behind them.
    """

    def __init__(self, spec: ProgramSpec, device: Any, dtype: Any, compiled: bool) -> None:
        super().__init__(spec, device, dtype)
        self.penalties, self.names = dict(spec.penalties), [node.name for node in spec.nodes]
        own = [Call(LAYERS[node.layer.type](node, self), node.inputs, node.name) for node in spec.nodes]
        self.calls = [with_drawn(node) if node.layer.random else call for node, call in zip(spec.nodes, own)]
        bare: Tuple[Hashable, ...] = (INPUT, TARGETS, WEIGHTS) if spec.weighted else (INPUT, TARGETS)
        self.batch = (*bare, *(drawn(node) for node in spec.random_nodes))
        self.loss = Call(self.penalised(loss_function(spec)), (spec.nodes[spec.loss_node].name, *bare[1:]), LOSS)
        eager = {node.name for node in spec.nodes if isinstance(node.layer, Recurrent)}

        def training(calls: Sequence[Call], given: Sequence[Hashable]) -> Function:
            trained = [*calls[: spec.loss_node + 1], self.loss]
            return Compiled(trained, given, [LOSS], eager) if compiled else Plan(trained, given, [LOSS])

        self.given = training(self.calls, self.batch)
        self.drawing = training(own, bare)
        self.inferring = Plan(own, [INPUT], [own[-1].name])

    def forward(self, *batch: Any) -> Any:
        """The loss of a staged batch, in training. Without masks and noise, they are torch's own."""
        return (self.given if len(batch) == len(self.batch) else self.drawing)(*batch)[0]

    def outputs(self, *batch: Any) -> Tuple[Dict[str, Any], Any]:
        """Every node's output, each a tensor of its own in autograd's graph (a node that changes nothing gives its input back), and
        the loss."""
        found: Dict[Hashable, Any] = dict(zip(self.batch, batch))
        for call in (*self.calls, self.loss):
            read = [found[name] for name in call.reads]
            y = call.function(*read)
            found[call.name] = y.view_as(y) if any(y is other for other in read) else y
        return {name: found[name] for name in self.names}, found[LOSS]

    def infer(self, x: Any) -> Any:
        """The last node's output, in inference mode."""
        self.eval()
        with torch.inference_mode():
            (y,) = self.inferring(x)
        self.train()
        return y

    def penalised(self, loss: Function) -> Function:
        """A loss with the penalties on parameters added."""
        if not self.penalties:
            return loss
        return lambda *read: loss(*read) + sum(penalty(self.tensors[name], *both) for name, both in self.penalties.items())


def penalty(tensor: Any, l1: float, l2: float) -> Any:
    """From the factors of the sum of absolute values and of the sum of squares."""
    lasso = l1 * tensor.abs().sum() if l1 else 0.0
    return lasso + l2 * tensor.square().sum() if l2 else lasso


def drawn(node: Node) -> Hashable:
    """What plans call what a random node draws."""
    return ("drawn", node.name)


def with_drawn(node: Node) -> Call:
    """A random node that reads what it draws."""
    return Call(lambda x, draw: shared.randomised(node, x, draw), (*node.inputs, drawn(node)), node.name)
