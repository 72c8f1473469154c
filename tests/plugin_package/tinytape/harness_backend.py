"""tinytape: arrays on a tape, and gradient descent written out."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec

from tinytape import Tensor, __version__

NAME = "tinytape"
REQUIRES = {"numpy": "", "tinytape": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {"linear": lambda z: z, "tanh": Tensor.tanh, "sigmoid": Tensor.sigmoid}
LOSSES = {"mse": Tensor.squared_error}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not."""
    reasons = shared.missing_device(device, False, "tinytape")
    if getattr(spec.optimizer, "momentum", 0.0):
        reasons.append("tinytape has no momentum")
    return reasons + shared.unsupported(spec, layers=("dense",), activations=ACTIVATIONS, losses=LOSSES, optimizers=("sgd",))


def versions() -> Dict[str, Any]:
    """Its version and numpy's."""
    return {"tinytape": __version__, "numpy": numpy.__version__}


class Program:
    """The parameters as tensors."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype = spec, dtype

    def load(self, state: State) -> None:
        self.parameters = {name: Tensor(numpy.array(array, self.dtype)) for name, array in state.parameters.items()}
        self.steps = state.step

    def state(self) -> State:
        return State({name: tensor.value.copy() for name, tensor in self.parameters.items()}, {}, self.steps)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def outputs(self, x: Tensor) -> List[Tensor]:
        def dense(node: Any, x: Tensor) -> Tensor:
            y = x @ self.parameters[f"{node.name}/kernel"]
            return y + self.parameters[f"{node.name}/bias"] if node.layer.use_bias else y

        return shared.forward(self.spec.nodes, x, (), {"dense": dense}, ACTIVATIONS)

    def step(self, x: Any, y: Any) -> Any:
        loss = LOSSES[self.spec.loss.type](self.outputs(Tensor(x))[-1], y)
        loss.backward()
        rate = getattr(self.spec.optimizer, "learning_rate", 0.0)
        for tensor in self.parameters.values():
            tensor.value = tensor.value - rate * tensor.gradient
        self.steps += 1
        return loss.value

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y = self.stage([batch])[0]
        inputs = Tensor(x)
        outputs = dict(zip((node.name for node in self.spec.nodes), self.outputs(inputs)))
        loss = LOSSES[self.spec.loss.type](list(outputs.values())[-1], y)
        loss.backward()
        return Probe(
            float(loss.value),
            {name: tensor.value for name, tensor in outputs.items()},
            {name: tensor.gradient for name, tensor in self.parameters.items()},
            {name: tensor.gradient for name, tensor in outputs.items()},
            inputs.gradient,
        )

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.outputs(Tensor(batch[0]))[-1].value for batch in staged]
