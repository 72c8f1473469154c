"""The engine tensorflow: steps traced into graphs."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Sequence, Tuple

import tensorflow as tf

from .model import Net

#: dtype of targets that are classes
CLASSES = "int64"
#: a loss as a Python float
read = float


def configure(dtype: str) -> None:
    """Full precision."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def has_gpu() -> bool:
    """Whether there is one."""
    return bool(tf.config.list_physical_devices("GPU"))


def versions() -> Dict[str, Any]:
    """Version, oneDNN, threads (0: as many as cores), TF32."""
    return {
        "tensorflow": tf.version.VERSION,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
    }


class Engine:
    """The state stays in Keras' variables."""

    def __init__(self, net: Net, loss: Any, optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.native, self.masked = (tf.function(step, autograph=False) for step in (self.native_step, self.masked_step))
        self.probed, self.infer = (tf.function(body, autograph=False) for body in (self.watch, self.full))

    def native_step(self, y: Any, x: Any) -> Any:
        """A step with Keras' dropout."""
        return self.step(self.net.native, y, x)

    def masked_step(self, y: Any, *inputs: Any) -> Any:
        """A step with masks."""
        return self.step(self.net.masked, y, list(inputs))

    def step(self, model: Any, y: Any, inputs: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        with tf.GradientTape() as tape:
            loss = self.loss(y, model(inputs, training=True))
        self.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        return loss

    def call(self, arguments: Sequence[Any]) -> Any:
        """What to call with these arguments: a concrete function, since `tf.function` looks its arguments up at every call."""
        return (self.native if len(arguments) == 2 else self.masked).get_concrete_function(*arguments)  # noqa: PLR2004

    def compile(self, arguments: Sequence[Any]) -> Dict[str, float]:
        """Trace, then run once: only that builds the kernels. Moves the state."""
        start = time.perf_counter()
        step = self.call(arguments)
        traced = time.perf_counter()
        float(step(*arguments))
        return {"trace": traced - start, "first_run": time.perf_counter() - traced}

    def begin(self) -> None:
        """Before a loop: nothing is under way."""
        tf.test.experimental.sync_devices()

    def end(self) -> None:
        """After a loop: wait for the device."""
        tf.test.experimental.sync_devices()

    def watch(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """Loss, outputs, and the gradients of parameters and inputs, of the probed model."""
        model = self.net.probed
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs, training=True)
            loss = self.loss(y, outputs[self.net.trained[-1].name])
        sources = [*(variable.value for variable in model.trainable_variables), *inputs]
        return loss, outputs, tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def probe(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """The same, traced."""
        return self.probed(y, inputs)  # type: ignore[no-any-return]

    def full(self, x: Any) -> Any:
        """Inference."""
        return self.net.full(x, training=False)
