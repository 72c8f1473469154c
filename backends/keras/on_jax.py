"""The engine jax: pure steps, compiled, that give the state from one to the next."""

from __future__ import annotations

import time
from operator import methodcaller
from typing import Any, Dict, List, Sequence, Tuple

import jax

from .model import Net

#: dtype of targets that are classes
CLASSES = "int32"
#: a loss as a Python float; float() takes 4 us longer
read = methodcaller("item")


def configure(dtype: str) -> None:
    """Full precision."""
    jax.config.update("jax_default_matmul_precision", "highest")
    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)


def has_gpu() -> bool:
    """Whether there is one."""
    return any(device.platform == "gpu" for device in jax.devices())


def versions() -> Dict[str, Any]:
    """Versions, precision."""
    precision = jax.config.jax_default_matmul_precision
    return {"jax": jax.__version__, "jaxlib": jax.lib.__version__, "x64": jax.config.jax_enable_x64, "precision": precision}


class Engine:
    """During a loop the state is in `values`: parameters, other variables (seeds), optimizer variables."""

    def __init__(self, net: Net, loss: Any, optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        model = net.native
        self.variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
        self.values: Any = None
        self.native_step, self.masked_step = (jax.jit(step, donate_argnums=0) for step in (self.native_pure, self.masked_pure))
        self.probed, self.full = jax.jit(self.watch), jax.jit(self.infer_pure)

    def objective(self, parameters: Any, others: Any, model: Any, y: Any, inputs: Any) -> Tuple[Any, Any]:
        """The loss, and the other variables after it."""
        outputs, others = model.stateless_call(parameters, others, inputs, training=True)
        return self.loss(y, outputs), others

    def update(self, gradients: Any, parameters: Any, others: Any, slots: Any) -> Any:
        """The state after an update."""
        parameters, slots = self.optimizer.stateless_apply(slots, gradients, parameters)
        return parameters, others, slots

    def native_pure(self, values: Any, y: Any, x: Any) -> Tuple[Any, Any]:
        """A step with Keras' dropout: the loss before it, the state after it."""
        parameters, others, slots = values
        gradient = jax.value_and_grad(self.objective, has_aux=True)
        (loss, others), gradients = gradient(parameters, others, self.net.native, y, x)
        return loss, self.update(gradients, parameters, others, slots)

    def masked_pure(self, values: Any, y: Any, *inputs: Any) -> Tuple[Any, Any]:
        """A step with masks; it draws nothing, so the seeds stay."""
        parameters, others, slots = values
        gradient = jax.value_and_grad(self.objective, has_aux=True)
        (loss, _), gradients = gradient(parameters, [], self.net.masked, y, list(inputs))
        return loss, self.update(gradients, parameters, others, slots)

    def native(self, y: Any, x: Any) -> Any:
        """A step from `values` to `values`; the loss before it."""
        loss, self.values = self.native_step(self.values, y, x)
        return loss

    def masked(self, y: Any, *inputs: Any) -> Any:
        """The same with masks."""
        loss, self.values = self.masked_step(self.values, y, *inputs)
        return loss

    def call(self, arguments: Sequence[Any]) -> Any:
        """What to call with these arguments."""
        return self.native if len(arguments) == 2 else self.masked  # noqa: PLR2004

    def held(self) -> Any:
        """What the variables hold."""
        return tuple([variable.value for variable in variables] for variables in self.variables)

    def compile(self, arguments: Sequence[Any]) -> Dict[str, float]:
        """Ahead of time; later calls find it in jax's cache."""
        step = self.native_step if len(arguments) == 2 else self.masked_step  # noqa: PLR2004
        start = time.perf_counter()
        lowered = step.lower(self.held(), *arguments)
        half = time.perf_counter()
        lowered.compile()
        return {"lower": half - start, "compile": time.perf_counter() - half}

    def begin(self) -> None:
        """Before a loop: take the state out of the variables, which give their buffers away."""
        self.values = jax.block_until_ready(self.held())

    def end(self) -> None:
        """After a loop: wait for the device, put the state back."""
        for variables, values in zip(self.variables, jax.block_until_ready(self.values)):
            for variable, value in zip(variables, values):
                variable.assign(value)
        self.values = None

    def watch(self, parameters: Any, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """Loss, outputs, and the gradients of parameters and inputs, of the probed model."""

        def objective(parameters: Any, inputs: Any) -> Tuple[Any, Any]:
            outputs, _ = self.net.probed.stateless_call(parameters, [], inputs, training=True)
            return self.loss(y, outputs[self.net.trained[-1].name]), outputs

        (loss, outputs), gradients = jax.value_and_grad(objective, (0, 1), has_aux=True)(parameters, inputs)
        return loss, outputs, [*gradients[0], *gradients[1]]

    def probe(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """The same, compiled."""
        return self.probed(self.held()[0], y, inputs)  # type: ignore[no-any-return]

    def infer_pure(self, parameters: Any, others: Any, x: Any) -> Any:
        """Inference as a pure function."""
        return self.net.full.stateless_call(parameters, others, x, training=False)[0]

    def infer(self, x: Any) -> Any:
        """Inference."""
        parameters, others, _ = self.held()
        return self.full(parameters, others, x)
