"""What the proofs are tried on, and how far off the reference is: programs run node by node, complex steps, sizes of errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy

from backends.numpy import Program
from backends.numpy.layer import Held
from backends.numpy.layer import Layer as Computed
from backends.numpy.layers import layer_class
from backends.numpy.replica import array_class
from harness.interface import Arrays, Batch, Probe, State, norm
from harness.spec import Layer, Node, ProgramSpec
from harness.worker.conformance import Case, cases
from harness.worker.conformance.data import drawn

#: a complex step is exact but for rounding; long double sees the rounding of float64 itself
GRADIENT, VALUE, ROUNDING = 1e-12, 2e-13, 2e-13
#: its square is nothing beside 1
TINY = 1e-20
EPS = {"float32": 2.0**-24, "float64": 2.0**-53}
LONGER = numpy.finfo(numpy.longdouble).eps < numpy.finfo(numpy.float64).eps


class Tried(NamedTuple):
    """A program, and a state and two batches to try it on."""

    spec: ProgramSpec
    state: State
    batches: list[Batch]
    case: Case

    @property
    def batch(self) -> Batch:
        """The first batch."""
        return self.batches[0]


@cache
def tried(name: str) -> Tried:
    """A case at its last step, whose slots are not empty."""
    case = cases()[name]
    state, batches = drawn(case, 1)[-1]
    return Tried(case.spec, state, batches, case)


#: first words of cases that stand on a kink or a tie, where there is no derivative
KINKED = ("kink", "tie", "zero")


ALL = tuple(cases())
SMOOTH = tuple(name for name in ALL if name.split()[0] not in KINKED)


def made(one: Tried, dtype: str = "float64", mode: str = "", state: State | None = None, **changes: Any) -> Program:
    """A loaded program."""
    program = Program(dataclasses.replace(one.spec, **changes), dtype, "cpu", mode)
    program.load(state or one.state)
    return program


def staged(program: Program, batch: Batch) -> Batch:
    """A batch as the program has it."""
    return program.stage([batch])[0]


def values(program: Program, batch: Batch, taps: Mapping[str, Any] | None = None) -> list[Any]:
    """Inputs and every node's output in training, a tap added to some of them."""
    native = staged(program, batch)
    program.draw(native)
    found: list[Any] = [native.inputs]
    for layer, reads in zip(program.layers, program.reads, strict=True):
        y = layer.forward(*[found[place] for place in reads])
        tap = (taps or {}).get(layer.node.name)
        found.append(y if tap is None else y + tap)
    return found


def back(program: Program, batch: Batch, found: list[Any]) -> list[Any]:
    """The gradient at the inputs and at every node's output, from the `values` found before; None where there is none."""
    native = staged(program, batch)
    gradients: list[Any] = [None] * len(found)
    gradients[program.last] = program.loss(found[program.last], native.targets, native.weights)[1]
    for place in range(program.last, 0, -1):
        layer, dy = program.layers[place - 1], gradients[place]
        if dy is None:
            continue
        layer.inputs_too = True
        given = layer.backward(dy)
        for read, gradient in zip(program.reads[place - 1], given if isinstance(given, tuple) else (given,), strict=False):
            if gradient is not None:
                gradients[read] = gradient if gradients[read] is None else gradients[read] + gradient
    return gradients


def loss(program: Program, batch: Batch, taps: Mapping[str, Any] | None = None) -> Any:
    """The loss in training, penalties included."""
    native = staged(program, batch)
    return program.penalised(program.loss(values(program, batch, taps)[program.last], native.targets, native.weights)[0])


def all_gradients(probe: Probe) -> Arrays:
    """Gradients of parameters, at outputs and at the input."""
    at_outputs = {f"{name}/output": array for name, array in probe.output_gradients.items()}
    at_inputs = {} if probe.input_gradient is None else {"input": probe.input_gradient}
    return {**probe.gradients, **at_outputs, **at_inputs}


