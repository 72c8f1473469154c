"""The program, whatever the engine."""

from __future__ import annotations

import importlib
import time
from itertools import cycle
from typing import Any, Callable, Dict, List, Sequence, Tuple

import keras
import numpy
from keras import ops

from harness.interface import Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import ProgramSpec

from .model import ACTIVATIONS, LAYERS, LOSSES, OPTIMIZERS, Net, slots

FORMS = {
    "sgd.momentum": "lr_velocity",
    "adam.epsilon": "hat",
    "rmsprop.epsilon": "inside",
    "rmsprop.momentum": "lr_velocity",
}

ENGINE = keras.backend.backend()
engine = importlib.import_module(f".on_{ENGINE}", __package__)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    if (mode or "tensorflow") != ENGINE:
        return [f"Keras was started on {ENGINE}, not on {mode or 'tensorflow'}"]
    reasons = missing_device(device, engine.has_gpu(), ENGINE)
    if dtype == "float64" and ENGINE != "tensorflow":
        issue = "https://github.com/keras-team/keras/issues/23704"
        reasons.append(f"Keras on {ENGINE} computes parts of float64 in float32 ({issue})")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Keras, its engine, and the engine's settings."""
    return {"keras": keras.__version__, "engine": ENGINE, "floatx": keras.config.floatx(), **engine.versions()}


class Program:
    """The mode names the engine; it was chosen when Keras was imported."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        if (mode or "tensorflow") != ENGINE:
            raise ValueError(f"Keras was started on {ENGINE}, not on {mode or 'tensorflow'}")
        keras.config.set_floatx(dtype)
        keras.utils.set_random_seed(0)
        self.spec, self.dtype, self.device = spec, dtype, "gpu:0" if device == "gpu" else "cpu"
        with keras.device(self.device):
            self.net = Net(spec)
            variables = self.net.native.trainable_variables
            self.optimizer = OPTIMIZERS[spec.optimizer.type](spec.optimizer)
            self.optimizer.build(variables)
            terms = LOSSES[spec.loss.type]
            self.engine: Any = engine.Engine(self.net, lambda y, z: ops.mean(terms(y, z)), self.optimizer)
        self.names = [parameter.name for parameter in spec.parameters]
        self.parameters = dict(zip(self.names, variables))
        self.slots = {slot: dict(zip(self.names, found)) for slot, found in slots(spec.optimizer, self.optimizer).items()}
        self.seeds = self.net.native.non_trainable_variables

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        pairs = [(self.parameters, state.parameters), *((self.slots[slot], given) for slot, given in state.slots.items())]
        with keras.device(self.device):
            for variables, given in pairs:
                for name, variable in variables.items():
                    variable.assign(numpy.array(given[name], self.dtype))
            self.optimizer.iterations.assign(state.step)

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: arrays(variables) for slot, variables in self.slots.items()}
        return State(arrays(self.parameters), slots, int(array(self.optimizer.iterations)))

    def stage(self, batches: Sequence[Batch]) -> List[Batch]:
        """Tensors on the device."""
        with keras.device(self.device):
            return [convert(batch, self.tensor) for batch in numpy_batches(batches, self.dtype)]

    def tensor(self, value: Any) -> Any:
        """An array on the device."""
        return ops.convert_to_tensor(value, dtype=engine.CLASSES if value.dtype.kind == "i" else self.dtype)

    def unstage(self, staged: List[Batch]) -> List[Batch]:
        """Read back."""
        return numpy_batches([convert(batch, array) for batch in staged], self.dtype)

    def arguments(self, batch: Batch) -> Tuple[Any, ...]:
        """What a step takes: targets, inputs, masks."""
        masks = [] if batch.masks is None else [batch.masks[node.name] for node in self.net.masked_nodes]
        return batch.targets, batch.inputs, *masks

    def compile(self, staged: List[Batch]) -> Dict[str, float]:
        """What the engine can do with the first batch; see the contract."""
        kept, seeds = self.state(), [array(seed) for seed in self.seeds]
        with keras.device(self.device):
            stages: Dict[str, float] = self.engine.compile(self.arguments(staged[0]))
            for seed, value in zip(self.seeds, seeds):
                seed.assign(value)
        self.load(kept)
        return stages

    def train(self, staged: List[Batch], steps: int, read_every: int = 1) -> Trace:
        """Call the engine's step; see the contract."""
        clock, read, losses = time.perf_counter_ns, engine.read, []
        with keras.device(self.device):
            calls = cycle([self.engine.call(self.arguments(batch)) for batch in staged])
            self.engine.begin()
            stamps = [clock()]
            for index, call in zip(range(1, steps + 1), calls):
                loss = call()
                if index % read_every == 0:
                    losses.append(read(loss))
                    stamps.append(clock())
            self.engine.end()
        return Trace(losses, stamps)

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        masks, nodes, rows = masked(self.spec, batch.masks), self.spec.nodes, len(batch.inputs)
        taps = [numpy.zeros((rows, *node.output_shape)) for node in nodes]
        native = numpy_batches([Batch(batch.inputs, batch.targets)], self.dtype)[0]
        with keras.device(self.device):
            inputs = [self.tensor(numpy.array(value, self.dtype)) for value in (native.inputs, *masks.values(), *taps)]
            loss, outputs, gradients = self.engine.probe(self.tensor(native.targets), inputs)
        values, count = [array(gradient) for gradient in gradients], len(self.names)
        at_outputs = {node.name: value for node, value in zip(nodes, values[count + 1 + len(masks) :])}
        return Probe(
            loss, {node.name: array(outputs[node.name]) for node in nodes},
            dict(zip(self.names, values)), at_outputs, values[count],
        )  # fmt: skip

    def predict(self, staged: List[Batch]) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        with keras.device(self.device):
            outputs = [self.engine.predict(batch.inputs) for batch in staged]
        return [array(output) for output in outputs]


def array(tensor: Any) -> Any:
    """A tensor or variable as numpy, copied: some engines share their memory."""
    return numpy.array(ops.convert_to_numpy(tensor))


def arrays(variables: Dict[str, Any]) -> Dict[str, Any]:
    """Variables as arrays."""
    return {name: array(variable) for name, variable in variables.items()}


def convert(batch: Batch, change: Callable[[Any], Any]) -> Batch:
    """A batch with every array changed."""
    masks = None if batch.masks is None else {name: change(mask) for name, mask in batch.masks.items()}
    return Batch(change(batch.inputs), change(batch.targets), masks)
