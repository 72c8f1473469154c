"""Apache MXNet: imperative mx.nd operators, mx.autograd, and MXNet's own update operators, which work in place."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import mxnet
import numpy
from mxnet import autograd, nd

from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import Adam, ProgramSpec, active_slots

REQUIRES = {"mxnet": ""}
#: without oneDNN's log_softmax, off by 1e-6 (https://github.com/apache/mxnet/pull/18469), and all in Python's own thread
MODES = {"": {"variables": {"MXNET_MKLDNN_ENABLED": "0", "MXNET_ENGINE_TYPE": "NaiveEngine"}}}
FORMS: Dict[str, str] = {"sgd.momentum": "lr_velocity", "adam.epsilon": "hat", "rmsprop.epsilon": "inside"}
LAYERS = ("dense", "flatten", "dropout")
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "step": lambda z: z > 0,
    **{name: getattr(nd, name) for name in ("sigmoid", "tanh", "relu", "softmax")},
}
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: nd.square(p - y).mean(),
    "mae": lambda p, y: nd.abs(p - y).mean(),
    # softplus(z) - z y: the gradient of gluon's own is -y at z = 0, and softrelu(z) is just z from 20 on
    "binary_cross_entropy": lambda z, y: ((0.5 - y) * z + 0.5 * nd.abs(z) + nd.Activation(-nd.abs(z), "softrelu")).mean(),
    "softmax_cross_entropy": lambda z, y: (z.log_softmax().pick(y) if y.ndim == 1 else z.log_softmax() * y).sum() / -len(y),
    "hinge": lambda z, y: nd.relu(1 - y * z).mean(),
    "perceptron": lambda z, y: nd.where(y * z <= 0, -y * z, nd.zeros_like(z)).mean(),  # relu's gradient at 0 is 0
}
MOMENTUM, ONE = (nd.sgd_mom_update, nd.nag_mom_update), nd.ones(1)
OPTIMIZERS: Dict[str, Callable[..., Any]] = {  # of the spec, and of what mxnet's operators take
    "sgd": lambda o, *a, **k: MOMENTUM[o.nesterov](*a, momentum=o.momentum, **k) if o.momentum else nd.sgd_update(*a, **k),
    "adam": lambda o, *a, **k: nd.adam_update(*a, beta1=o.beta_1, beta2=o.beta_2, epsilon=o.epsilon, **k),
    "adamw": lambda o, *a, **k: nd.contrib.adamw_update(*a, ONE, beta1=o.beta_1, beta2=o.beta_2, epsilon=o.epsilon, eta=1.0, **k),
    "rmsprop": lambda o, *a, **k: nd.rmsprop_update(*a, gamma1=o.rho, epsilon=o.epsilon, **k),
}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "mxnet's package for CPUs")
    if spec.optimizer.type == "rmsprop" and "velocity" in active_slots(spec.optimizer):
        reasons.append("mxnet's RMSProp has no momentum, except in its centered form")
    if isinstance(spec.optimizer, Adam) and dtype == "float64":
        reasons.append("mxnet's Adam takes the corrected learning rate in float32")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of mxnet and numpy."""
    return {"mxnet": mxnet.__version__, "numpy": numpy.__version__}


class Program:
    """Parameters, each with its gradient, and slots as arrays by canonical name; kernels are `(out, in)`."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        mxnet.random.seed(0)  # of mxnet's own dropout
        self.spec, self.dtype, self.loss = spec, dtype, LOSSES[spec.loss.type]

    def load(self, state: State) -> None:
        self.steps, slots = state.step, active_slots(self.spec.optimizer)
        self.parameters = {name: nd.array(at.T, dtype=self.dtype) for name, at in state.parameters.items()}
        self.slots = {slot: {name: nd.array(at.T, dtype=self.dtype) for name, at in state.slots[slot].items()} for slot in slots}
        autograd.mark_variables(list(self.parameters.values()), [nd.zeros_like(at) for at in self.parameters.values()])

    def state(self) -> State:
        parameters, *slots = [{key: at.T.asnumpy() for key, at in own.items()} for own in (self.parameters, *self.slots.values())]
        return State(parameters, dict(zip(self.slots, slots)), self.steps)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: nd.array(array, dtype=array.dtype))

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, nd.NDArray.asnumpy)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def outputs(self, x: Any, masks: Any, taps: Any = None) -> List[Any]:
        def dense(node: Any, x: Any) -> Any:
            weight, bias = self.parameters[f"{node.name}/kernel"], self.parameters.get(f"{node.name}/bias")
            return nd.FullyConnected(x, weight, bias, num_hidden=node.layer.units, no_bias=bias is None)

        layers = {"dense": dense, "flatten": lambda _, x: nd.flatten(x), "dropout": lambda n, x: nd.Dropout(x, p=n.layer.rate)}
        return shared.forward(self.spec.nodes, x, masks, layers, ACTIVATIONS, taps)

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        with autograd.record():
            loss = self.loss(self.outputs(x, masks or None)[self.spec.loss_node], y)
        loss.backward()
        self.steps, rule = self.steps + 1, self.spec.optimizer
        hat = (1 - rule.beta_2**self.steps) ** 0.5 / (1 - rule.beta_1**self.steps) if isinstance(rule, Adam) else 1.0
        rate, decay = rule.learning_rate * hat, rule.learning_rate * getattr(rule, "weight_decay", 0.0)
        for name, at in self.parameters.items():
            OPTIMIZERS[rule.type](rule, at, at.grad, *[own[name] for own in self.slots.values()], out=at, lr=rate, wd=decay)
        nd.waitall()
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every, lambda loss: float(loss.asscalar()))

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        taps = {node.name: nd.zeros((len(x), *node.output_shape), dtype=self.dtype) for node in self.spec.nodes}
        autograd.mark_variables([x, *taps.values()], [nd.zeros_like(at) for at in (x, *taps.values())])
        with autograd.record():
            outputs = self.outputs(x, masks, list(taps.values()))
            loss = self.loss(outputs[self.spec.loss_node], y)
        loss.backward()
        values = {name: output.asnumpy() for name, output in zip(taps, outputs)}
        gradients = {name: at.grad.T.asnumpy() for name, at in self.parameters.items()}
        at_outputs = {name: tap.grad.asnumpy() for name, tap in taps.items()}
        return Probe(float(loss.asscalar()), values, gradients, at_outputs, x.grad.asnumpy())

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.outputs(batch[0], None)[-1].asnumpy() for batch in staged]
