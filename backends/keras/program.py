"""The program, whatever the engine."""

from __future__ import annotations

import importlib
import math
import time
from itertools import cycle
from typing import Any, Dict, List, Mapping, Sequence

import keras
import numpy
from keras import ops

from harness.interface import OPTIONS, Batch, Probe, State, Trace, masked, missing_device, shared, unsupported
from harness.spec import Node, ProgramSpec

from .activations import ACTIVATIONS
from .layers import LAYERS
from .losses import LOSSES, loss
from .model import Net
from .optimizers import OPTIMIZERS, count, optimizer, slots
from .part import ENGINE

engine = importlib.import_module(f".on_{ENGINE}", __package__)
#: modes whose name is not their engine's
ENGINES = {"": "tensorflow", "loop": "tensorflow"}
Staged = shared.Stacked


def elsewhere(mode: str) -> str:
    """Why a mode cannot be had in this process, if so."""
    wanted = ENGINES.get(mode, mode)
    return "" if wanted == ENGINE else f"Keras was started on {ENGINE}, not on {wanted}"


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    if elsewhere(mode):
        return [elsewhere(mode)]
    reasons = missing_device(device, engine.has_gpu(), ENGINE)
    if dtype == "float64" and ENGINE != "tensorflow":
        issue = "https://github.com/keras-team/keras/issues/23704"
        reasons.append(f"Keras on {ENGINE} computes parts of float64 in float32 ({issue})")
    if ENGINE == "tensorflow" and dtype == "float32" and any(map(overruns, spec.nodes)):
        reasons.append("TensorFlow 2.21's oneDNN writes beyond its memory in a transposed convolution of one number with strides")
    layers = {*LAYERS, "tied_dense"}
    return reasons + unsupported(
        spec, layers=layers, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS, options=OPTIONS
    )


def overruns(node: Node) -> bool:
    """Whether a node is what ends the process in oneDNN: `malloc_consolidate(): invalid chunk size`, or another SIGABRT or SIGSEGV."""
    layer: Any = node.layer
    return bool(layer.type == "conv2d_transpose" and math.prod(layer.kernel) == 1 and max(layer.stride) > 1)


def versions() -> Dict[str, Any]:
    """Keras, its engine, and the engine's settings."""
    return {"keras": keras.__version__, "engine": ENGINE, "floatx": keras.config.floatx(), **engine.versions()}


def compilations() -> int:
    """What the engine has traced or compiled; see the contract."""
    return int(engine.compilations())


