"""The engine tensorflow: a step traced into a graph. The state stays in Keras' variables."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Callable, Dict, List, Sequence, Tuple

import tensorflow as tf

from .model import Net

tf.config.experimental.enable_tensor_float_32_execution(False)  # else GPUs multiply float32 in less

#: dtype of targets that are classes
CLASSES = "int64"


def has_gpu() -> bool:
    """Whether there is one."""
    return bool(tf.config.list_physical_devices("GPU"))


def versions() -> Dict[str, Any]:
    """Version, oneDNN, threads (0: as many as cores), TF32."""
    threads = tf.config.threading
    return {
        "tensorflow": tf.version.VERSION,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "intra_op_threads": threads.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0")),
        "inter_op_threads": threads.get_inter_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTEROP_THREADS", "0")),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
    }


def read(outputs: Sequence[Any]) -> float:
    """The loss that a call gave."""
    return float(outputs[0])


class Engine:
    """Steps over a net, with a loss (targets, outputs) and a Keras optimizer."""

    def __init__(self, net: Net, loss: Callable[[Any, Any], Any], optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.traced, self.probed, self.full = (tf.function(body, autograph=False) for body in (self.step, self.watch, self.infer))

    def step(self, y: Any, x: Any, *masks: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        model = self.net.masked if masks else self.net.native
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(y, model([x, *masks] if masks else x, training=True))
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def call(self, arguments: Sequence[Any]) -> Callable[[], Any]:
        """A step with these arguments, as the op that runs a graph: `tf.function` canonicalises its arguments at every call,
        which takes 140 us, and a concrete function still 50."""
        graph = self.traced.get_concrete_function(*arguments)
        types = [output.dtype for output in graph.outputs]
        return partial(tf.raw_ops.StatefulPartitionedCall, args=[*arguments, *graph.captured_inputs], Tout=types, f=graph)

    def compile(self, arguments: Sequence[Any]) -> Dict[str, float]:
        """Trace, then run once: only that builds the kernels. Moves the state."""
        start = time.perf_counter()
        call = self.call(arguments)
        traced = time.perf_counter()
        read(call())
        return {"trace": traced - start, "first_run": time.perf_counter() - traced}

    def begin(self) -> None:
        """Before a loop: nothing is under way."""
        tf.test.experimental.sync_devices()

    def end(self) -> None:
        """After a loop: wait for the device."""
        tf.test.experimental.sync_devices()

    def probe(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """Loss, outputs, and the gradients of parameters and inputs, of the probed model."""
        loss, outputs, gradients = self.probed(y, inputs)
        return float(loss), outputs, gradients

    def watch(self, y: Any, inputs: List[Any]) -> Tuple[Any, Dict[str, Any], List[Any]]:
        """The graph of `probe`."""
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = self.net.probed(inputs, training=True)
            loss = self.loss(y, outputs[self.net.trained[-1].name])
        sources = [*(variable.value for variable in self.net.probed.trainable_variables), *inputs]
        return loss, outputs, tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def predict(self, x: Any) -> Any:
        """The output in inference mode."""
        return self.full(x)

    def infer(self, x: Any) -> Any:
        """The graph of `predict`."""
        return self.net.full(x, training=False)
