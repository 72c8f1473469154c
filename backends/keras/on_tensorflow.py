"""The engine tensorflow: a step traced into a graph. The state stays in Keras' variables."""

from __future__ import annotations

import os
import time
from collections import Counter
from functools import partial
from typing import Any, Callable, Dict, List, Sequence, Tuple

import keras
import tensorflow as tf

from .model import Net

tf.config.experimental.enable_tensor_float_32_execution(False)  # else GPUs multiply float32 in less

#: dtype of whole numbers
INTEGERS = "int64"


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


#: how often each body was traced
traced: Counter[str] = Counter()


def function(body: Callable[..., Any]) -> Any:
    """A traced function that counts itself: a body's Python runs when it is traced, and only then
    (https://www.tensorflow.org/guide/function#executing_python_side_effects)."""

    def counting(*arguments: Any) -> Any:
        traced[body.__name__] += 1
        return body(*arguments)

    return tf.function(counting, autograph=False)


def compilations() -> int:
    """How often something was traced."""
    return sum(traced.values())


class Engine:
    """Steps over a net, with a loss (targets, outputs, weights) and a Keras optimizer."""

    def __init__(self, net: Net, loss: Callable[..., Any], optimizer: Any) -> None:
        self.net, self.loss, self.optimizer = net, loss, optimizer
        rule = net.spec.optimizer
        #: what is linear in a gradient may keep it as rows of a table
        self.sparse = rule.type == "sgd" and not any((rule.clip_value, rule.clip_norm, rule.global_clip_norm))
        self.traced, self.probed, self.full = (function(body) for body in (self.step, self.watch, self.infer))
        self.looped = function(self.several)

    def step(self, x: Any, y: Any, *rest: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        weights, drawn = self.net.arguments(rest)
        model = self.net.masked if drawn else self.net.native
        variables = model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.loss(y, model([x, *drawn] if drawn else x, training=True), weights)
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply(gradients if self.sparse else [dense(gradient) for gradient in gradients], variables)
        return loss

    def call(self, batch: Sequence[Any]) -> Callable[[], Any]:
        """A step with this batch, as the op that runs a graph: `tf.function` canonicalises its arguments at every call,
        which takes 140 us, and a concrete function still 50."""
        graph = self.traced.get_concrete_function(*batch)
        types = [output.dtype for output in graph.outputs]
        return partial(tf.raw_ops.StatefulPartitionedCall, args=[*batch, *graph.captured_inputs], Tout=types, f=graph)

    def several(self, length: Any, place: Any, *batches: Any) -> Tuple[Any, Any]:
        """The graph of `length` steps over stacked batches in turn, from a place on: the last one's loss, and the place of the next batch.
        The length is a tensor, and so one graph serves any number."""
        count = batches[0].shape[0]

        def one(left: Any, place: Any, loss: Any) -> Tuple[Any, Any, Any]:
            loss = self.step(*(array[place] for array in batches))
            return left - 1, (place + 1) % count, loss

        # one iteration at a time: each reads the variables that the one before has written
        start = (length, place, tf.zeros((), self.net.native.dtype))
        _, place, loss = tf.while_loop(lambda left, *_: left > 0, one, start, parallel_iterations=1)
        return loss, place

    def call_of_several(self, batches: Sequence[Any], length: int) -> Callable[[], Any]:
        """The next steps over the stacked batches, so many in one call, as `call` does it."""
        steps, place = tf.constant(length), tf.constant(0)
        graph = self.looped.get_concrete_function(steps, place, *batches)
        fixed, types = [*batches, *graph.captured_inputs], [output.dtype for output in graph.outputs]

        def call() -> Any:
            nonlocal place
            outputs = tf.raw_ops.StatefulPartitionedCall(args=[steps, place, *fixed], Tout=types, f=graph)
            place = outputs[1]
            return outputs

        return call

    def compile(self, batch: Sequence[Any]) -> Dict[str, float]:
        """Trace, then run once: only that builds the kernels. Moves the state."""
        start = time.perf_counter()
        call = self.call(batch)
        traced = time.perf_counter()
        read(call())
        return {"trace": traced - start, "first_run": time.perf_counter() - traced}

    def begin(self) -> None:
        """Before a loop: nothing is under way."""
        tf.test.experimental.sync_devices()

    def end(self) -> None:
        """After a loop: wait for the device."""
        tf.test.experimental.sync_devices()

    def probe(self, *arguments: Any) -> Tuple[Any, Dict[str, Any], Any]:
        """Loss, outputs, and the gradients of parameters, taps and input, of the probed model."""
        loss, outputs, gradients = self.probed(*arguments)
        return float(loss), outputs, gradients

    def watch(self, x: Any, y: Any, weights: Any, drawn: List[Any], taps: List[Any]) -> Tuple[Any, Dict[str, Any], Any]:
        """The graph of `probe`."""
        watched = None if self.net.spec.integer_inputs else x
        with tf.GradientTape() as tape, keras.StatelessScope():
            tape.watch([taps] if watched is None else [taps, x])
            outputs = self.net.probed([x, *drawn, *taps], training=True)
            loss = self.loss(y, outputs[self.net.trained[-1].name], weights)
        parameters = [variable.value for variable in self.net.native.trainable_variables]
        sources = [parameters, taps] if watched is None else [parameters, taps, x]
        at_parameters, *others = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        at_taps, at_input = others if others[1:] else (others[0], None)
        return loss, outputs, ([dense(gradient) for gradient in at_parameters], at_taps, at_input)

    def predict(self, x: Any) -> Any:
        """The output in inference mode."""
        return self.full(x)

    def infer(self, x: Any) -> Any:
        """The graph of `predict`."""
        return self.net.full(x, training=False)


def dense(gradient: Any) -> Any:
    """A gradient that may be rows of a table: where one row stands twice, Keras' rules would square its parts alone
    (https://github.com/keras-team/keras/pull/18692), and clip them alone."""
    return tf.convert_to_tensor(gradient)
