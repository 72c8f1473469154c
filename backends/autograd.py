"""HIPS autograd: numpy functions, differentiated in reverse mode; the update rules are the user's own, written in numpy."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Callable, Dict, List, Sequence, Tuple

import autograd.numpy as np
import numpy
from autograd import value_and_grad

from harness.interface import Arrays, Batch, Probe, State, Trace, shared, updated
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"autograd": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

LAYERS, OPTIMIZERS = ("dense", "flatten", "dropout"), ("sgd", "adam", "adamw", "rmsprop")
#: maximum and abs split the gradient where they are tied: `where` does not
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: np.where(z > 0, 1.0, 0.0).astype(z.dtype),
    "sigmoid": lambda z: 0.5 * (np.tanh(0.5 * z) + 1),
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "softmax": lambda z: np.exp(z - log_sum_exp(z)),
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: np.mean((p - y) ** 2),
    "mae": lambda p, y: np.mean((p - y) * np.sign(p - y)),
    "binary_cross_entropy": lambda z, y: np.mean(np.logaddexp(0, z) - z * y),
    "softmax_cross_entropy": lambda z, y: np.mean(log_sum_exp(z)[:, 0] - chosen(z, y)),
    "hinge": lambda z, y: np.mean(np.where(y * z < 1, 1 - y * z, 0)),
    "perceptron": lambda z, y: np.mean(np.where(y * z <= 0, -y * z, 0)),
}


def log_sum_exp(z: Any) -> Any:
    """log(sum(exp(z))) over the last axis, kept with length one."""
    top = np.max(z, -1, keepdims=True)
    return top + np.log(np.sum(np.exp(z - top), -1, keepdims=True))


def chosen(z: Any, y: Any) -> Any:
    """Of every row the logit of its class, `(rows,)`."""
    return z[np.arange(len(y)), y] if y.ndim == 1 else np.sum(z * y, axis=1)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "autograd")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of autograd and of what it calls."""
    return {"autograd": version("autograd"), "numpy": numpy.__version__}


class Program:
    """Parameters as a dict of arrays; one differentiated function of them for each batch."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.active, self.random = spec, dtype, active_slots(spec.optimizer), numpy.random.default_rng(0)
        self.differentiated, self.probed = value_and_grad(self.loss), value_and_grad(self.loss, (0, 1, 2))

    def own(self, arrays: Arrays) -> Arrays:
        return {name: numpy.array(array, self.dtype) for name, array in arrays.items()}

    def load(self, state: State) -> None:
        self.parameters, self.steps = self.own(state.parameters), state.step
        self.slots = {name: self.own({slot: state.slots[slot][name] for slot in self.active}) for name in self.parameters}

    def state(self) -> State:
        slots = {slot: self.own({name: kept[slot] for name, kept in self.slots.items()}) for slot in self.active}
        return State(self.own(self.parameters), slots, self.steps)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def outputs(self, parameters: Arrays, x: Any, masks: Any, taps: Any = None) -> List[Any]:
        def dense(node: Any, x: Any) -> Any:
            y = np.dot(x, parameters[f"{node.name}/kernel"])
            return y + parameters[f"{node.name}/bias"] if node.layer.use_bias else y

        layers = {"dense": dense, "flatten": lambda node, x: x.reshape(len(x), -1), "dropout": lambda node, x: x}
        return shared.forward(self.spec.nodes, x, masks, layers, ACTIVATIONS, taps)

    def loss(self, parameters: Arrays, x: Any, taps: Any, y: Any, masks: Any) -> Any:
        return LOSSES[self.spec.loss.type](self.outputs(parameters, x, masks, taps)[self.spec.loss_node], y)

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        given = masks or shared.drawn(self.spec, len(x), self.dtype, self.random)
        loss, gradients = self.differentiated(self.parameters, x, None, y, given)
        self.steps += 1
        for name, gradient in gradients.items():
            kept = self.parameters[name], gradient, self.slots[name]
            self.parameters[name], self.slots[name] = updated(self.spec.optimizer, *kept, self.steps, numpy.sqrt)
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([batch])[0]
        taps = tuple(numpy.zeros((len(x), *node.output_shape), self.dtype) for node in self.spec.nodes)
        loss, (gradients, at_input, at_outputs) = self.probed(self.parameters, x, taps, y, masks)
        names = [node.name for node in self.spec.nodes]
        outputs = self.outputs(self.parameters, x, masks)
        return Probe(float(loss), dict(zip(names, outputs)), gradients, dict(zip(names, at_outputs)), at_input)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.outputs(self.parameters, batch[0], None)[-1] for batch in staged]
