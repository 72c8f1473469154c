"""PyTensor: a symbolic graph over shared variables; a step is one function with updates, compiled by Numba."""

from __future__ import annotations

import time
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
import pytensor
import pytensor.tensor as pt

from harness.interface import Batch, Probe, State, Trace, flat_state, nested_state, shared, updated
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"pytensor": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

LAYERS: Dict[str, Callable[[Any, Any], Any]] = {"flatten": lambda node, x: x.flatten(2), "dropout": lambda node, x: x}
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: pt.gt(z, 0).astype(z.dtype),
    "sigmoid": pt.sigmoid,
    "tanh": pt.tanh,
    "relu": lambda z: pt.switch(z > 0, z, 0),  # the gradient of maximum is 1 where it is tied
    "softmax": lambda z: pt.special.softmax(z, axis=-1),
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: pt.mean((p - y) ** 2),
    "mae": lambda p, y: pt.mean(pt.abs(p - y)),
    "binary_cross_entropy": lambda z, y: pt.mean(pt.softplus(z) - z * y),
    "softmax_cross_entropy": lambda z, y: -pt.mean(chosen(pt.special.log_softmax(z, axis=1), y)),
    "hinge": lambda z, y: pt.mean(pt.switch(y * z < 1, 1 - y * z, 0)),
    "perceptron": lambda z, y: pt.mean(pt.switch(y * z <= 0, -y * z, 0)),
}


def chosen(z: Any, y: Any) -> Any:
    """Of every row the number of its class, `(rows,)`."""
    return z[pt.arange(y.shape[0]), y] if y.ndim == 1 else pt.sum(z * y, axis=1)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    layers, reasons = ("dense", *LAYERS), ["this adapter uses PyTensor on the CPU only"] if device == "gpu" else []
    return reasons + shared.unsupported(spec, layers=layers, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of PyTensor and of what compiles for it, and whether Numba may regroup sums."""
    return {**{name: version(name) for name in ("pytensor", "numba", "numpy")}, "fastmath": pytensor.config.numba__fastmath}


class Program:
    """The state as shared variables under the names of `flat_state`; functions are made when they are first asked for."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.random = spec, dtype, numpy.random.default_rng(0)
        zeros = {item.name: numpy.zeros(item.shape, dtype) for item in spec.parameters}
        start = flat_state(State(zeros, dict.fromkeys(active_slots(spec.optimizer), zeros)))
        self.variables = {name: pytensor.shared(numpy.array(array), shape=array.shape) for name, array in start.items()}
        own = {name: self.variables[f"parameters/{name}"] for name in zeros}
        step, count = self.variables["step"], self.variables["step"].astype("float64") + 1  # Numba: float32 ** int64 is a float32
        layers = {**LAYERS, "dense": lambda node, x: pt.dot(x, own[f"{node.name}/kernel"]) + own.get(f"{node.name}/bias", 0)}
        x = pt.tensor(dtype=dtype, shape=(None, *spec.input_shape))
        y = pt.lvector() if spec.targets == "integer" else pt.matrix(dtype=dtype)
        masks = [pt.tensor(dtype=dtype, shape=(None, *node.output_shape)) for node in spec.nodes if node.layer.type == "dropout"]
        with pytensor.config.change_flags(floatX=dtype):  # what Python's numbers become
            outputs = shared.forward(spec.nodes, x, masks, layers, ACTIVATIONS)
            loss, updates = LOSSES[spec.loss.type](outputs[spec.loss_node], y), [(step, step + 1)]
            gradients = pytensor.grad(loss, [*own.values(), *outputs, x], disconnected_inputs="ignore")
            for (name, parameter), gradient in zip(own.items(), gradients):
                slots = {slot: self.variables[f"slots/{slot}/{name}"] for slot in active_slots(spec.optimizer)}
                now, kept = updated(spec.optimizer, parameter, gradient, slots, count, pt.sqrt)
                updates += [(parameter, now.astype(dtype)), *((slots[slot], kept[slot]) for slot in slots)]  # Adam's is float64
            graphs = {
                "step": ([x, y, *masks], loss, "NUMBA", updates),
                "probe": ([x, y, *masks], [loss, *outputs, *gradients], "NUMBA"),
                "predict": ([x], shared.forward(spec.nodes, x, None, layers, ACTIVATIONS)[-1], "NUMBA"),
            }
        self.function = lru_cache(None)(lambda name: pytensor.function(*graphs[name], trust_input=True))

    def load(self, state: State) -> None:
        for name, array in flat_state(state).items():
            self.variables[name].set_value(numpy.array(array, self.variables[name].dtype, order="C"), borrow=True)

    def state(self) -> State:
        return nested_state({name: variable.get_value() for name, variable in self.variables.items()})

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def compile(self, staged: List[Tuple[Any, ...]]) -> Dict[str, float]:
        state, start = self.state(), time.perf_counter()
        self.function("step")
        made = time.perf_counter()
        self.step(*staged[0])  # Numba compiles at the first call
        self.load(state)
        return {"graph": made - start, "compile": time.perf_counter() - made}

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        return self.function("step")(x, y, *(masks or shared.drawn(self.spec, len(x), self.dtype, self.random)))

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        loss, *found = self.function("probe")(*self.stage([batch])[0])
        outputs = dict(zip([node.name for node in self.spec.nodes], found))
        gradients = dict(zip([item.name for item in self.spec.parameters], found[len(outputs) :]))
        return Probe(float(loss), outputs, gradients, dict(zip(outputs, found[-1 - len(outputs) :])), found[-1])

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.function("predict")(batch[0]) for batch in staged]
