"""Flax: nnx modules and nnx.Optimizer with optax, put together inside a jitted step to which their arrays are donated."""

from __future__ import annotations

from timeit import timeit
from typing import Any, Callable, Dict, List, Sequence, Tuple

import flax
import jax
import jax.numpy as jnp
import numpy
import optax
from flax import nnx

from harness.interface import Batch, Probe, State, Trace, flat_state, nested_state, shared
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"flax": "", "optax": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {"rmsprop.momentum": "lr_velocity"}
LAYERS: Dict[str, Callable[[Any, Any], Any]] = {  # of a node and the options that all share
    "dense": lambda n, o: nnx.Linear(*n.input_shape, n.layer.units, use_bias=n.layer.use_bias, **o),
    "flatten": lambda n, o: lambda x: x.reshape(len(x), -1), "dropout": lambda n, o: nnx.Dropout(n.layer.rate, rngs=o["rngs"]),
}  # fmt: skip
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {name: getattr(nnx, name) for name in ("sigmoid", "tanh", "relu", "softmax")}
ACTIVATIONS.update(linear=nnx.identity, step=lambda x: jnp.heaviside(x, 0))
ENTROPIES = {1: optax.softmax_cross_entropy_with_integer_labels, 2: optax.softmax_cross_entropy}  # by the targets' axes
#: before the mean; jnp.abs has gradient 1 at 0, and optax's own hinge and perceptron loss split theirs, as jnp.maximum does
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": optax.squared_error, "mae": lambda p, y: (p - y) * jnp.sign(p - y),
    "binary_cross_entropy": optax.sigmoid_binary_cross_entropy, "softmax_cross_entropy": lambda z, y: ENTROPIES[y.ndim](z, y),
    "hinge": lambda z, y: nnx.relu(1 - y * z), "perceptron": lambda z, y: jnp.where(y * z <= 0, -y * z, 0),
}  # fmt: skip
OPTIMIZERS: Dict[str, Callable[[Any], Any]] = {
    "sgd": lambda o: optax.sgd(o.learning_rate, o.momentum or None, o.nesterov),
    "adam": lambda o: optax.adam(o.learning_rate, o.beta_1, o.beta_2, o.epsilon),
    "adamw": lambda o: optax.adamw(o.learning_rate, o.beta_1, o.beta_2, o.epsilon, weight_decay=o.weight_decay),
    "rmsprop": lambda o: optax.rmsprop(o.learning_rate, o.rho, o.epsilon, eps_in_sqrt=False, momentum=o.momentum or None),
}
SLOTS = {"velocity": "trace", "first_moment": "mu", "second_moment": "nu", "mean_square": "nu"}  # optax's


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, jax.default_backend() == "gpu", "flax")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Versions of Flax and of what it calls, and how it multiplies."""
    return {**{module.__name__: module.__version__ for module in (flax, jax, optax, numpy)}, "matmul_precision": "highest"}


class Program:
    """`carry` is all that a step changes, as a list of arrays: parameters, optimizer, random streams."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        jax.config.update("jax_enable_x64", dtype == "float64")  # for the whole process
        self.spec, self.dtype, self.device = spec, dtype, jax.devices(device)[0]
        options = {"param_dtype": dtype, "precision": "highest", "kernel_init": nnx.initializers.zeros, "rngs": nnx.Rngs(0)}
        net = nnx.Dict({node.name: LAYERS[node.layer.type](node, options) for node in spec.nodes if node.layer.type in LAYERS})
        self.graph, split = nnx.flatten((net, nnx.Optimizer(net, OPTIMIZERS[spec.optimizer.type](spec.optimizer), wrt=nnx.Param)))
        self.carry, self.places = jax.tree.leaves(split), []
        owners: Dict[Any, str] = {0: "parameters", **{SLOTS[slot]: f"slots/{slot}" for slot in active_slots(spec.optimizer)}}
        for place, path in enumerate(split.paths):
            if path[-1] in ("kernel", "bias"):  # rmsprop's trace is the update itself, which points down
                sign = -1 if (spec.optimizer.type, path[-3]) == ("rmsprop", "trace") else 1
                self.places.append((place, f"{owners[path[-3]]}/{path[-2]}/{path[-1]}", sign))
            elif path[0] == 1:  # the optimizer's counters
                self.places.append((place, "step", 1))
        self.stepped = jax.jit(self.step, donate_argnums=0)  # nnx.jit takes 400 us more a call, nnx.jit_partial 20

    def load(self, state: State) -> None:
        given = flat_state(state)
        for place, name, sign in self.places:
            self.carry[place] = jnp.array(sign * given[name], self.carry[place].dtype, device=self.device)

    def state(self) -> State:
        return nested_state({name: sign * numpy.array(self.carry[place]) for place, name, sign in self.places})

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: jax.device_put(array, self.device))

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.asarray)

    def compile(self, staged: List[Tuple[Any, ...]]) -> Dict[str, float]:
        return {"compile": timeit(lambda: self.stepped.lower(self.carry, *staged[0]).compile(), number=1)}

    def loss(self, net: Any, x: Any, taps: Any, y: Any, masks: Any) -> Tuple[Any, List[Any]]:
        outputs = shared.forward(self.spec.nodes, x, masks, dict.fromkeys(LAYERS, lambda n, x: net[n.name](x)), ACTIVATIONS, taps)
        return LOSSES[self.spec.loss.type](outputs[self.spec.loss_node], y).mean(), outputs

    def step(self, carry: List[Any], x: Any, y: Any, *masks: Any) -> Tuple[List[Any], Any]:
        net, optimizer = nnx.unflatten(self.graph, carry)
        (loss, _), gradients = nnx.value_and_grad(self.loss, has_aux=True)(net, x, None, y, masks or None)
        optimizer.update(net, gradients)
        return jax.tree.leaves(nnx.state((net, optimizer))), loss

    def advance(self, *batch: Any) -> Any:
        self.carry, loss = self.stepped(self.carry, *batch)
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        trace = shared.loop(self.advance, staged, steps, read_every, lambda loss: numpy.asarray(loss).item())
        jax.block_until_ready(self.carry)
        return trace

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        taps = [jnp.zeros((len(x), *node.output_shape), x.dtype) for node in self.spec.nodes]
        probed, (net, _) = nnx.value_and_grad(self.loss, argnums=(0, 1, 2), has_aux=True), nnx.unflatten(self.graph, self.carry)
        (loss, outputs), (gradients, at_input, at_outputs) = jax.tree.map(numpy.array, probed(net, x, taps, y, masks))
        names = [node.name for node in self.spec.nodes]
        own = {"/".join(path): variable.get_value() for path, variable in nnx.to_flat_state(gradients)}
        return Probe(float(loss), dict(zip(names, outputs)), own, dict(zip(names, at_outputs)), at_input)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        net = nnx.view(nnx.unflatten(self.graph, self.carry)[0], deterministic=True, raise_if_not_found=False)
        return [numpy.array(self.loss(net, x, None, y, None)[1][-1]) for x, y, *_ in staged]
