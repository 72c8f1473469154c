"""The program: variables, and steps traced over them."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import cycle
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy
import tensorflow as tf

from harness.interface import OPTIONS, Batch, Probe, State, Trace, masked, missing_device, shared, unsupported
from harness.spec import INPUT, Node, ProgramSpec, active_slots

from .activations import ACTIVATIONS
from .layers import LAYERS, apply
from .loop import looped
from .losses import LOSSES, loss, penalty
from .optimizers import NONE, OPTIMIZERS, slot_names
from .optimizers import apply as update
from .run import Run
from .traces import counted

tf.config.experimental.enable_tensor_float_32_execution(False)  # else GPUs multiply float32 in less

FORMS = {"adam.epsilon": "hat", "rmsprop.epsilon": "inside", "rmsprop.momentum": "lr_velocity"}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(tf.config.list_physical_devices("GPU")), "tensorflow")
    if spec.optimizer.type in NONE:
        reasons.append(f"TensorFlow's training ops have no {NONE[spec.optimizer.type]}")
    known = {*OPTIMIZERS, *NONE}
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=known, options=OPTIONS)


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
    """Mode "xla" compiles the whole step (`jit_compile`); the plain mode runs its graph op by op. In mode "loop" a graph runs all steps
    between two readings; one of them alone is the plain step."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.xla, self.loop = spec, dtype, mode == "xla", mode == "loop"
        self.device = f"/{device.upper()}:0"
        self.random_names = [node.name for node in spec.random_nodes]
        with tf.device(self.device):
            self.parameters = self.variables(spec.parameters)
            self.statistics = self.variables(spec.statistics)
            slots = dict.fromkeys([*slot_names(spec.optimizer), *active_slots(spec.optimizer)])
            self.slots = {slot: self.variables(spec.parameters) for slot in slots}
            self.random = tf.random.Generator.from_seed(0)
            self.count = tf.Variable(0.0, dtype=tf.float64)
        self.own = {node.name: self.owned(node) for node in spec.nodes}
        self.step_count = 0
        self.traced, self.probed, self.full = (self.function(body) for body in (self.step, self.watch, self.infer))
        self.looped = self.function(self.several)

    def variables(self, items: Sequence[Any]) -> Dict[str, Any]:
        """A variable for each parameter or statistic."""
        return {item.name: tf.Variable(tf.zeros(item.shape, self.dtype)) for item in items}

    def owned(self, node: Node) -> Dict[str, Any]:
        """A node's variables by short name."""
        names = [item.name for item in node.parameters] + [item.name for item in node.statistics]
        found = {name[len(node.name) + 1 :]: {**self.parameters, **self.statistics}[name] for name in names}
        return {**found, "embeddings": self.parameters[node.table]} if node.table else found

    def function(self, body: Callable[..., Any]) -> Any:
        """A traced function of the program's mode; the compiled one is called from inside a plain one (see `calls`)."""
        traced = tf.function(counted(body), autograph=False, jit_compile=self.xla)
        return tf.function(traced, autograph=False) if self.xla else traced

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        pairs = [
            (self.parameters, state.parameters),
            (self.statistics, state.statistics),
            *((self.slots[slot], arrays) for slot, arrays in state.slots.items()),
        ]
        for variables, arrays in pairs:
            for name, variable in variables.items():
                variable.assign(numpy.array(arrays[name], self.dtype))
        self.step_count = state.step

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: read(self.slots[slot]) for slot in active_slots(self.spec.optimizer)}
        return State(read(self.parameters), slots, self.step_count, read(self.statistics))

    def stage(self, batches: Sequence[Batch]) -> shared.Stacked:
        """Tensors on the device."""
        with tf.device(self.device):
            return shared.Stacked(shared.stage(self.spec, batches, self.dtype, tf.constant), tf.stack)

    def unstage(self, staged: shared.Stacked) -> List[Batch]:
        """Read back."""
        return shared.unstage(self.spec, staged, self.dtype, lambda tensor: tensor.numpy())

    def forward(self, x: Any, run: Run) -> List[Any]:
        """The output of every node."""
        outputs = {INPUT: x}
        for node in self.spec.nodes:
            outputs[node.name] = apply(node, [outputs[name] for name in node.inputs], self.own[node.name], run)
        return [outputs[node.name] for node in self.spec.nodes]

    def draw(self, node: Node, x: Any) -> Any:
        """The framework's own dropout and noise. Its generator is a variable, so that `compile` can put it back."""
        layer: Any = node.layer
        shape = (tf.shape(x)[0], *node.draw_shape)
        if layer.random == "noise":
            return x + self.random.normal(shape, stddev=layer.stddev, dtype=x.dtype)
        kept = tf.cast(self.random.uniform(shape, dtype=x.dtype) >= layer.rate, x.dtype)
        return x * (kept * layer.scale)

    def forced(self, drawn: Sequence[Any]) -> Callable[[Node, Any], Any]:
        """Dropout and noise by what the batch brings."""
        given = dict(zip(self.random_names, drawn))
        return lambda node, x: shared.randomised(node, x, given[node.name])

    def loss(self, outputs: Sequence[Any], y: Any, weights: Any) -> Any:
        """The loss with its penalties, from the outputs of all nodes."""
        found = loss(self.spec.loss, y, outputs[self.spec.loss_node], weights)
        factors = self.spec.penalties
        return found + penalty(dict(factors), self.parameters) if factors else found

    def step(self, x: Any, y: Any, *more: Any) -> Any:
        """Forward, loss, gradients, update; the loss before it. `more`: weights where there are some, then what is drawn."""
        weights, drawn = self.parted(more)
        run = Run(True, self.xla, self.forced(drawn) if drawn else self.draw, {})
        parameters = list(self.parameters.values())
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters)
            loss = self.loss(self.forward(x, run), y, weights)
        # the gradient of a table is a list of rows, which training ops do not take
        gradients = tape.gradient(loss, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self.update([tf.convert_to_tensor(gradient) for gradient in gradients])
        for name, value in run.moved.items():
            self.statistics[name].assign(value)
        return loss

    def parted(self, more: Sequence[Any]) -> Tuple[Any, Sequence[Any]]:
        """Sample weights (None where there are none), and what was drawn."""
        return (more[0], more[1:]) if self.spec.weighted else (None, more)

    def update(self, gradients: Sequence[Any]) -> None:
        """The optimizer's step, at the end of an accumulation."""
        accumulate = self.spec.optimizer.gradient_accumulation_steps
        count = self.count.read_value()
        self.count.assign_add(1)
        if accumulate == 1:
            self.apply(gradients, count)
            return
        sums = list(self.slots["accumulated"].values())
        for total, gradient in zip(sums, gradients):
            total.assign_add(gradient)

        def complete() -> Any:
            self.apply([total / accumulate for total in sums], tf.floor(count / accumulate))
            for total in sums:
                total.assign(tf.zeros_like(total))
            return tf.constant(True)

        tf.cond(tf.equal(tf.math.floormod(count + 1, accumulate), 0), complete, lambda: tf.constant(False))

    def apply(self, gradients: Sequence[Any], count: Any) -> None:
        """One update of all parameters, `count` having been made before."""
        names = slot_names(self.spec.optimizer)
        slots = [[self.slots[slot][name] for slot in names] for name in self.parameters]
        update(self.spec.optimizer, self.dtype, list(self.parameters.values()), gradients, slots, count)

    def calls(self, staged: List[Tuple[Any, ...]]) -> Iterator[Callable[[], List[Any]]]:
        """The step on each batch, as the op that runs a graph: `tf.function` canonicalises its arguments at every call, which
        takes 140 us, and a concrete function still 50. The op drops the attribute that asks for XLA, unless it is inside."""
        for arguments in staged:
            graph = self.traced.get_concrete_function(*arguments)
            types = [output.dtype for output in graph.outputs]
            yield partial(tf.raw_ops.StatefulPartitionedCall, args=[*arguments, *graph.captured_inputs], Tout=types, f=graph)

    def several(self, length: Any, place: Any, *batches: Any) -> Any:
        """The graph of mode "loop"."""
        return looped(self.step, self.dtype, length, place, *batches)

    def call_of_several(self, batches: Sequence[Any], length: int) -> Callable[[], Any]:
        """The next steps over the stacked batches, so many in one call, as the op that runs a graph."""
        steps, place = tf.constant(length), tf.constant(0)
        graph = self.looped.get_concrete_function(steps, place, *batches)
        fixed, types = [*batches, *graph.captured_inputs], [output.dtype for output in graph.outputs]

        def call() -> Any:
            nonlocal place
            loss, place = tf.raw_ops.StatefulPartitionedCall(args=[steps, place, *fixed], Tout=types, f=graph)
            return loss

        return call

    def compile(self, staged: shared.Stacked) -> Dict[str, float]:
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

    def train(self, staged: shared.Stacked, steps: int, read_every: int = 1) -> Trace:
        """Call the traced step; see the contract."""
        clock, losses = time.perf_counter_ns, []
        self.count.assign(self.step_count)
        with tf.device(self.device):
            if self.loop and read_every > 1 and staged.arrays:
                return self.train_looped(staged, steps, read_every)
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

    def train_looped(self, staged: shared.Stacked, steps: int, read_every: int) -> Trace:
        """One call for all steps from one reading to the next."""
        several = self.call_of_several(staged.arrays, read_every)
        tf.test.experimental.sync_devices()
        trace = shared.loop_of_several(several, self.single, staged, steps, read_every)
        tf.test.experimental.sync_devices()
        self.step_count += steps
        return trace

    def single(self, *batch: Any) -> None:
        """One step."""
        next(self.calls([batch]))()

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        (arguments,) = self.stage([Batch(batch.inputs, batch.targets, masked(self.spec, batch.masks), batch.weights)])
        with tf.device(self.device):
            loss, outputs, gradients = self.probed(*arguments)
        names, values = [node.name for node in self.spec.nodes], [gradient.numpy() for gradient in gradients]
        count = len(self.parameters)
        of_parameters, of_outputs = dict(zip(self.parameters, values)), dict(zip(names, values[count:]))
        at_input = None if self.spec.integer_inputs else values[-1]
        return Probe(float(loss), {n: y.numpy() for n, y in zip(names, outputs)}, of_parameters, of_outputs, at_input)

    def watch(self, x: Any, y: Any, *more: Any) -> Tuple[Any, List[Any], List[Any]]:
        """The graph of `probe`: loss, outputs, and the gradients of parameters, outputs and float inputs."""
        weights, drawn = self.parted(more)
        parameters = list(self.parameters.values())
        inputs = [] if self.spec.integer_inputs else [x]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([*inputs, *parameters])
            outputs = self.forward(x, Run(True, self.xla, self.forced(drawn), {}))
            loss = self.loss(outputs, y, weights)
        wanted = [*parameters, *outputs, *inputs]
        gradients = tape.gradient(loss, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, outputs, [tf.convert_to_tensor(gradient) for gradient in gradients]

    def predict(self, staged: shared.Stacked) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        with tf.device(self.device):
            outputs = [self.full(batch[0]) for batch in staged]
        return [output.numpy() for output in outputs]

    def infer(self, x: Any) -> Any:
        """The graph of `predict`."""
        return self.forward(x, Run(False, self.xla, self.draw, {}))[-1]


def read(variables: Dict[str, Any]) -> Dict[str, Any]:
    """Variables as arrays, copied."""
    return {name: variable.numpy() for name, variable in variables.items()}
