"""MLX: a function of plain arrays, mlx.nn's activations and losses, and mlx.optimizers; evaluated after each step."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import mlx.core as mx
import numpy
from mlx import nn, optimizers
from mlx.utils import tree_map

from harness.interface import Arrays, Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"mlx": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

LAYERS = ("dense", "flatten", "dropout")
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: (z > 0).astype(z.dtype),  # nn.step is 1 at 0
    **{name: getattr(nn, name) for name in ("sigmoid", "tanh", "relu", "softmax")},
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": nn.losses.mse_loss,
    "mae": nn.losses.l1_loss,
    "binary_cross_entropy": nn.losses.binary_cross_entropy,
    "softmax_cross_entropy": lambda z, y: nn.losses.cross_entropy(z, y, reduction="mean"),
    "hinge": lambda z, y: nn.losses.hinge_loss(z, y, reduction="mean"),
    "perceptron": lambda z, y: mx.mean(mx.where(y * z <= 0, -y * z, 0)),
}
#: made of exp, which is float32's even of float64: https://github.com/ml-explore/mlx/blob/v0.32.4/mlx/backend/cpu/simd/math.h
IN_FLOAT32 = ("sigmoid", "softmax", "binary_cross_entropy", "softmax_cross_entropy")
OPTIMIZERS: Dict[str, Callable[[Any], Any]] = {
    "sgd": lambda o: optimizers.SGD(o.learning_rate, o.momentum, nesterov=o.nesterov),
    "adam": lambda o: optimizers.Adam(o.learning_rate, [o.beta_1, o.beta_2], o.epsilon, True),
    "adamw": lambda o: optimizers.AdamW(o.learning_rate, [o.beta_1, o.beta_2], o.epsilon, o.weight_decay, True),
    "rmsprop": lambda o: optimizers.RMSprop(o.learning_rate, o.rho, o.epsilon),
}
SLOTS = {"velocity": "v", "first_moment": "m", "second_moment": "v", "mean_square": "v"}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = ["this adapter uses MLX on the CPU only"] if device == "gpu" else []
    if spec.optimizer.type == "rmsprop" and "velocity" in active_slots(spec.optimizer):
        reasons.append("MLX's RMSprop has no momentum")
    parts = [spec.loss, *(getattr(node.layer, "activation", None) for node in spec.nodes)]
    if dtype == "float64" and any(getattr(part, "type", None) in IN_FLOAT32 for part in parts):
        reasons.append("MLX computes exp, sigmoid, softmax and cross-entropies of float64 to the accuracy of float32 only")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of MLX and numpy."""
    return {"mlx": mx.__version__, "numpy": numpy.__version__}


class Program:
    """Parameters in a dict, and MLX's own optimizer; its beta ** step is float32 where step is an integer, so not in float64."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        mx.set_default_device(mx.cpu)
        mx.random.seed(0)  # of MLX's own dropout
        self.spec, self.dtype, self.kind, self.slots = spec, dtype, getattr(mx, dtype), active_slots(spec.optimizer)
        self.optimizer = OPTIMIZERS[spec.optimizer.type](spec.optimizer)
        self.differentiated, self.probed = mx.value_and_grad(self.loss), mx.value_and_grad(self.loss, (0, 1, 2))

    def load(self, state: State) -> None:
        self.parameters = {name: mx.array(array, self.kind) for name, array in state.parameters.items()}
        self.optimizer.init(self.parameters)
        self.optimizer.state["step"] = mx.array(state.step, mx.float64 if self.dtype == "float64" else mx.uint64)
        for name in self.parameters:
            self.optimizer.state[name] = {SLOTS[slot]: mx.array(state.slots[slot][name], self.kind) for slot in self.slots}

    def state(self) -> State:
        kept = self.optimizer.state
        slots = {slot: {name: numpy.array(kept[name][SLOTS[slot]]) for name in self.parameters} for slot in self.slots}
        return State(tree_map(numpy.array, self.parameters), slots, int(kept["step"].item()))

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: mx.array(array, getattr(mx, array.dtype.name)))

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def loss(self, parameters: Arrays, x: Any, taps: Any, y: Any, masks: Any) -> Tuple[Any, List[Any]]:
        outputs = self.outputs(parameters, x, masks, taps)
        return LOSSES[self.spec.loss.type](outputs[self.spec.loss_node], y), outputs

    def outputs(self, parameters: Arrays, x: Any, masks: Any, taps: Any = None) -> List[Any]:
        def dense(node: Any, x: Any) -> Any:
            kernel = parameters[f"{node.name}/kernel"]
            return mx.addmm(parameters[f"{node.name}/bias"], x, kernel) if node.layer.use_bias else x @ kernel

        layers = {"dense": dense, "flatten": lambda _, x: mx.flatten(x, 1), "dropout": lambda n, x: nn.Dropout(n.layer.rate)(x)}
        return shared.forward(self.spec.nodes, x, masks, layers, ACTIVATIONS, taps)

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        (loss, _), gradients = self.differentiated(self.parameters, x, None, y, masks or None)
        self.parameters = self.optimizer.apply_gradients(gradients, self.parameters)
        mx.eval(loss, self.parameters, self.optimizer.state)
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        taps = {node.name: mx.zeros((len(batch.inputs), *node.output_shape), x.dtype) for node in self.spec.nodes}
        found = tree_map(numpy.array, self.probed(self.parameters, x, list(taps.values()), y, masks))
        (loss, outputs), (gradients, at_input, at_outputs) = found
        return Probe(float(loss), dict(zip(taps, outputs)), gradients, dict(zip(taps, at_outputs)), at_input)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [numpy.array(self.outputs(self.parameters, batch[0], [1.0] * len(self.spec.nodes))[-1]) for batch in staged]
