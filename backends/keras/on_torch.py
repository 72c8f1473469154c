"""The engine torch: steps run at once."""

from __future__ import annotations

from operator import methodcaller
from typing import Any, Dict, List, Sequence, Tuple

import torch

from .model import Net

#: dtype of targets that are classes
CLASSES = "int64"
#: a loss as a Python float
read = methodcaller("item")


def configure(dtype: str) -> None:
    """Full precision."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def has_gpu() -> bool:
    """Whether there is one."""
    return torch.cuda.is_available()


def versions() -> Dict[str, Any]:
    """Version, threads, TF32."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads(), "tf32": torch.backends.cuda.matmul.allow_tf32}


class Engine:
    """The state stays in Keras' variables."""

    def __init__(self, net: Net, loss: Any, optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.parameters = [variable.value for variable in net.native.trainable_variables]

    def native(self, y: Any, x: Any) -> Any:
        """A step with Keras' dropout."""
        return self.step(self.net.native, y, x)

    def masked(self, y: Any, *inputs: Any) -> Any:
        """A step with masks."""
        return self.step(self.net.masked, y, list(inputs))

    def step(self, model: Any, y: Any, inputs: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        loss = self.loss(y, model(inputs, training=True))
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        with torch.no_grad():
            self.optimizer.apply([parameter.grad for parameter in self.parameters])
        return loss

    def call(self, arguments: Sequence[Any]) -> Any:
        """What to call with these arguments."""
        return self.native if len(arguments) == 2 else self.masked  # noqa: PLR2004

    def compile(self, arguments: Sequence[Any]) -> Dict[str, float]:
        """Nothing to compile."""
        return {}

    def begin(self) -> None:
        """Before a loop: nothing is under way."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def end(self) -> None:
        """After a loop: wait for the device."""
        self.begin()

    def probe(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """Loss, outputs, and the gradients of parameters and inputs, of the probed model."""
        inputs = [tensor.requires_grad_() for tensor in inputs]
        outputs = self.net.probed(inputs, training=True)
        loss = self.loss(y, outputs[self.net.trained[-1].name])
        gradients = torch.autograd.grad(loss, [*self.parameters, *inputs], allow_unused=True, materialize_grads=True)
        return loss, outputs, list(gradients)

    def infer(self, x: Any) -> Any:
        """Inference."""
        with torch.no_grad():
            return self.net.full(x, training=False)
