"""The engine jax: a pure step, compiled, that hands the state from one call to the next."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from operator import methodcaller
from typing import Any, Callable, Dict, List, Sequence, Tuple

import jax
import jaxlib
import keras

from .model import Net

config: Any = jax.config
config.update("jax_default_matmul_precision", "highest")  # else GPUs and TPUs multiply float32 in less

#: dtype of whole numbers
INTEGERS = "int32"
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


#: how often JAX has traced, lowered or compiled something, by event
heard: Counter[str] = Counter()


def listen(event: str, seconds: float, **_: Any) -> None:
    """Told of everything that JAX measures (https://docs.jax.dev/en/latest/jax.monitoring.html)."""
    if event.startswith("/jax/core/compile/"):
        heard[event] += 1


jax.monitoring.register_event_duration_secs_listener(listen)


def compilations() -> int:
    """How often JAX has traced, lowered or compiled something."""
    return sum(heard.values())


class Engine:
    """Steps over a net, with a loss (targets, outputs, weights) and a Keras optimizer.

    In a loop the state is in `values`: parameters, other variables (statistics, seeds), the optimizer's variables.
    """

    def __init__(self, net: Net, loss: Callable[..., Any], optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.variables = (net.native.trainable_variables, net.native.non_trainable_variables, optimizer.variables)
        self.values: Any = None
        self.jitted, self.probed, self.full = jax.jit(self.step, donate_argnums=0), jax.jit(self.watch), jax.jit(self.infer)

    def scope(self, parameters: Any, others: Any) -> Any:
        """Where the variables hold these values; what is assigned stays in it."""
        trainable, rest, _ = self.variables
        return keras.StatelessScope(state_mapping=[*zip(trainable, parameters), *zip(rest, others)])

    def step(self, values: Any, x: Any, y: Any, *rest: Any) -> Tuple[Any, Any]:
        """Forward, loss, gradients, update; the loss before it and the state after it."""
        weights, drawn = self.net.arguments(rest)
        parameters, others, slots = values

        def objective(parameters: Any) -> Tuple[Any, Any]:
            with self.scope(parameters, others) as scope:
                outputs = self.net.masked([x, *drawn], training=True) if drawn else self.net.native(x, training=True)
                loss = self.loss(y, outputs, weights)
            return loss, [scope.get_current_value(variable) for variable in self.variables[1]]

        (loss, others), gradients = jax.value_and_grad(objective, has_aux=True)(parameters)
        parameters, slots = self.optimizer.stateless_apply(slots, gradients, parameters)
        return loss, (parameters, others, slots)

    def advance(self, *batch: Any) -> Any:
        """A step from `values` to `values`; the loss before it."""
        loss, self.values = self.jitted(self.values, *batch)
        return loss

    def call(self, batch: Sequence[Any]) -> Callable[[], Any]:
        """A step with this batch."""
        return partial(self.advance, *batch)

    def held(self) -> Any:
        """What the variables hold."""
        return tuple([variable.value for variable in variables] for variables in self.variables)

    def compile(self, batch: Sequence[Any]) -> Dict[str, float]:
        """Ahead of time; later calls find it in jax's cache."""
        start = time.perf_counter()
        lowered = self.jitted.lower(self.held(), *batch)
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

    def probe(self, *arguments: Any) -> Tuple[Any, Dict[str, Any], Any]:
        """Loss, outputs, and the gradients of parameters, taps and input, of the probed model."""
        parameters, others, _ = self.held()
        (loss, outputs), (at_parameters, at_taps, *at_input) = self.probed(parameters, others, *arguments)
        return loss.item(), outputs, (at_parameters, at_taps, at_input[0] if at_input else None)

    def watch(self, parameters: Any, others: Any, x: Any, y: Any, weights: Any, drawn: List[Any], taps: List[Any]) -> Any:
        """The pure function of `probe`."""

        def objective(parameters: Any, taps: Any, x: Any) -> Tuple[Any, Any]:
            with self.scope(parameters, others):
                outputs = self.net.probed([x, *drawn, *taps], training=True)
                return self.loss(y, outputs[self.net.trained[-1].name], weights), outputs

        watched = (0, 1) if self.net.spec.integer_inputs else (0, 1, 2)
        return jax.value_and_grad(objective, watched, has_aux=True)(parameters, taps, x)

    def predict(self, x: Any) -> Any:
        """The output in inference mode."""
        parameters, others, _ = self.held()
        return self.full(parameters, others, x)

    def infer(self, parameters: Any, others: Any, x: Any) -> Any:
        """The pure function of `predict`."""
        with self.scope(parameters, others):
            return self.net.full(x, training=False)
