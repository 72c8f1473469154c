"""The program: a graph of layers over two flat buffers, one for all parameters and one for all gradients."""

from __future__ import annotations

import math
import platform
import time
from itertools import cycle
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy

from harness.interface import OPTIONS, Arrays, Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import INPUT, Node, ProgramSpec

from .layer import Held
from .layers import ACTIVATIONS, LAYERS, layer_class
from .losses import LOSSES
from .noise import Random
from .optimizers import OPTIMIZERS, optimizer
from .replica import array_class

#: none of its own: it computes whatever form the spec names
FORMS: Dict[str, str] = {}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, False, "numpy")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS, options=OPTIONS)


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
    """Forward and backward by hand, a sample in each row. `dtype` may also be complex128 or longdouble, for proofs; `mode` names the
    kind of array (see `replica`)."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.array = spec, dtype, array_class(mode)
        self.parameters, self.flat = self.buffer()
        self.gradients, self.flat_gradients = self.buffer()
        self.statistics = {item.name: self.own(numpy.full(item.shape, item.start, dtype)) for item in spec.statistics}
        #: gradients of shared tables, by the layers that share them
        self.shared = {node.name: self.own(numpy.zeros_like(self.parameters[node.table])) for node in spec.nodes if node.table}
        self.layers = [layer_class(node)(node, self.held(node)) for node in spec.nodes]
        self.random = [layer for layer in self.layers if isinstance(layer, Random)]
        self.loss = LOSSES[spec.loss.type](spec.loss, dtype)
        self.optimizer = optimizer(spec, self.flat, self.flat_gradients, self.views)
        self.step_count = 0
        self.wire()

    def own(self, array: Any) -> Any:
        """An array as one of the mode's class."""
        return array.view(self.array)

    def buffer(self) -> Tuple[Arrays, Any]:
        """Zeros for all parameters: by name, and as one flat array."""
        flat = self.own(numpy.zeros(sum(math.prod(parameter.shape) for parameter in self.spec.parameters), self.dtype))
        return self.views(flat), flat

    def views(self, flat: Any) -> Arrays:
        """A flat buffer as the parameters' arrays, without copying."""
        found: Arrays = {}
        start = 0
        for parameter in self.spec.parameters:
            stop = start + math.prod(parameter.shape)
            found[parameter.name] = flat[start:stop].reshape(parameter.shape)
            start = stop
        return found

    def held(self, node: Node) -> Held:
        """What a node's layer holds."""

        def of(arrays: Arrays) -> Arrays:
            return {name[len(node.name) + 1 :]: array for name, array in arrays.items() if name.rpartition("/")[0] == node.name}

        parameters, gradients = of(self.parameters), of(self.gradients)
        if node.table:
            short = node.table.rpartition("/")[2]
            parameters[short], gradients[short] = self.parameters[node.table], self.shared[node.name]
        return Held(parameters, gradients, of(self.statistics), self.spec.forms, self.dtype)

    def wire(self) -> None:
        """Which values each layer reads, where the loss reads, and which gradients training needs."""
        nodes, places = self.spec.nodes, {INPUT: 0}
        places.update({node.name: place for place, node in enumerate(nodes, 1)})
        self.reads = [tuple(places[name] for name in node.inputs) for node in nodes]
        self.last = self.spec.loss_node + 1
        learns = [False]
        for node, reads in zip(nodes, self.reads):
            learns.append(bool(node.parameters or node.table) or any(learns[place] for place in reads))
        #: of each layer up to the loss: the values it reads; in training, only those layers go back that something learns from
        self.forwards = list(zip((layer.forward for layer in self.layers[: self.last]), self.reads))
        self.backwards = [
            (layer.backward, place, reads, layer, any(learns[read] for read in reads))
            for place, (layer, reads) in enumerate(zip(self.layers, self.reads), 1)
            if place <= self.last and learns[place]
        ][::-1]
        self.keepers = [layer.keep for layer in self.layers if layer.held.statistics]
        for _, _, _, layer, inputs_too in self.backwards:
            layer.inputs_too = inputs_too
        tables = {node.name: node.table for node in nodes}
        self.additions = [(self.gradients[tables[name]], gradient) for name, gradient in self.shared.items()]
        self.penalties = [(self.parameters[name], self.gradients[name], *factors) for name, factors in self.spec.penalties.items()]

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        for name, view in self.parameters.items():
            view[...] = state.parameters[name]
        for slot, flat in self.optimizer.slots.items():
            for name, view in self.views(flat).items():
                view[...] = state.slots[slot][name]
        for name, view in self.statistics.items():
            view[...] = state.statistics[name]
        self.step_count = state.step

    def state(self) -> State:
        """The present state, copied."""
        slots = {slot: copies(self.views(flat)) for slot, flat in self.optimizer.slots.items()}
        return State(copies(self.parameters), slots, self.step_count, copies(self.statistics))

    def stage(self, batches: Sequence[Batch]) -> List[Batch]:
        """Contiguous copies in the program's dtype and class."""

        def native(array: Any) -> Any:
            return array if array.dtype.kind == "i" else self.own(array)

        return [mapped(batch, native) for batch in numpy_batches(batches, self.dtype)]

    def unstage(self, staged: List[Batch]) -> List[Batch]:
        """The same arrays."""
        return [mapped(batch, plain) for batch in staged]

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
        self.draw(batch)
        values = [batch.inputs]
        for forward, reads in self.forwards:
            values.append(forward(values[reads[0]]) if len(reads) == 1 else forward(*[values[place] for place in reads]))
        loss, dy = self.loss(values[self.last], batch.targets, batch.weights)
        gradients: List[Any] = [None] * len(values)
        gradients[self.last] = dy
        for backward, place, reads, _, inputs_too in self.backwards:
            found = backward(gradients[place])
            if inputs_too:
                spread(gradients, reads, found)
        loss = self.penalised(loss)
        self.optimizer.update(self.step_count)
        for keep in self.keepers:
            keep()
        self.step_count += 1
        return loss

    def draw(self, batch: Batch) -> None:
        """Masks and noise: the batch's, or new ones."""
        for layer in self.random:
            if batch.masks is None:
                layer.draw(len(batch.inputs))
            else:
                layer.drawn = batch.masks[layer.node.name]

    def penalised(self, loss: Any) -> Any:
        """The loss with its penalties, and the gradients with theirs; shared tables' gradients are added up first."""
        for gradient, more in self.additions:
            numpy.add(gradient, more, gradient)
        number = numpy.dtype(self.dtype).type
        for parameter, gradient, l1, l2 in self.penalties:
            if l1:
                sign = numpy.sign(parameter.real).astype(self.dtype)
                loss = loss + number(l1) * (parameter * sign).sum()
                numpy.add(gradient, number(l1) * sign, gradient)
            if l2:
                loss = loss + number(l2) * (parameter * parameter).sum()
                numpy.add(gradient, number(2 * l2) * parameter, gradient)
        return loss

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        native = self.stage([Batch(batch.inputs, batch.targets, masked(self.spec, batch.masks), batch.weights)])[0]
        self.draw(native)
        values = [native.inputs]
        for layer, reads in zip(self.layers, self.reads):
            values.append(layer.forward(*[values[place] for place in reads]))
        loss, dz = self.loss(values[self.last], native.targets, native.weights)
        gradients: List[Any] = [None] * len(values)
        gradients[self.last] = dz
        self.flat_gradients[...] = 0
        for place in range(self.last, 0, -1):
            layer = self.layers[place - 1]
            if gradients[place] is not None:
                inputs_too, layer.inputs_too = layer.inputs_too, True
                spread(gradients, self.reads[place - 1], layer.backward(gradients[place]))
                layer.inputs_too = inputs_too
        loss = self.penalised(loss)
        names = [node.name for node in self.spec.nodes]
        at_outputs = {
            name: numpy.zeros_like(plain(value)) if gradient is None else plain(gradient)
            for name, value, gradient in zip(names, values[1:], gradients[1:])
        }
        value = loss if self.dtype in ("complex128", "longdouble") else float(loss)
        at_inputs = None if self.spec.integer_inputs else plain(gradients[0])
        return Probe(value, dict(zip(names, map(plain, values[1:]))), copies(self.gradients), at_outputs, at_inputs)

    def predict(self, staged: List[Batch]) -> List[Any]:
        """Outputs in inference mode; see the contract."""
        for layer in self.layers:
            layer.training = False
        outputs = [self.infer(batch.inputs) for batch in staged]
        for layer in self.layers:
            layer.training = True
        return outputs

    def infer(self, x: Any) -> Any:
        """The output of one batch, copied."""
        values = [x]
        for layer, reads in zip(self.layers, self.reads):
            values.append(layer.forward(*[values[place] for place in reads]))
        return plain(values[-1])


def spread(gradients: List[Any], reads: Tuple[int, ...], found: Any) -> None:
    """Add what a layer gives back to the gradients of what it reads."""
    for place, gradient in zip(reads, found if isinstance(found, tuple) else (found,)):
        if gradient is not None:
            gradients[place] = gradient if gradients[place] is None else gradients[place] + gradient


def plain(array: Any) -> Any:
    """An array as a contiguous one of numpy's own class, copied."""
    return numpy.array(array, order="C", subok=False)


def copies(arrays: Arrays) -> Arrays:
    """Arrays of numpy's own class, copied."""
    return {name: plain(array) for name, array in arrays.items()}


def mapped(batch: Batch, change: Any) -> Batch:
    """A batch with every array changed."""
    masks = None if batch.masks is None else {name: change(mask) for name, mask in batch.masks.items()}
    weights = None if batch.weights is None else change(batch.weights)
    return Batch(change(batch.inputs), change(batch.targets), masks, weights)
