"""The program: one step, a pure function of the carried state and a batch, jitted with that state donated."""

from __future__ import annotations

import math
import os
import platform
import time
from functools import partial
from itertools import accumulate, cycle
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import jax
import jax.numpy as jnp
import jaxlib
import numpy
import optax

from harness.interface import OPTIONS, Arrays, Batch, Probe, State, Trace, masked, missing_device, shared, unsupported
from harness.spec import Parameter, ProgramSpec

from .activations import ACTIVATIONS
from .losses import LOSSES, loss_value, penalty
from .model import LAYERS, draw, outputs
from .optimizers import RULES, by_parameter, counters, optimizer, slot_names
from .scan import scanned

config: Any = jax.config
config.update("jax_default_matmul_precision", "highest")  # else GPUs and TPUs multiply float32 in less

#: Up to so many numbers, parameters travel as one vector: a call pays for every array that goes in or out. Measured on one core:
#: 20 to 30 % of a step at 1000 numbers, nothing at 130 000; beyond that, gathering the gradient costs up to 5 %.
ONE_VECTOR = 2**17

Staged = shared.Stacked


def devices(kind: str) -> List[Any]:
    """The devices of a kind, cpu or gpu."""
    try:
        return list(jax.devices(kind))
    except RuntimeError:
        return []


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(devices(device)), "jax")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=RULES, options=OPTIONS)


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


