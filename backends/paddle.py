"""PaddlePaddle: functions of its nn.functional over its parameters, its autograd (dygraph) and paddle.optimizer."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
import paddle
from paddle.nn import functional as F  # noqa: N812
from paddle.optimizer import SGD, Adam, AdamW, Momentum, RMSProp
from paddle.utils import map_structure

from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"paddle": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {"rmsprop.epsilon": "inside", "rmsprop.momentum": "lr_velocity"}
LAYERS = ("dense", "flatten", "dropout")
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: paddle.sign(F.relu(z)),  # a comparison has no gradient at all, this has the zero one
    **{name: getattr(F, name) for name in ("sigmoid", "tanh", "relu", "softmax")},
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "binary_cross_entropy": lambda z, y: -F.log_sigmoid((2 * y - 1) * z).mean(),  # its own is wrong at z = 0: Paddle#64253
    "softmax_cross_entropy": lambda z, y: F.cross_entropy(z, y, soft_label=y.ndim == 2),
    "hinge": lambda z, y: F.relu(1 - y * z).mean(),
    "perceptron": lambda z, y: paddle.where(y * z <= 0, -y * z, paddle.zeros_like(z)).mean(),  # relu's gradient at 0 is 0
}
OPTIMIZERS: Dict[str, Callable[[Any, List[Any]], Any]] = {
    "sgd": lambda s, p: Momentum(s.learning_rate, s.momentum, p, s.nesterov) if s.momentum else SGD(s.learning_rate, p),
    "adam": lambda s, p: Adam(s.learning_rate, s.beta_1, s.beta_2, s.epsilon, p),
    "adamw": lambda s, p: AdamW(s.learning_rate, s.beta_1, s.beta_2, s.epsilon, p, s.weight_decay),
    "rmsprop": lambda s, p: RMSProp(s.learning_rate, s.rho, s.epsilon, s.momentum, parameters=p),
}
SLOTS = {"velocity": "velocity", "first_moment": "moment1", "second_moment": "moment2", "mean_square": "mean_square"}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "paddle's package for CPUs")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of paddle and numpy."""
    return {"paddle": paddle.__version__, "numpy": numpy.__version__, "mkl": paddle.version.mkl()}


class Program:
    """Parameters and the optimizer's slots, as tensors by canonical name; kernels are `(in, out)` in paddle as well."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        paddle.seed(0)  # of paddle's own dropout
        self.spec, self.dtype, self.loss = spec, dtype, LOSSES[spec.loss.type]
        own = {item.name: paddle.create_parameter(list(item.shape), dtype) for item in spec.parameters}
        self.optimizer = OPTIMIZERS[spec.optimizer.type](spec.optimizer, list(own.values()))
        self.optimizer.apply_gradients([(at, paddle.zeros_like(at)) for at in own.values()])  # the first step makes the slots
        names = {**SLOTS, "velocity": "momentum"} if spec.optimizer.type == "rmsprop" else SLOTS
        self.parameters, self.kept, active = own, self.optimizer.state_dict(), active_slots(spec.optimizer)
        self.slots = {slot: {name: self.kept[f"{at.name}_{names[slot]}_0"] for name, at in own.items()} for slot in active}

    def load(self, state: State) -> None:
        for name, tensor in self.parameters.items():
            tensor.set_value(numpy.asarray(state.parameters[name], self.dtype))
            for slot, tensors in self.slots.items():
                tensors[name].set_value(numpy.asarray(state.slots[slot][name], self.dtype))
        for name in [name for name in self.kept if "_pow_acc_" in name]:  # powers of Adam's betas, for the step to come
            beta = vars(self.spec.optimizer)["beta_1" if "beta1" in name else "beta_2"]
            self.kept[name].set_value(numpy.array([beta ** (state.step + 1)], self.dtype))
        self.steps = state.step

    def state(self) -> State:
        return State(map_structure(numpy.array, self.parameters), map_structure(numpy.array, self.slots), self.steps)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, paddle.to_tensor)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def outputs(self, x: Any, masks: Any) -> List[Any]:
        def dense(node: Any, x: Any) -> Any:
            return F.linear(x, self.parameters[f"{node.name}/kernel"], self.parameters.get(f"{node.name}/bias"))

        layers = {"dense": dense, "flatten": lambda _, x: x.flatten(1), "dropout": lambda n, x: F.dropout(x, n.layer.rate)}
        return shared.forward(self.spec.nodes, x, masks, layers, ACTIVATIONS)

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        self.optimizer.clear_grad(set_to_zero=False)
        loss = self.loss(self.outputs(x, masks or None)[self.spec.loss_node], y)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        x.stop_gradient = False
        outputs = {node.name: output for node, output in zip(self.spec.nodes, self.outputs(x, masks))}
        for output in outputs.values():
            output.retain_grads()
        self.optimizer.clear_grad(set_to_zero=False)
        loss = self.loss(list(outputs.values())[self.spec.loss_node], y)
        loss.backward()
        found = map_structure(lambda at: paddle.zeros_like(at) if at.grad is None else at.grad, [self.parameters, outputs, x])
        return Probe(float(loss), *map_structure(numpy.array, [outputs, *found]))

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        with paddle.no_grad():
            return [numpy.array(self.outputs(batch[0], [1.0] * len(self.spec.nodes))[-1]) for batch in staged]
