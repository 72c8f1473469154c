"""The program: a chain of layers over two flat buffers, one for all parameters and one for all gradients."""

from __future__ import annotations

import math
import platform
import time
from itertools import cycle
from typing import Any, Dict, List, Optional, Sequence

import numpy

from harness.interface import Arrays, Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import ProgramSpec, Shape

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
    return {**found, "blas": f"{blas['name']} {blas['version']}", "blas_core": blas_core()}


def blas_core() -> Optional[str]:
    """The processor that the BLAS takes this one for: OpenBLAS's speed depends on it. None where threadpoolctl is missing."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return next((pool.get("architecture") for pool in threadpool_info() if pool.get("user_api") == "blas"), None)


class Program:
    """Forward and backward by hand, a sample in each column, over two flat buffers. `dtype` may also be complex128 or longdouble, for
    proofs; `mode` names the arithmetic."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype = spec, dtype
        ops = arithmetic(mode)
        size = sum(math.prod(parameter.shape) for parameter in spec.parameters)
        self.flat, self.flat_gradients = numpy.zeros(size, dtype), numpy.zeros(size, dtype)
        self.parameters, self.gradients = self.views(self.flat), self.views(self.flat_gradients)
        self.layers: List[Layer] = []
        start = 0
        for node in spec.nodes:
            stop = start + sum(math.prod(parameter.shape) for parameter in node.parameters)
            whole = slice(start, stop), (-1, node.output_shape[-1])  # a kernel, with the bias as its last row
            kernel, gradient = (
                flat[whole[0]].reshape(whole[1]) if stop > start else None for flat in (self.flat, self.flat_gradients)
            )
            self.layers.append(layer_class(node)(node, kernel, gradient, ops, dtype))
            start = stop
        self.masks = [layer for layer in self.layers if isinstance(layer, Mask)]
        self.trained = self.layers[: spec.loss_node + 1]
        self.forwards = [layer.forward for layer in self.trained]
        self.backwards = [layer.backward for layer in self.trained[:0:-1]]
        self.loss = LOSSES[spec.loss.type](ops, dtype)
        self.optimizer = optimizer(spec.optimizer, spec.forms, self.flat, self.flat_gradients, ops)
        self.step_count = 0

    def views(self, flat: Any) -> Arrays:
        """A flat buffer as the parameters' arrays, without copying."""
        found: Arrays = {}
        start = 0
        for parameter in self.spec.parameters:
            stop = start + math.prod(parameter.shape)
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
        """Samples as columns; inputs with a last row of ones."""
        return [self.columns(batch) for batch in numpy_batches(batches, self.dtype)]

    def columns(self, batch: Batch) -> Batch:
        """One batch, a sample in each column."""
        masks = None if batch.masks is None else {name: columns(mask) for name, mask in batch.masks.items()}
        inputs = columns(batch.inputs)
        whole = numpy.concatenate([inputs, numpy.ones((1, inputs.shape[1]), inputs.dtype)])
        return Batch(whole, batch.targets if batch.targets.ndim == 1 else columns(batch.targets), masks)

    def unstage(self, staged: List[Batch]) -> List[Batch]:
        """Samples as rows again."""
        shapes = {layer.name: layer.node.input_shape for layer in self.masks}
        return [
            Batch(
                rows(batch.inputs[:-1], self.spec.input_shape),
                batch.targets if batch.targets.ndim == 1 else rows(batch.targets, self.spec.output_shape),
                None if batch.masks is None else {name: rows(mask, shapes[name]) for name, mask in batch.masks.items()},
            )
            for batch in staged
        ]

    def compile(self, staged: List[Batch]) -> Dict[str, float]:
        """Nothing to compile."""
        return {}

    def train(self, staged: List[Batch], steps: int, read_every: int = 1) -> Trace:
        """Forward, loss, backward, update; see the contract."""
        clock, step = time.perf_counter_ns, self.step
        losses: List[float] = []
        stamps = [clock()]
        for index, batch in zip(range(1, steps + 1), cycle(staged)):
            loss = step(batch)
            if index % read_every == 0:
                losses.append(float(loss))
                stamps.append(clock())
        return Trace(losses, stamps)

    def step(self, batch: Batch) -> Any:
        """One step; returns the loss before it."""
        x = batch.inputs
        for mask in self.masks:
            if batch.masks is None:
                mask.draw(x.shape[1])
            else:
                mask.mask = batch.masks[mask.name]
        for forward in self.forwards:
            x = forward(x)
        loss, dy = self.loss(x[:-1], batch.targets)
        for backward in self.backwards:
            dy = backward(dy)
        self.trained[0].backward(dy, False)
        self.optimizer.update(self.step_count)
        self.step_count += 1
        return loss

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        native = self.stage([batch])[0]
        masks = masked(self.spec, native.masks)
        for mask in self.masks:
            mask.mask = masks[mask.name]
        x, outputs, read = native.inputs, {}, native.inputs
        for layer in self.layers:
            x = layer.forward(x)
            outputs[layer.name] = rows(x[:-1], layer.node.output_shape)
            if layer is self.trained[-1]:
                read = x
        loss, dy = self.loss(read[:-1], native.targets)
        at_outputs = {layer.name: numpy.zeros_like(outputs[layer.name]) for layer in self.layers}
        for layer in reversed(self.trained):
            at_outputs[layer.name] = rows(dy, layer.node.output_shape)
            dy = layer.backward(dy)
        gradients = {name: gradient.copy() for name, gradient in self.gradients.items()}
        value = loss if self.dtype in ("complex128", "longdouble") else float(loss)
        return Probe(value, outputs, gradients, at_outputs, rows(dy, self.spec.input_shape))

    def predict(self, staged: List[Batch]) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        for mask in self.masks:
            mask.mask = None
        return [self.infer(batch.inputs) for batch in staged]

    def infer(self, x: Any) -> Any:
        """The output of one batch, copied."""
        for layer in self.layers:
            x = layer.forward(x)
        return rows(x[:-1], self.spec.output_shape)


def columns(array: Any) -> Any:
    """`(rows, ...)` as `(features, rows)`."""
    return numpy.ascontiguousarray(array.reshape(len(array), -1).T)


def rows(array: Any, shape: Shape) -> Any:
    """`(features, rows)` as `(rows, *shape)`, copied."""
    return numpy.array(array.T, order="C").reshape(-1, *shape)