def generator(seed: int = 7) -> Any:
    """A source of random numbers."""
    return numpy.random.Generator(numpy.random.Philox(seed))


def slopes(one: Tried, names: Iterable[str], directions: Arrays) -> dict[str, float]:
    """The derivative of the loss along a direction in each tensor, by complex steps: the imaginary part that a tiny imaginary change
    gives the loss; nothing is subtracted (Squire & Trapp 1998)."""
    program, found = made(one, "complex128"), {}
    for name in names:
        step = 1j * TINY * directions[name]
        if name == "input":
            value = loss(program, dataclasses.replace(one.batch, inputs=one.batch.inputs + step))
        elif name in program.parameters:
            program.parameters[name] += step
            value = loss(program, one.batch)
            program.parameters[name].imag = 0
        else:
            value = loss(program, one.batch, {name.removesuffix("/output"): step})
        found[name] = float(value.imag) / TINY
    return found


def gradient_errors(one: Tried) -> dict[str, float]:
    """Each gradient, along one random direction, against its complex step."""
    probe, random = made(one).probe(one.batch), generator()
    gradients = all_gradients(probe)
    directions = {name: random.standard_normal(array.shape) for name, array in gradients.items()}
    for name, array in probe.outputs.items():
        directions[f"{name}/output"] *= array != 0  # what dropout left may stand on the next one's kink
    right = slopes(one, gradients, directions)
    sizes = {name: float(abs(array * directions[name]).sum()) for name, array in gradients.items()}
    least = max(sizes.values()) / 100 or 1.0
    return {
        name: abs(float((array * directions[name]).sum()) - right[name]) / max(sizes[name], abs(right[name]), least)
        for name, array in gradients.items()
    }


def distances(found: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, float]:
    """Relative errors of some tensors, each against its own size, or against a hundredth of the largest one's where it is smaller: what
    cancels keeps no digits. Infinite where shapes or kinds differ."""
    assert list(found) == list(right)
    least = max((norm(array) for array in right.values()), default=0.0) / 100
    sizes = {}
    for name, array in right.items():
        same = numpy.shape(found[name]) == numpy.shape(array)
        off = norm(numpy.asarray(found[name]) - array) / (max(norm(array), least) or 1.0) if same else numpy.inf
        sizes[name] = off if numpy.isfinite(off) else numpy.inf
    return sizes


def close(found: Mapping[str, Any], right: Mapping[str, Any], limit: float) -> None:
    """Assert that tensors are equal within a limit."""
    wrong = {name: size for name, size in distances(found, right).items() if not size <= limit}
    assert not wrong, wrong


class Alone(NamedTuple):
    """One layer, ready to compute.

    Attributes:
        layer: the backend's.
        inputs: random ones, one array for each that it reads.
        parameters: random, by short name.
        gradients: where its `backward` writes theirs.
    """

    layer: Computed
    inputs: list[Any]
    parameters: Arrays
    gradients: Arrays


def alone(
    layer: Layer, *shapes: tuple[int, ...], rows: int = 3, seed: int = 3, dtype: str = "float64", mode: str = "", **forms: str
) -> Alone:
    """A layer behind inputs of some shapes, with numbers that float32 can hold; its gradients start as NaN. A form's name is written
    with `__` for its dot."""
    random, kind = generator(seed), array_class(mode)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).astype(numpy.float32).astype(dtype).view(kind)

    node = Node("alone", layer, ("",) * len(shapes), shapes, layer.output_shape(*shapes))
    parameters = {name: normal(*weight.shape) for name, weight in layer.weights(*shapes).items()}
    gradients = {name: numpy.full_like(array, numpy.nan) for name, array in parameters.items()}
    statistics = {name: normal(*shape) + start for name, (shape, start) in layer.statistics(*shapes).items()}
    named = {name.replace("__", "."): form for name, form in forms.items()}
    computed = layer_class(node)(node, Held(parameters, gradients, statistics, named, dtype))
    return Alone(computed, [normal(rows, *shape) for shape in shapes], parameters, gradients)
