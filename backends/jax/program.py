"""The program: one step, a pure function of the carried state and a batch, jitted with that state donated."""

from __future__ import annotations

import os
import platform
import time
from itertools import cycle
from typing import Any, Callable, Dict, List, Sequence, Tuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy
import optax
from jax.flatten_util import ravel_pytree

from harness.interface import Arrays, Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import SGD, Adam, AdamW, Dropout, ProgramSpec, RMSprop, active_slots

from .model import ACTIVATIONS, LAYERS, LOSSES, draw, outputs

config: Any = jax.config
config.update("jax_default_matmul_precision", "highest")  # else GPUs and TPUs multiply float32 in less

FORMS: Dict[str, str] = {"rmsprop.momentum": "lr_velocity"}

#: canonical slot -> optax's and its sign, by optimizer; rmsprop's velocity is the update itself, which points down
SLOTS = {
    "sgd": {"velocity": ("trace", 1)},
    "adam": {"first_moment": ("mu", 1), "second_moment": ("nu", 1)},
    "adamw": {"first_moment": ("mu", 1), "second_moment": ("nu", 1)},
    "rmsprop": {"mean_square": ("nu", 1), "velocity": ("trace", -1)},
}

#: Up to so many numbers, parameters travel as one vector: a call pays for every array that goes in or out. Measured on one core:
#: 20 to 30 % of a step at 1000 numbers, nothing at 130 000; beyond that, gathering the gradient costs up to 5 %.
ONE_VECTOR = 2**17

Staged = List[Tuple[Any, ...]]


