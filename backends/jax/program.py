"""The program: one step, a pure function of the carried state and a batch, jitted with that state donated."""

from __future__ import annotations

import os
import platform
import time
from itertools import cycle
from typing import Any, Dict, List, Sequence, Tuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy
import optax

from harness.interface import Arrays, Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import SGD, Adam, AdamW, Dropout, ProgramSpec, RMSprop, active_slots

from .model import ACTIVATIONS, LAYERS, LOSSES, draw, outputs

FORMS: Dict[str, str] = {"rmsprop.momentum": "lr_velocity"}

#: canonical slot -> optax's and its sign, by optimizer; rmsprop's velocity is the update itself, which points down
SLOTS = {
    "sgd": {"velocity": ("trace", 1)},
    "adam": {"first_moment": ("mu", 1), "second_moment": ("nu", 1)},
    "adamw": {"first_moment": ("mu", 1), "second_moment": ("nu", 1)},
    "rmsprop": {"mean_square": ("nu", 1), "velocity": ("trace", -1)},
}

Staged = List[Tuple[Any, ...]]


def devices(kind: str) -> List[Any]:
    """The devices of a kind, cpu or gpu."""
    try:
        return jax.devices(kind)
    except RuntimeError:
        return []


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(devices(device)), "jax")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=SLOTS)


def versions() -> Dict[str, Any]:
    """Versions, devices, threads, and what may make a float32 less than that."""
    return {
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "optax": optax.__version__,
        "python": platform.python_version(),
        "devices": [device.device_kind for device in jax.devices()],
        "threads": os.environ.get("PJRT_NPROC"),
        "xla_flags": os.environ.get("XLA_FLAGS"),
        "x64": jax.config.jax_enable_x64,
        "matmul_precision": jax.config.jax_default_matmul_precision,
        "random": jax.config.jax_default_prng_impl,
    }


def optimizer(spec: Any) -> Any:
    """Optax's own."""
    rate = spec.learning_rate
    if isinstance(spec, SGD):
        return optax.sgd(rate, spec.momentum or None, spec.nesterov)
    if isinstance(spec, RMSprop):
        return optax.rmsprop(rate, spec.rho, spec.epsilon, eps_in_sqrt=False, momentum=spec.momentum or None)
    if isinstance(spec, AdamW):
        return optax.adamw(rate, spec.beta_1, spec.beta_2, spec.epsilon, weight_decay=spec.weight_decay)
    return optax.adam(rate, spec.beta_1, spec.beta_2, spec.epsilon)


