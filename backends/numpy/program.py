"""The program: a chain of layers over two flat buffers, one for all parameters and one for all gradients."""

from __future__ import annotations

import platform
import time
from typing import Any, Dict, List, Sequence

import numpy

from harness.interface import Arrays, Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import ProgramSpec

from .arithmetic import arithmetic
from .layers import ACTIVATIONS, LAYERS, Layer, Mask, layer_class
from .losses import LOSSES
from .optimizers import OPTIMIZERS, optimizer

#: none of its own: it computes whatever form the spec names
FORMS: Dict[str, str] = {}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, False, "numpy")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Version of numpy and of its BLAS."""
    found: Dict[str, Any] = {"numpy": numpy.__version__, "python": platform.python_version()}
    try:
        blas = numpy.show_config("dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    except TypeError:  # numpy before 1.25 can only print it
        return found
    return {**found, "blas": f"{blas['name']} {blas['version']}"}


class Program:
    """Forward and backward by hand. `dtype` may also be complex128 or longdouble, for proofs; `mode` names the arithmetic."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype = spec, dtype
        ops = arithmetic(mode)
        self.flat, self.flat_gradients = (numpy.zeros(self.size, dtype) for _ in range(2))
        self.parameters, self.gradients = self.views(self.flat), self.views(self.flat_gradients)
        self.layers: List[Layer] = []
        for node in spec.nodes:
            own = {parameter.name: parameter.name.rsplit("/", 1)[1] for parameter in node.parameters}
            mine = {short: self.parameters[name] for name, short in own.items()}
            gradients = {short: self.gradients[name] for name, short in own.items()}
            self.layers.append(layer_class(node)(node, mine, gradients, ops, dtype))
        self.masks = [layer for layer in self.layers if isinstance(layer, Mask)]
        self.trained = self.layers[: spec.loss_node + 1]
        self.loss = LOSSES[spec.loss.type](ops, dtype)
        self.optimizer = optimizer(spec.optimizer, spec.forms, self.flat, self.flat_gradients, ops)
        self.step_count = 0

    @property
    def size(self) -> int:
        """Numbers in all parameters."""
        return sum(int(numpy.prod(parameter.shape)) for parameter in self.spec.parameters)

    def views(self, flat: Any) -> Arrays:
        """A flat buffer as the parameters' arrays, without copying."""
        found: Arrays = {}
        start = 0
        for parameter in self.spec.parameters:
            stop = start + int(numpy.prod(parameter.shape))
            found[parameter.name] = flat[start:stop].reshape(parameter.shape)
            start = stop
        return found

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        for name, view in self.parameters.items():
            view[...] = state.parameters[name]
        for slot, flat in self.optimizer.slots.items():
            for name, view in self.views(flat).items():
                view[...] = state.slots[slot][name]
        self.step_count = state.step

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: self.views(flat.copy()) for slot, flat in self.optimizer.slots.items()}
        return State(self.views(self.flat.copy()), slots, self.step_count)

    def stage(self, batches: Sequence[Batch]) -> List[Batch]:
        """Contiguous arrays in the program's dtype."""
        return numpy_batches(batches, self.dtype)

    def unstage(self, staged: List[Batch]) -> List[Batch]:
        """They are numpy already."""
        return staged

    def compile(self, staged: List[Batch]) -> Dict[str, float]:
        """Nothing to compile."""
        return {}

    def train(self, staged: List[Batch], steps: int, read_every: int = 1) -> Trace:
        """Forward, loss, backward, update; see the contract."""
        clock, count = time.perf_counter_ns, len(staged)
        losses: List[float] = []
        stamps = [clock()]
        for index in range(1, steps + 1):
            loss = self.step(staged[(index - 1) % count])
            if index % read_every == 0:
                losses.append(float(loss))
                stamps.append(clock())
        return Trace(losses, stamps)

    def step(self, batch: Batch) -> Any:
        """One step; returns the loss before it."""
        x = batch.inputs
        for mask in self.masks:
            if batch.masks is None:
                mask.draw(len(x))
            else:
                mask.mask = batch.masks[mask.name]
        for layer in self.trained:
            x = layer.forward(x)
        loss, dy = self.loss(x, batch.targets)
        for layer in self.trained[:0:-1]:
            dy = layer.backward(dy)
        self.trained[0].backward(dy, inputs_too=False)
        self.optimizer.update(self.step_count)
        self.step_count += 1
        return loss

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        native = self.stage([batch])[0]
        masks = masked(self.spec, native.masks)
        for mask in self.masks:
            mask.mask = masks[mask.name]
        x, outputs = native.inputs, {}
        for layer in self.layers:
            x = layer.forward(x)
            outputs[layer.name] = x.copy()
        loss, dy = self.loss(outputs[self.trained[-1].name], native.targets)
        at_outputs = {layer.name: numpy.zeros_like(outputs[layer.name]) for layer in self.layers[len(self.trained) :]}
        for layer in reversed(self.trained):
            at_outputs[layer.name] = dy.copy()
            dy = layer.backward(dy)
        gradients = {name: gradient.copy() for name, gradient in self.gradients.items()}
        ordered = {layer.name: at_outputs[layer.name] for layer in self.layers}
        return Probe(loss if self.dtype == "complex128" else float(loss), outputs, gradients, ordered, dy.copy())

    def predict(self, staged: List[Batch]) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        for mask in self.masks:
            mask.mask = None
        return [self.infer(batch.inputs) for batch in staged]

    def infer(self, x: Any) -> Any:
        """The output of one batch, copied."""
        for layer in self.layers:
            x = layer.forward(x)
        return x.copy()
