"""The program: variables, and steps traced over them."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import cycle
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy
import tensorflow as tf

from harness.interface import Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import Dropout, Node, ProgramSpec, active_slots

from .layers import ACTIVATIONS, LAYERS, LOSSES, Drop, apply
from .optimizers import OPTIMIZERS, slot_names

tf.config.experimental.enable_tensor_float_32_execution(False)  # else GPUs multiply float32 in less

FORMS = {"adam.epsilon": "hat", "rmsprop.epsilon": "inside", "rmsprop.momentum": "lr_velocity"}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(tf.config.list_physical_devices("GPU")), "tensorflow")
    if spec.optimizer.type == "adamw":
        return [*reasons, "TensorFlow's training ops have no AdamW"]
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Version, oneDNN, threads (0: as many as cores), TF32, CUDA."""
    build, threads = tf.sysconfig.get_build_info(), tf.config.threading
    return {
        "tensorflow": tf.version.VERSION,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "intra_op_threads": threads.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0")),
        "inter_op_threads": threads.get_inter_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTEROP_THREADS", "0")),
        "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "cuda": build.get("cuda_version", ""),
    }


class Program:
    """Mode "xla" compiles the whole step (`jit_compile`); the plain mode runs its graph op by op."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.xla = spec, dtype, mode == "xla"
        self.device = f"/{device.upper()}:0"
        self.dropouts = [node.name for node in spec.nodes if isinstance(node.layer, Dropout)]
        with tf.device(self.device):
            self.parameters = self.variables()
            self.slots = {slot: self.variables() for slot in slot_names(spec.optimizer)}
            self.random = tf.random.Generator.from_seed(0)
            self.count = tf.Variable(0.0, dtype=tf.float64)
        self.step_count = 0
        self.traced, self.probed, self.full = (self.function(body) for body in (self.step, self.watch, self.infer))

    def variables(self) -> Dict[str, Any]:
        """A variable for each parameter."""
        return {p.name: tf.Variable(tf.zeros(p.shape, self.dtype)) for p in self.spec.parameters}

    def function(self, body: Callable[..., Any]) -> Any:
        """A traced function of the program's mode; the compiled one is called from inside a plain one (see `calls`)."""
        traced = tf.function(body, autograph=False, jit_compile=self.xla)
        return tf.function(traced, autograph=False) if self.xla else traced

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        pairs = [(self.parameters, state.parameters), *((self.slots[slot], arrays) for slot, arrays in state.slots.items())]
        for variables, arrays in pairs:
            for name, variable in variables.items():
                variable.assign(numpy.array(arrays[name], self.dtype))
        self.step_count = state.step

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: read(self.slots[slot]) for slot in active_slots(self.spec.optimizer)}
        return State(read(self.parameters), slots, self.step_count)

    def stage(self, batches: Sequence[Batch]) -> List[Batch]:
        """Tensors on the device."""
        with tf.device(self.device):
            return [convert(batch, tf.constant) for batch in numpy_batches(batches, self.dtype)]

    def unstage(self, staged: List[Batch]) -> List[Batch]:
        """Read back."""
        return [convert(batch, lambda tensor: tensor.numpy()) for batch in staged]

    def forward(self, x: Any, drop: Drop) -> List[Any]:
        """The output of every node."""
        outputs = []
        for node in self.spec.nodes:
            x = apply(node, x, [self.parameters[parameter.name] for parameter in node.parameters], drop)
            outputs.append(x)
        return outputs

    def draw(self, node: Node, x: Any) -> Any:
        """The framework's own dropout. Its generator is a variable, so that `compile` can put it back."""
        layer: Any = node.layer
        uniform = self.random.uniform
        return tf.nn.experimental.general_dropout(x, layer.rate, lambda shape, dtype: uniform(shape, dtype=dtype))

    def loss(self, outputs: Sequence[Any], y: Any) -> Any:
        """The mean loss, from the outputs of all nodes."""
        return tf.reduce_mean(LOSSES[self.spec.loss.type](y, outputs[self.spec.loss_node]))

    def forced(self, masks: Sequence[Any]) -> Drop:
        """Dropout by the given masks."""
        given = dict(zip(self.dropouts, masks))
        return lambda node, x: x * given[node.name]

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it."""
        parameters = list(self.parameters.values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss = self.loss(self.forward(x, self.forced(masks) if masks else self.draw), y)
        self.update(tape.gradient(loss, parameters))
        return loss

    def update(self, gradients: Sequence[Any]) -> None:
        """One training op for each parameter."""
        spec: Any = self.spec.optimizer
        powers: List[Any] = []
        if spec.type == "adam":
            count = self.count.assign_add(1)
            powers = [tf.cast(tf.pow(tf.constant(beta, tf.float64), count), self.dtype) for beta in (spec.beta_1, spec.beta_2)]
        for (name, parameter), gradient in zip(self.parameters.items(), gradients):
            slots = [slot[name].handle for slot in self.slots.values()]
            OPTIMIZERS[spec.type](spec, lambda value: tf.constant(value, self.dtype), parameter.handle, gradient, slots, powers)

    def calls(self, staged: List[Batch]) -> Iterator[Callable[[], List[Any]]]:
        """The step on each batch, as the op that runs a graph: `tf.function` canonicalises its arguments at every call, which
        takes 140 us, and a concrete function still 50. The op drops the attribute that asks for XLA, unless it is inside."""
        for batch in staged:
            masks = [] if batch.masks is None else [batch.masks[name] for name in self.dropouts]
            arguments = (batch.inputs, batch.targets, *masks)
            graph = self.traced.get_concrete_function(*arguments)
            types = [output.dtype for output in graph.outputs]
            yield partial(tf.raw_ops.StatefulPartitionedCall, args=[*arguments, *graph.captured_inputs], Tout=types, f=graph)

    def compile(self, staged: List[Batch]) -> Dict[str, float]:
        """Trace the first batch's step, then run it once: only that builds its kernels (and compiles them under XLA)."""
        kept, random = self.state(), self.random.state.numpy()
        with tf.device(self.device):
            start = time.perf_counter()
            step = next(self.calls(staged))
            traced = time.perf_counter()
            float(step()[0])
            done = time.perf_counter()
        self.load(kept)
        self.random.reset(random)
        return {"trace": traced - start, "first_run": done - traced}

    def train(self, staged: List[Batch], steps: int, read_every: int = 1) -> Trace:
        """Call the traced step; see the contract."""
        clock, losses = time.perf_counter_ns, []
        self.count.assign(self.step_count)
        with tf.device(self.device):
            calls = cycle(list(self.calls(staged)))
            tf.test.experimental.sync_devices()
            stamps = [clock()]
            for index, step in zip(range(1, steps + 1), calls):
                loss = step()[0]
                if index % read_every == 0:
                    losses.append(float(loss))
                    stamps.append(clock())
            tf.test.experimental.sync_devices()
        self.step_count += steps
        return Trace(losses, stamps)

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        native = self.stage([batch])[0]
        with tf.device(self.device):
            loss, outputs, gradients = self.probed(native.inputs, native.targets, *masked(self.spec, native.masks).values())
        names, values = [node.name for node in self.spec.nodes], [gradient.numpy() for gradient in gradients]
        count = len(self.parameters)
        of_parameters, of_outputs = dict(zip(self.parameters, values)), dict(zip(names, values[count + 1 :]))
        return Probe(float(loss), {n: y.numpy() for n, y in zip(names, outputs)}, of_parameters, of_outputs, values[count])

    def watch(self, x: Any, y: Any, *masks: Any) -> Tuple[Any, List[Any], List[Any]]:
        """The graph of `probe`: loss, outputs, and the gradients of parameters, inputs and outputs."""
        parameters = list(self.parameters.values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([x, *parameters])
            outputs = self.forward(x, self.forced(masks))
            loss = self.loss(outputs, y)
        return loss, outputs, tape.gradient(loss, [*parameters, x, *outputs], unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def predict(self, staged: List[Batch]) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        with tf.device(self.device):
            outputs = [self.full(batch.inputs) for batch in staged]
        return [output.numpy() for output in outputs]

    def infer(self, x: Any) -> Any:
        """The graph of `predict`."""
        return self.forward(x, lambda node, x: x)[-1]


def convert(batch: Batch, change: Callable[[Any], Any]) -> Batch:
    """A batch with every array changed."""
    masks = None if batch.masks is None else {name: change(mask) for name, mask in batch.masks.items()}
    return Batch(change(batch.inputs), change(batch.targets), masks)


def read(variables: Dict[str, Any]) -> Dict[str, Any]:
    """Variables as arrays, copied."""
    return {name: variable.numpy() for name, variable in variables.items()}
