"""Chainer: links, and Chainer's own functions, losses and optimizers; on NumPy."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import chainer
import chainer.functions as F  # noqa: N812 (all of Chainer's documents call it so)
import numpy

from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"chainer": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS = {"sgd.momentum": "lr_velocity", "adam.epsilon": "hat"}

SLOTS = {"velocity": "v", "first_moment": "m", "second_moment": "v", "mean_square": "ms"}  # canonical -> Chainer's
#: the decay of Chainer's AdamW is not multiplied by the rate
OPTIMIZERS: Dict[str, Callable[[Any, float], Any]] = {
    "sgd": lambda o, rate: chainer.optimizers.MomentumSGD(rate, o.momentum) if o.momentum else chainer.optimizers.SGD(rate),
    "adam": lambda o, rate: chainer.optimizers.Adam(rate, o.beta_1, o.beta_2, o.epsilon, 1.0, 0.0),
    "adamw": lambda o, rate: chainer.optimizers.AdamW(rate, o.beta_1, o.beta_2, o.epsilon, 1.0, rate * o.weight_decay),
    "rmsprop": lambda o, rate: chainer.optimizers.RMSprop(rate, o.rho, o.epsilon, eps_inside_sqrt=False),
}
LAYERS: Any = {"flatten": lambda node, x: F.reshape(x, (len(x), -1)), "dropout": lambda node, x: F.dropout(x, node.layer.rate)}
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: F.sign(F.relu(z)),
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "relu": F.relu,
    "softmax": lambda z: F.softmax(z, axis=-1),
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": F.mean_squared_error,
    "mae": F.mean_absolute_error,
    "binary_cross_entropy": F.sigmoid_cross_entropy,
    "softmax_cross_entropy": F.softmax_cross_entropy,
    "hinge": lambda z, y: F.mean(F.relu(1 - y * z)),  # Chainer's hinge is one of classes
    "perceptron": lambda z, y: F.mean(F.clip(-y * z, 0.0, None)),  # unlike relu's, clip's gradient at 0 is 1
}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons, layers = ["this adapter uses Chainer on NumPy only"] if device == "gpu" else [], ("dense", *LAYERS)
    if spec.optimizer.type == "rmsprop" and "velocity" in active_slots(spec.optimizer):
        reasons.append("Chainer's RMSprop has no momentum")
    if getattr(spec.optimizer, "nesterov", False) and "velocity" in active_slots(spec.optimizer):
        reasons.append("Chainer's NesterovAG takes the new velocity where the formula has the old one: chainer/chainer#4274")
    return reasons + shared.unsupported(spec, layers=layers, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of Chainer and of what it calls, and whether Intel's iDeep computes in its place."""
    return {"chainer": chainer.__version__, "numpy": numpy.__version__, "ideep": chainer.config.use_ideep}


class Program:
    """A chain of links, one for each dense layer, and the optimizer that is set up for it."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        numpy.random.seed(0)  # of Chainer's own dropout
        self.spec, self.dtype, self.loss, self.trained = spec, dtype, LOSSES[spec.loss.type], spec.nodes[: spec.loss_node + 1]
        self.kind = "int32" if spec.loss.type == "binary_cross_entropy" or spec.targets == "integer" else dtype
        zero, dense = chainer.initializers.Zero(dtype), [node for node in spec.nodes if node.layer.type == "dense"]
        own = {node.name: chainer.links.Linear(*node.parameters[0].shape, not node.parameters[1:], zero, zero) for node in dense}
        self.model = chainer.ChainList(*own.values())
        self.parameters = dict(zip([parameter.name for parameter in spec.parameters], self.model.params()))
        self.optimizer = OPTIMIZERS[spec.optimizer.type](spec.optimizer, spec.optimizer.learning_rate).setup(self.model)
        self.layers = {**LAYERS, "dense": lambda node, x: own[node.name](x)}

    def turned(self, array: Any) -> Any:  # a copy: Chainer's kernels are (out, in)
        return numpy.array(array.T, self.dtype, order="C")

    def load(self, state: State) -> None:
        self.optimizer.t = state.step
        for name, parameter in self.parameters.items():
            parameter.array = self.turned(state.parameters[name])
            slots = {SLOTS[slot]: self.turned(state.slots[slot][name]) for slot in active_slots(self.spec.optimizer)}
            parameter.update_rule.serialize(chainer.serializers.NpzDeserializer({"t": numpy.array(state.step), **slots}))

    def state(self) -> State:
        own, slots = self.parameters, active_slots(self.spec.optimizer)
        kept = {slot: {name: self.turned(own[name].update_rule.state[SLOTS[slot]]) for name in own} for slot in slots}
        return State({name: self.turned(own[name].array) for name in own}, kept, self.optimizer.t)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return [(x, y.astype(self.kind), *masks) for x, y, *masks in shared.stage(self.spec, batches, self.dtype, numpy.asarray)]

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        kept = self.spec.targets == "integer"
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array if kept else array.astype(self.dtype))

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        loss = self.loss(shared.forward(self.trained, x, masks or None, self.layers, ACTIVATIONS)[-1], y)
        self.model.cleargrads()
        loss.backward()
        self.optimizer.update()
        return loss.array

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        start, names, count = chainer.Variable(x), [node.name for node in self.spec.nodes], len(self.parameters)
        outputs = shared.forward(self.spec.nodes, start, masks, self.layers, ACTIVATIONS)
        loss, wanted = self.loss(outputs[self.spec.loss_node], y), [*self.parameters.values(), *outputs, start]
        found = [numpy.zeros_like(v.array) if g is None else g.array for v, g in zip(wanted, chainer.grad([loss], wanted))]
        values, gradients = [output.array for output in outputs], dict(zip(self.parameters, map(self.turned, found)))
        return Probe(float(loss.array), dict(zip(names, values)), gradients, dict(zip(names, found[count:])), found[-1])

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return [shared.forward(self.spec.nodes, batch[0], None, self.layers, ACTIVATIONS)[-1].array for batch in staged]
