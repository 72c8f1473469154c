"""The engine jax: a pure step, compiled, that hands the state from one call to the next."""

from __future__ import annotations

import time
from functools import partial
from operator import methodcaller
from typing import Any, Callable, Dict, List, Sequence, Tuple

import jax
import jaxlib

from .model import Net

config: Any = jax.config
config.update("jax_default_matmul_precision", "highest")  # else GPUs and TPUs multiply float32 in less

#: dtype of targets that are classes
CLASSES = "int32"
#: the loss that a call gave; float() takes 4 us longer
read = methodcaller("item")
ready: Callable[[Any], Any] = jax.block_until_ready


def has_gpu() -> bool:
    """Whether there is one."""
    return any(device.platform == "gpu" for device in jax.devices())


def versions() -> Dict[str, Any]:
    """Versions, platform, precision."""
    return {
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "platform": jax.default_backend(),
        "x64": config.jax_enable_x64,
        "matmul_precision": config.jax_default_matmul_precision,
    }


class Engine:
    """Steps over a net, with a loss (targets, outputs) and a Keras optimizer.

    In a loop the state is in `values`: parameters, other variables (seeds), the optimizer's variables.
    """

    def __init__(self, net: Net, loss: Callable[[Any, Any], Any], optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.variables = (net.native.trainable_variables, net.native.non_trainable_variables, optimizer.variables)
        self.values: Any = None
        self.jitted, self.probed, self.full = jax.jit(self.step, donate_argnums=0), jax.jit(self.watch), jax.jit(self.infer)

    def step(self, values: Any, y: Any, x: Any, *masks: Any) -> Tuple[Any, Any]:
        """Forward, loss, gradients, update; the loss before it and the state after it. With masks nothing is drawn."""
        parameters, others, slots = values

        def objective(parameters: Any) -> Tuple[Any, Any]:
            if masks:
                return self.loss(y, self.net.masked.stateless_call(parameters, [], [x, *masks], training=True)[0]), others
            outputs, drawn = self.net.native.stateless_call(parameters, others, x, training=True)
            return self.loss(y, outputs), drawn

        (loss, others), gradients = jax.value_and_grad(objective, has_aux=True)(parameters)
        parameters, slots = self.optimizer.stateless_apply(slots, gradients, parameters)
        return loss, (parameters, others, slots)

    def advance(self, *arguments: Any) -> Any:
        """A step from `values` to `values`; the loss before it."""
        loss, self.values = self.jitted(self.values, *arguments)
        return loss

    def call(self, arguments: Sequence[Any]) -> Callable[[], Any]:
        """A step with these arguments."""
        return partial(self.advance, *arguments)

    def held(self) -> Any:
        """What the variables hold."""
        return tuple([variable.value for variable in variables] for variables in self.variables)

    def compile(self, arguments: Sequence[Any]) -> Dict[str, float]:
        """Ahead of time; later calls find it in jax's cache."""
        start = time.perf_counter()
        lowered = self.jitted.lower(self.held(), *arguments)
        half = time.perf_counter()
        lowered.compile()
        return {"lower": half - start, "compile": time.perf_counter() - half}

    def begin(self) -> None:
        """Before a loop: take the state out of the variables, whose buffers are given away."""
        self.values = ready(self.held())

    def end(self) -> None:
        """After a loop: wait for the device, put the state back."""
        for variables, values in zip(self.variables, ready(self.values)):
            for variable, value in zip(variables, values):
                variable.assign(value)
        self.values = None

    def probe(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """Loss, outputs, and the gradients of parameters and inputs, of the probed model."""
        (loss, outputs), (parameters, rest) = self.probed(self.held()[0], y, inputs)
        return loss.item(), outputs, [*parameters, *rest]

    def watch(self, parameters: Any, y: Any, inputs: Any) -> Any:
        """The pure function of `probe`."""

        def objective(parameters: Any, inputs: Any) -> Tuple[Any, Any]:
            outputs, _ = self.net.probed.stateless_call(parameters, [], inputs, training=True)
            return self.loss(y, outputs[self.net.trained[-1].name]), outputs

        return jax.value_and_grad(objective, (0, 1), has_aux=True)(parameters, inputs)

    def predict(self, x: Any) -> Any:
        """The output in inference mode."""
        parameters, others, _ = self.held()
        return self.full(parameters, others, x)

    def infer(self, parameters: Any, others: Any, x: Any) -> Any:
        """The pure function of `predict`."""
        return self.net.full.stateless_call(parameters, others, x, training=False)[0]
