"""JAX, as small as it goes: dense nets as functions of a dict of arrays, jax.value_and_grad, and gradient descent by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy

from harness.interface import Arrays, Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec

jax.config.update("jax_enable_x64", True)  # else JAX makes float32 of every float64

REQUIRES = {"jax": "jax"}
MODES: dict[str, dict[str, dict[str, str]]] = {"": {}}
FORMS: dict[str, str] = {}

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softmax": jax.nn.softmax,
}
#: each a mean over all rows (and outputs, where the targets have some)
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: jnp.mean((p - y) ** 2),
    "mae": lambda p, y: jnp.mean((p - y) * jnp.sign(p - y)),  # the gradient of jnp.abs is 1 at 0
    "softmax_cross_entropy": lambda z, y: -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1)),
}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """The reasons why not; empty when it can."""
    lacking = shared.unsupported(spec, layers=("dense", "flatten"), activations=ACTIVATIONS, losses=LOSSES, optimizers=("sgd",))
    return shared.missing_device(device, False, "this adapter") + lacking


def versions() -> dict[str, Any]:
    """Whatever decides the numbers."""
    return {"tiny_jax": jax.__version__, "numpy": numpy.__version__}


class Program:
    """Parameters in a dict; everything else is functions of them."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.steps = spec, dtype, 0
        self.parameters: dict[str, Any] = {}
        self.velocity: dict[str, Any] = {}
        self.updated = jax.jit(self.update)

    # the state: canonical is (in, out), and so is what we multiply with; other frameworks turn their kernels here

    def load(self, state: State) -> None:
        """Take a state in, copied."""
        self.parameters = {name: jnp.array(array, self.dtype) for name, array in state.parameters.items()}
        self.velocity = {name: jnp.array(array, self.dtype) for name, array in state.slots.get("velocity", {}).items()}
        self.steps = state.step

    def state(self) -> State:
        """The present state, copied."""
        slots = {"velocity": copied(self.velocity)} if self.velocity else {}
        return State(copied(self.parameters), slots, self.steps)

    def stage(self, batches: Sequence[Batch]) -> list[tuple[Any, ...]]:
        """Tensors on the device."""
        return shared.stage(self.spec, batches, self.dtype, jnp.asarray)

    def unstage(self, staged: list[tuple[Any, ...]]) -> list[Batch]:
        """Back to numpy."""
        return shared.unstage(self.spec, staged, self.dtype, numpy.array)

    # computing

    def outputs(self, parameters: Any, x: Any, taps: Any = None) -> list[Any]:
        """The output of every node, each with its tap added: a zero at which JAX can be asked for the gradient."""

        def dense(node: Any, x: Any) -> Any:
            y = x @ parameters[f"{node.name}/kernel"]
            return y + parameters[f"{node.name}/bias"] if node.layer.use_bias else y

        layers = {"dense": dense, "flatten": lambda node, x: x.reshape(len(x), -1)}
        return shared.forward(self.spec.nodes, x, None, layers, ACTIVATIONS, taps)

    def loss(self, parameters: Any, taps: Any, x: Any, y: Any) -> Any:
        """The loss, and every output beside it."""
        found = self.outputs(parameters, x, taps)
        return LOSSES[self.spec.loss.type](found[self.spec.loss_node], y), found

    def update(self, parameters: Any, velocity: Any, x: Any, y: Any) -> Any:
        """One step of gradient descent: p <- p - lr g; with momentum v <- m v + g and p <- p - lr v, or p - lr (g + m v) by Nesterov."""
        (loss, _), way = jax.value_and_grad(self.loss, has_aux=True)(parameters, None, x, y)
        rule: Any = self.spec.optimizer
        if velocity:
            velocity = {name: rule.momentum * velocity[name] + gradient for name, gradient in way.items()}
            way = {name: way[name] + rule.momentum * velocity[name] for name in way} if rule.nesterov else velocity
        return loss, {name: p - rule.learning_rate * way[name] for name, p in parameters.items()}, velocity

    def step(self, x: Any, y: Any) -> Any:
        """One training step; the loss before it."""
        loss, self.parameters, self.velocity = self.updated(self.parameters, self.velocity, x, y)
        self.steps += 1
        return loss

    # what harness calls

    def compile(self, staged: Any) -> dict[str, float]:
        """Left to the first step, as long as nobody asks what it costs."""
        return {}

    def train(self, staged: list[tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        """The loop; reading a loss waits for the device."""
        trace = shared.loop(self.step, staged, steps, read_every)
        jax.block_until_ready(self.parameters)
        return trace

    def probe(self, batch: Batch) -> Probe:
        """What one batch gives: loss, outputs, and gradients of the parameters, at every output and at the inputs."""
        x, y = self.stage([batch])[0]
        taps = [jnp.zeros((len(x), *node.output_shape), self.dtype) for node in self.spec.nodes]
        differentiated = jax.value_and_grad(self.loss, (0, 1, 2), has_aux=True)
        (loss, found), (gradients, at_outputs, at_input) = differentiated(self.parameters, taps, x, y)
        names = [node.name for node in self.spec.nodes]
        values, slopes = map(numpy.array, found), map(numpy.array, at_outputs)
        return Probe(float(loss), dict(zip(names, values)), copied(gradients), dict(zip(names, slopes)), numpy.array(at_input))

    def predict(self, staged: list[tuple[Any, ...]]) -> list[Any]:
        """The outputs of each batch."""
        return [numpy.array(self.outputs(self.parameters, batch[0])[-1]) for batch in staged]


def copied(tensors: Any) -> Arrays:
    """Numpy's own copies."""
    return {name: numpy.array(tensor) for name, tensor in tensors.items()}