def devices(kind: str) -> List[Any]:
    """The devices of a kind, cpu or gpu."""
    try:
        return list(jax.devices(kind))
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
        "jaxlib": jaxlib.version.__version__,
        "optax": optax.__version__,
        "python": platform.python_version(),
        "devices": [device.device_kind for device in jax.devices()],
        "threads": os.environ.get("PJRT_NPROC"),
        "xla_flags": os.environ.get("XLA_FLAGS"),
        "x64": config.jax_enable_x64,
        "matmul_precision": config.jax_default_matmul_precision,
        "random": config.jax_default_prng_impl,
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
        config.update("jax_enable_x64", dtype == "float64")  # for the whole process; it moves float32 Adam's bits
        self.spec, self.dtype, self.device = spec, dtype, devices(device)[0]
        self.optimizer = optimizer(spec.optimizer)
        self.slots = {slot: SLOTS[spec.optimizer.type][slot] for slot in active_slots(spec.optimizer)}
        self.drops = [node for node in spec.nodes if isinstance(node.layer, Dropout)]
        self.names = [parameter.name for parameter in spec.parameters]
        self.pack, self.unpack = packing({parameter.name: jnp.zeros(parameter.shape, dtype) for parameter in spec.parameters})
        self.read, self.loss = spec.nodes[spec.loss_node].name, LOSSES[spec.loss.type]
        self.step = jax.jit(self.stepped, donate_argnums=0)
        self.probed = jax.jit(self.differentiated)
        self.infer = jax.jit(lambda packed, x: outputs(spec.nodes, self.unpack(packed), x, {})[spec.nodes[-1].name])
        self.steps = 0

    def loss_of(self, packed: Any, x: Any, y: Any, masks: Arrays) -> Any:
        """The mean loss."""
        return self.loss(outputs(self.spec.nodes, self.unpack(packed), x, masks)[self.read], y).mean()

    def stepped(self, carry: Any, x: Any, y: Any, *given: Any) -> Any:
        """One step: the state after it, and the loss before. A batch without masks has them drawn."""
        packed, slots, key = carry
        masks = dict(zip((node.name for node in self.drops), given))
        if self.drops and not given:
            key, own = jax.random.split(key)
            masks = draw(self.drops, own, len(x), x.dtype)
        loss, gradients = jax.value_and_grad(self.loss_of)(packed, x, y, masks)
        updates, slots = self.optimizer.update(gradients, slots, packed)
        return (optax.apply_updates(packed, updates), slots, key), loss

    def differentiated(self, packed: Any, x: Any, y: Any, masks: Arrays) -> Any:
        """`((loss, outputs), (gradients of parameters, inputs, outputs))`."""
        nodes = self.spec.nodes

        def loss_of(parameters: Arrays, x: Any, taps: Arrays) -> Any:
            found = outputs(nodes, parameters, x, masks, taps)
            return self.loss(found[self.read], y).mean(), found

        taps = {node.name: jnp.zeros((len(x), *node.output_shape), x.dtype) for node in nodes}
        return jax.value_and_grad(loss_of, (0, 1, 2), has_aux=True)(self.unpack(packed), x, taps)

    def native(self, array: Any) -> Any:
        """An array on the device, copied: `jax.device_put` may keep numpy's memory, which a step would then give away."""
        return jnp.array(numpy.asarray(array, self.dtype), device=self.device)

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        packed = self.pack({name: self.native(state.parameters[name]) for name in self.names})
        kept: Dict[str, Any] = {
            own: self.pack({name: self.native(sign * state.slots[slot][name]) for name in self.names})
            for slot, (own, sign) in self.slots.items()
        }
        if isinstance(self.spec.optimizer, Adam):
            kept["count"] = jnp.array(state.step, jnp.int32)
        slots = optax.tree_utils.tree_set(self.optimizer.init(packed), **kept)
        key = jax.random.PRNGKey(state.step) if self.drops else None
        self.carry, self.steps = jax.device_put((packed, slots, key), self.device), state.step

    def state(self) -> State:
        """The present state, copied."""
        packed, kept, _ = self.carry
        steps = int(optax.tree_utils.tree_get(kept, "count", self.steps))  # only Adam counts
        slots = {slot: self.canonical(optax.tree_utils.tree_get(kept, own), sign) for slot, (own, sign) in self.slots.items()}
        return State(self.canonical(packed), slots, steps)

    def canonical(self, packed: Any, sign: int = 1) -> Arrays:
        """Parameters or one of their slots as numpy arrays of their own."""
        arrays = self.unpack(packed)
        return {name: sign * numpy.array(arrays[name]) for name in self.names}

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """`(inputs, targets, *masks)` on the device."""
        staged = []
        for batch in numpy_batches(batches, self.dtype):
            masks = [] if batch.masks is None else masked(self.spec, batch.masks).values()
            staged.append(tuple(jax.device_put(array, self.device) for array in (batch.inputs, batch.targets, *masks)))
        return staged

    def unstage(self, staged: Staged) -> List[Batch]:
        """Back to numpy; integers that JAX keeps in 32 bits become int64 again."""
        drops = [node.name for node in self.drops]
        return numpy_batches([Batch(x, y, dict(zip(drops, masks)) if masks else None) for x, y, *masks in staged], self.dtype)

    def compile(self, staged: Staged) -> Dict[str, float]:
        """Trace, lower and compile the step for every shape of a batch. `step` finds the executable in JAX's caches afterwards;
        calling the compiled object itself is no faster."""
        clock, spent = time.perf_counter, {"trace": 0.0, "lower": 0.0, "compile": 0.0}
        for batch in {tuple(array.shape for array in batch): batch for batch in staged}.values():
            stamps = [clock()]
            traced = self.step.trace(self.carry, *batch)
            stamps.append(clock())
            lowered = traced.lower()
            stamps.append(clock())
            lowered.compile()
            stamps.append(clock())
            for stage, start, end in zip(spent, stamps, stamps[1:]):
                spent[stage] += end - start
        return spent

    def train(self, staged: Staged, steps: int, read_every: int = 1) -> Trace:
        """One call a step; see the contract."""
        clock, step, carry = time.perf_counter_ns, self.step, self.carry
        read = numpy.asarray  # float(loss) takes 8 microseconds, this 1.5
        losses: List[float] = []
        stamps = [clock()]
        for index, batch in zip(range(1, steps + 1), cycle(staged)):
            carry, loss = step(carry, *batch)
            if index % read_every == 0:
                losses.append(read(loss).item())
                stamps.append(clock())
        self.carry, self.steps = carry, self.steps + steps
        jax.block_until_ready(carry)
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


def packing(parameters: Arrays) -> Tuple[Callable[[Arrays], Any], Callable[[Any], Arrays]]:
    """How parameters travel, there and back: as one vector, or as they are."""
    vector, unravel = ravel_pytree(parameters)
    if vector.size > ONE_VECTOR:
        return (lambda arrays: arrays), (lambda arrays: arrays)
    return (lambda arrays: ravel_pytree(arrays)[0]), unravel