class Program:
    """The mode names the engine; it was chosen when Keras was imported. In mode loop, on TensorFlow, one call runs all steps between two
    readings, as Keras' own `steps_per_execution` does; one of them alone is the plain step."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        if elsewhere(mode):
            raise ValueError(elsewhere(mode))
        keras.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)  # the one of the first layer ever made stays otherwise
        keras.utils.set_random_seed(0)
        self.spec, self.dtype, self.device = spec, dtype, "gpu:0" if device == "gpu" else "cpu"
        self.loop = mode == "loop"
        with keras.device(self.device):
            self.net = Net(spec, engine.INTEGERS)
            self.optimizer = optimizer(spec.optimizer, self.net.native.trainable_variables)
            self.parameters, self.statistics = self.net.parameters, self.net.statistics
            self.engine: Any = engine.Engine(self.net, loss(spec, self.parameters), self.optimizer)
        self.slots = slots(spec.optimizer, self.optimizer, self.parameters)
        self.shapes = {item.name: item.shape for item in spec.parameters}
        self.shapes.update({item.name: item.shape for item in spec.statistics})
        held = {id(variable) for variable in self.statistics.values()}
        self.seeds = [variable for variable in self.net.native.non_trainable_variables if id(variable) not in held]

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        pairs = [(self.parameters, state.parameters), (self.statistics, state.statistics)]
        pairs += [(self.slots[slot], given) for slot, given in state.slots.items()]
        with keras.device(self.device):
            for variables, given in pairs:
                for name, variable in variables.items():
                    variable.assign(numpy.array(given[name], self.dtype).reshape(variable.shape))
            count(self.spec.optimizer, self.optimizer, state.step)

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: self.arrays(variables) for slot, variables in self.slots.items()}
        return State(self.arrays(self.parameters), slots, int(array(self.optimizer.variables[0])), self.arrays(self.statistics))

    def arrays(self, variables: Mapping[str, Any]) -> Dict[str, Any]:
        """Variables as arrays in canonical shapes."""
        return {name: array(variable).reshape(self.shapes[name]) for name, variable in variables.items()}

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """Tensors on the device."""
        with keras.device(self.device):
            return shared.Stacked(shared.stage(self.spec, batches, self.dtype, self.tensor), ops.stack)

    def tensor(self, value: Any) -> Any:
        """An array on the device."""
        return ops.convert_to_tensor(value, dtype=engine.INTEGERS if value.dtype.kind == "i" else self.dtype)

    def unstage(self, staged: Staged) -> List[Batch]:
        """Read back."""
        return shared.unstage(self.spec, staged, self.dtype, array)

    def compile(self, staged: Staged) -> Dict[str, float]:
        """What the engine can do with the first batch; see the contract."""
        kept, seeds = self.state(), [array(seed) for seed in self.seeds]
        with keras.device(self.device):
            stages: Dict[str, float] = self.engine.compile(staged[0])
            for seed, value in zip(self.seeds, seeds):
                seed.assign(value)
        self.load(kept)
        return stages

    def train(self, staged: Staged, steps: int, read_every: int = 1) -> Trace:
        """Call the engine's step; see the contract."""
        clock, read, losses = time.perf_counter_ns, engine.read, []
        with keras.device(self.device):
            if self.loop and read_every > 1 and staged.arrays:
                return self.train_looped(staged, steps, read_every)
            calls = cycle([self.engine.call(batch) for batch in staged])
            self.engine.begin()
            stamps = [clock()]
            for index, call in zip(range(1, steps + 1), calls):
                loss = call()
                if index % read_every == 0:
                    losses.append(read(loss))
                    stamps.append(clock())
            self.engine.end()
        return Trace(losses, stamps)

    def train_looped(self, staged: Staged, steps: int, read_every: int) -> Trace:
        """One call for all steps from one reading to the next."""
        several = self.engine.call_of_several(staged.arrays, read_every)
        self.engine.begin()
        trace = shared.loop_of_several(several, lambda *batch: self.engine.call(batch)(), staged, steps, read_every, engine.read)
        self.engine.end()
        return trace

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        nodes, rows = self.spec.nodes, len(batch.inputs)
        given = Batch(batch.inputs, batch.targets, masked(self.spec, batch.masks), batch.weights)
        x, y, *rest = self.stage([given])[0]
        weights, drawn = self.net.arguments(rest)
        with keras.device(self.device), keras.StatelessScope():  # moving statistics stay as they are
            taps = [self.tensor(numpy.zeros((rows, *node.output_shape), self.dtype)) for node in nodes]
            loss, outputs, (at_parameters, at_taps, at_input) = self.engine.probe(x, y, weights, drawn, taps)
        order = {id(variable): gradient for variable, gradient in zip(self.net.native.trainable_variables, at_parameters)}
        gradients = {name: array(order[id(variable)]).reshape(self.shapes[name]) for name, variable in self.parameters.items()}
        return Probe(
            loss,
            {node.name: array(outputs[node.name]) for node in nodes},
            gradients,
            {node.name: array(gradient) for node, gradient in zip(nodes, at_taps)},
            None if at_input is None else array(at_input),
        )

    def predict(self, staged: Staged) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        with keras.device(self.device):
            outputs = [self.engine.predict(batch[0]) for batch in staged]
        return [array(output) for output in outputs]


def array(tensor: Any) -> Any:
    """A tensor or variable as numpy, copied: some engines share their memory."""
    return numpy.array(ops.convert_to_numpy(tensor))
