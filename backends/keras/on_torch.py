"""The engine torch: a step runs at once. The state stays in Keras' variables."""

from __future__ import annotations

import sys
from functools import partial
from operator import methodcaller
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch

from .model import Net

torch.set_float32_matmul_precision("highest")  # else GPUs may multiply float32 in less
torch.backends.cudnn.allow_tf32 = False

#: dtype of whole numbers
INTEGERS = "int64"
#: the loss that a call gave
read = methodcaller("item")


def has_gpu() -> bool:
    """Whether there is one."""
    return bool(torch.cuda.is_available())


def versions() -> Dict[str, Any]:
    """Version, threads, precision."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
    }


def compilations() -> int:
    """How many graphs Dynamo has compiled: none as long as nobody asks for it. What has not been imported has compiled none."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return 0 if dynamo is None else int(dynamo.counters["stats"]["unique_graphs"])


class Engine:
    """Steps over a net, with a loss (targets, outputs, weights) and a Keras optimizer."""

    def __init__(self, net: Net, loss: Callable[..., Any], optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.parameters = [variable.value for variable in net.native.trainable_variables]

    def step(self, x: Any, y: Any, weights: Any, drawn: List[Any]) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        outputs = self.net.masked([x, *drawn], training=True) if drawn else self.net.native(x, training=True)
        loss = self.loss(y, outputs, weights)
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            self.optimizer.apply(gradients)
        return loss

    def call(self, batch: Sequence[Any]) -> Callable[[], Any]:
        """A step with this batch."""
        x, y, *rest = batch
        return partial(self.step, x, y, *self.net.arguments(rest))

    def compile(self, batch: Sequence[Any]) -> Dict[str, float]:
        """Nothing to compile."""
        return {}

    def begin(self) -> None:
        """Before a loop: nothing is under way."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def end(self) -> None:
        """After a loop: wait for the device."""
        self.begin()

    def probe(self, x: Any, y: Any, weights: Any, drawn: List[Any], taps: List[Any]) -> Tuple[Any, Dict[str, Any], Any]:
        """Loss, outputs, and the gradients of parameters, taps and input, of the probed model."""
        watched = [] if self.net.spec.integer_inputs else [x.requires_grad_()]
        taps = [tap.requires_grad_() for tap in taps]
        outputs = self.net.probed([x, *drawn, *taps], training=True)
        loss = self.loss(y, outputs[self.net.trained[-1].name], weights)
        sources = [*self.parameters, *taps, *watched]
        gradients = torch.autograd.grad(loss, sources, allow_unused=True, materialize_grads=True)
        first, last = len(self.parameters), len(self.parameters) + len(taps)
        return loss.item(), outputs, (gradients[:first], gradients[first:last], gradients[-1] if watched else None)

    def predict(self, x: Any) -> Any:
        """The output in inference mode."""
        with torch.no_grad():
            return self.net.full(x, training=False)