class Program:
    """`carry` is all that a step changes: parameters, statistics, the optimizer's state, and the key where something is drawn. In mode scan
    all steps between two readings are one call; one of them alone is the plain step."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        config.update("jax_enable_x64", dtype == "float64")  # for the whole process; it moves float32 Adam's bits
        self.spec, self.dtype, self.device, self.scan = spec, dtype, devices(device)[0], mode == "scan"
        self.optimizer, self.slots = optimizer(spec.optimizer, dtype), slot_names(spec.optimizer)
        self.nodes = [node.name for node in spec.nodes]
        self.names = [parameter.name for parameter in spec.parameters]
        self.pack, self.unpack = packing(spec.parameters, one_vector=not by_parameter(spec.optimizer))
        self.initial = jax.jit(self.optimizer.init)
        self.step = jax.jit(self.stepped, donate_argnums=0)
        self.scanned = jax.jit(partial(scanned, self.stepped), donate_argnums=0, static_argnames="length")
        self.probed = jax.jit(self.differentiated)
        self.infer = jax.jit(self.inferred)
        self.steps = 0

    def loss_of(
        self, parameters: Arrays, statistics: Arrays, x: Any, y: Any, weights: Any, drawn: Arrays, taps: Optional[Arrays] = None
    ) -> Tuple[Any, Tuple[Arrays, Arrays]]:
        """The loss with its penalties; every output, and the moved statistics."""
        spec = self.spec
        found, moved = outputs(spec.nodes, {**parameters, **statistics}, x, drawn, taps)
        loss = loss_value(spec.loss, found[self.nodes[spec.loss_node]], y, weights)
        return loss + penalty(spec.penalties, parameters), (found, moved)

    def stepped(self, carry: Any, x: Any, y: Any, *given: Any) -> Any:
        """One step: the state after it, and the loss before. A batch without masks has them drawn."""
        packed, statistics, slots, key = carry
        weights, drawn = self.weights_and_masks(given)
        if self.spec.random_nodes and not drawn:
            key, own = jax.random.split(key)
            drawn = draw(self.spec.random_nodes, own, len(x), self.dtype)

        def loss_of(packed: Any) -> Any:
            loss, (_, moved) = self.loss_of(self.unpack(packed), statistics, x, y, weights, drawn)
            return loss, moved

        (loss, moved), gradients = jax.value_and_grad(loss_of, has_aux=True)(packed)
        updates, slots = self.optimizer.update(gradients, slots, packed)
        return (optax.apply_updates(packed, updates), moved, slots, key), loss

    def weights_and_masks(self, given: Sequence[Any]) -> Tuple[Any, Arrays]:
        """What a staged batch holds behind inputs and targets: sample weights or None, and masks by node."""
        weights, *masks = given if self.spec.weighted else (None, *given)
        return weights, dict(zip((node.name for node in self.spec.random_nodes), masks))

    def differentiated(self, carry: Any, x: Any, y: Any, *given: Any) -> Any:
        """`((loss, (outputs, ...)), (gradients of parameters, outputs, and of inputs that are floats))`."""
        packed, statistics, *_ = carry
        weights, drawn = self.weights_and_masks(given)

        def loss_of(parameters: Arrays, taps: Arrays, x: Any) -> Any:
            return self.loss_of(parameters, statistics, x, y, weights, drawn, taps)

        taps = {node.name: jnp.zeros((len(x), *node.output_shape), self.dtype) for node in self.spec.nodes}
        wanted = (0, 1) if self.spec.integer_inputs else (0, 1, 2)
        return jax.value_and_grad(loss_of, wanted, has_aux=True)(self.unpack(packed), taps, x)

    def inferred(self, carry: Any, x: Any) -> Any:
        """The last node's output, in inference mode."""
        packed, statistics, *_ = carry
        return outputs(self.spec.nodes, {**self.unpack(packed), **statistics}, x)[0][self.nodes[-1]]

    def packed(self, arrays: Arrays, sign: int = 1) -> Any:
        """Parameters or one of their slots as they travel, numpy's still, and copied: `jax.device_put` may keep numpy's memory, which a
        step would then give away."""
        return self.pack({name: sign * numpy.array(arrays[name], self.dtype) for name in self.names})

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        packed = self.packed(state.parameters)
        statistics = {item.name: numpy.array(state.statistics[item.name], self.dtype) for item in self.spec.statistics}
        slots = {own: self.packed(state.slots[slot], sign) for slot, (own, sign) in self.slots.items()}
        held = self.initial(packed)
        for name, value in {**slots, **counters(self.spec.optimizer, held, state.step)}.items():
            held = optax.tree_utils.tree_set(held, **{name: value})  # several at once miss those inside of MultiSteps
        key = jax.random.PRNGKey(state.step) if self.spec.random_nodes else None
        self.carry, self.steps = jax.device_put((packed, statistics, held, key), self.device), state.step

    def state(self) -> State:
        """The present state, copied."""
        packed, statistics, held, _ = jax.tree.map(numpy.array, self.carry)
        slots = {slot: self.canonical(optax.tree_utils.tree_get(held, own), sign) for slot, (own, sign) in self.slots.items()}
        return State(
            self.canonical(packed), slots, self.steps, {item.name: statistics[item.name] for item in self.spec.statistics}
        )

    def canonical(self, packed: Any, sign: int = 1) -> Arrays:
        """Parameters or one of their slots by name."""
        arrays = self.unpack(packed)
        return {name: sign * arrays[name] for name in self.names}

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """`(inputs, targets, *weights, *masks)` on the device."""
        staged = shared.stage(self.spec, batches, self.dtype, lambda array: jax.device_put(array, self.device))
        return shared.Stacked(staged, jnp.stack)

    def unstage(self, staged: Staged) -> List[Batch]:
        """Back to numpy."""
        return shared.unstage(self.spec, staged, self.dtype, numpy.asarray)

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
        if self.scan and read_every > 1 and staged.arrays:
            return self.train_scanned(staged, steps, read_every)
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

    def train_scanned(self, staged: Staged, steps: int, read_every: int) -> Trace:
        """One call for all steps from one reading to the next, compiled once for each `read_every`."""
        batches, place = jax.block_until_ready((staged.arrays, jax.device_put(numpy.int32(0), self.device)))

        def several() -> Any:
            nonlocal place
            self.carry, place, loss = self.scanned(self.carry, place, batches, length=read_every)
            return loss

        def single(*batch: Any) -> None:
            self.carry, _ = self.step(self.carry, *batch)

        trace = shared.loop_of_several(several, single, staged, steps, read_every, lambda loss: numpy.asarray(loss).item())
        self.steps += steps
        jax.block_until_ready(self.carry)
        return trace

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        given = Batch(batch.inputs, batch.targets, masked(self.spec, batch.masks), batch.weights)
        found = self.probed(self.carry, *self.stage([given])[0])
        (loss, (values, _)), (gradients, at_outputs, *at_input) = jax.tree.map(numpy.array, found)
        return Probe(
            float(loss),
            {name: values[name] for name in self.nodes},  # jit gives dicts back sorted
            {name: gradients[name] for name in self.names},
            {name: at_outputs[name] for name in self.nodes},
            at_input[0] if at_input else None,
        )

    def predict(self, staged: Staged) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        return [numpy.array(self.infer(self.carry, batch[0])) for batch in staged]


def packing(parameters: Sequence[Parameter], one_vector: bool) -> Tuple[Callable[[Arrays], Any], Callable[[Any], Arrays]]:
    """How parameters travel, there (of numpy's arrays) and back (of numpy's or JAX's): as one vector where that may be and pays, or as
    they are."""
    sizes = [math.prod(parameter.shape) for parameter in parameters]
    if sum(sizes) > ONE_VECTOR or not one_vector:
        return (lambda arrays: arrays), (lambda arrays: arrays)
    ends = list(accumulate(sizes))[:-1]

    def unpack(vector: Any) -> Arrays:
        parts = (numpy if isinstance(vector, numpy.ndarray) else jnp).split(vector, ends)
        return {parameter.name: part.reshape(parameter.shape) for parameter, part in zip(parameters, parts)}

    return (lambda arrays: numpy.concatenate([arrays[parameter.name].ravel() for parameter in parameters])), unpack