class Program:
    """`carry` is all that a step changes: parameters, the optimizer's state, and the key where there is dropout."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        jax.config.update("jax_enable_x64", dtype == "float64")  # for the whole process; it moves float32 Adam's bits
        jax.config.update("jax_default_matmul_precision", "highest")
        self.spec, self.dtype, self.device = spec, dtype, devices(device)[0]
        self.optimizer = optimizer(spec.optimizer)
        self.slots = {slot: SLOTS[spec.optimizer.type][slot] for slot in active_slots(spec.optimizer)}
        self.drops = [node for node in spec.nodes if isinstance(node.layer, Dropout)]
        self.read, self.loss = spec.nodes[spec.loss_node].name, LOSSES[spec.loss.type]
        self.step = jax.jit(self.stepped, donate_argnums=0)
        self.probed = jax.jit(self.differentiated)
        self.infer = jax.jit(lambda parameters, x: outputs(spec.nodes, parameters, x, {})[spec.nodes[-1].name])
        self.compiled: Dict[Any, Any] = {}
        self.names = [parameter.name for parameter in spec.parameters]
        self.steps = 0

    def loss_of(self, parameters: Arrays, x: Any, y: Any, masks: Arrays) -> Any:
        """The mean loss."""
        trained = self.spec.nodes[: self.spec.loss_node + 1]
        return self.loss(outputs(trained, parameters, x, masks)[self.read], y).mean()

    def stepped(self, carry: Any, x: Any, y: Any, *given: Any) -> Any:
        """One step: the state after it, and the loss before. A batch without masks has them drawn."""
        parameters, slots, key = carry
        masks = dict(zip((node.name for node in self.drops), given))
        if self.drops and not given:
            key, own = jax.random.split(key)
            masks = draw(self.drops, own, len(x), x.dtype)
        loss, gradients = jax.value_and_grad(self.loss_of)(parameters, x, y, masks)
        updates, slots = self.optimizer.update(gradients, slots, parameters)
        return (optax.apply_updates(parameters, updates), slots, key), loss

    def differentiated(self, parameters: Arrays, x: Any, y: Any, masks: Arrays) -> Any:
        """`((loss, outputs), (gradients of parameters, inputs, outputs))`."""
        nodes = self.spec.nodes

        def loss_of(parameters: Arrays, x: Any, taps: Arrays) -> Any:
            found = outputs(nodes, parameters, x, masks, taps)
            return self.loss(found[self.read], y).mean(), found

        taps = {node.name: jnp.zeros((len(x), *node.output_shape), x.dtype) for node in nodes}
        return jax.value_and_grad(loss_of, (0, 1, 2), has_aux=True)(parameters, x, taps)

    def native(self, array: Any) -> Any:
        """An array on the device, copied: `jax.device_put` may keep numpy's memory, which a step would then give away."""
        return jnp.array(numpy.asarray(array, self.dtype), device=self.device)

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        parameters = {name: self.native(state.parameters[name]) for name in self.names}
        slots: Dict[str, Any] = {
            own: {name: self.native(sign * state.slots[slot][name]) for name in self.names} for slot, (own, sign) in self.slots.items()
        }
        if isinstance(self.spec.optimizer, Adam):
            slots["count"] = jnp.array(state.step, jnp.int32)
        key = jax.random.PRNGKey(state.step) if self.drops else None
        carry = (parameters, optax.tree_utils.tree_set(self.optimizer.init(parameters), **slots), key)
        self.carry, self.steps = jax.device_put(carry, self.device), state.step

    def state(self) -> State:
        """The present state, copied."""
        parameters, kept, _ = self.carry
        slots = {}
        for slot, (own, sign) in self.slots.items():
            found = optax.tree_utils.tree_get(kept, own)
            slots[slot] = {name: sign * numpy.array(found[name]) for name in self.names}
        return State({name: numpy.array(parameters[name]) for name in self.names}, slots, self.steps)

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """`(inputs, targets, *masks)` on the device."""
        staged = []
        for batch in numpy_batches(batches, self.dtype):
            masks = [] if batch.masks is None else masked(self.spec, batch.masks).values()
            staged.append(tuple(jnp.array(array, device=self.device) for array in (batch.inputs, batch.targets, *masks)))
        return staged

    def unstage(self, staged: Staged) -> List[Batch]:
        """Back to numpy; integers that JAX keeps in 32 bits become int64 again."""
        drops = [node.name for node in self.drops]
        return numpy_batches([Batch(x, y, dict(zip(drops, masks)) if masks else None) for x, y, *masks in staged], self.dtype)

    def compile(self, staged: Staged) -> Dict[str, float]:
        """Trace, lower and compile the step ahead of time, for every shape of a batch; `train` then calls the executable."""
        clock, spent = time.perf_counter, {"trace": 0.0, "lower": 0.0, "compile": 0.0}
        for shape, batch in {shapes(batch): batch for batch in staged}.items():
            start = clock()
            traced = self.step.trace(self.carry, *batch)
            after_trace = clock()
            lowered = traced.lower()
            after_lower = clock()
            self.compiled[shape] = lowered.compile()
            for stage, seconds in zip(spent, (after_trace - start, after_lower - after_trace, clock() - after_lower)):
                spent[stage] += seconds
        return spent

    def train(self, staged: Staged, steps: int, read_every: int = 1) -> Trace:
        """One call a step; see the contract."""
        clock, carry = time.perf_counter_ns, self.carry
        work = cycle([(self.compiled.get(shapes(batch), self.step), batch) for batch in staged])
        losses: List[float] = []
        stamps = [clock()]
        for index, (step, batch) in zip(range(1, steps + 1), work):
            carry, loss = step(carry, *batch)
            if index % read_every == 0:
                losses.append(loss.item())
                stamps.append(clock())
        self.carry, self.steps = jax.block_until_ready(carry), self.steps + steps
        return Trace(losses, stamps)

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        masks = masked(self.spec, batch.masks)
        x, y, *native = self.stage([Batch(batch.inputs, batch.targets, masks)])[0]
        found = self.probed(self.carry[0], x, y, dict(zip(masks, native)))
        (loss, values), (gradients, at_input, at_outputs) = jax.tree.map(numpy.array, found)
        names = [node.name for node in self.spec.nodes]  # jit gives dicts back sorted
        return Probe(
            float(loss),
            {name: values[name] for name in names},
            {name: gradients[name] for name in self.names},
            {name: at_outputs[name] for name in names},
            at_input,
        )

    def predict(self, staged: Staged) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        return [numpy.array(self.infer(self.carry[0], batch[0])) for batch in staged]


def shapes(batch: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """What an executable is made for."""
    return tuple(array.shape for array in batch)
