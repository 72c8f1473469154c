"""The numpy backend is proved, not trusted: its values against formulas written here, its gradients by complex steps, its
rounding by a long double replay, its optimizers against textbooks. Last, planted faults show that each proof can fail."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special

from backends.numpy import Program, arithmetic, layers, losses, optimizers
from backends.numpy import program as programs
from harness.interface import Arrays, Batch, Probe, State, error, norm
from harness.spec import SGD, Adam, AdamW, Dense, Dropout, Flatten, Layer, Node, Optimizer, ProgramSpec, RMSprop, active_slots
from harness.spec import Activation as Alone
from harness.spec import layers as kinds
from harness.spec import losses as loss_kinds
from harness.spec.optimizers import FORMS
from harness.spec.program import chain, is_step

#: complex steps are exact but for rounding; long double sees the rounding of float64 itself
GRADIENT, VALUE, ROUNDING = 1e-12, 1e-13, 2e-13
CHECKED = settings(max_examples=30, deadline=None, derandomize=True)
LOSSES = {
    loss.type: loss
    for loss in (
        loss_kinds.MeanSquaredError(), loss_kinds.MeanAbsoluteError(), loss_kinds.BinaryCrossEntropy(),
        loss_kinds.SoftmaxCrossEntropy(), loss_kinds.Hinge(), loss_kinds.Perceptron(),
    )
}  # fmt: skip
TARGETS = [(name, encoding) for name, loss in LOSSES.items() for encoding in loss.targets]
SMOOTH = (kinds.Linear(), kinds.Sigmoid(), kinds.Tanh(), kinds.Relu(), kinds.Softmax())
EXACT = numpy.finfo(numpy.longdouble).eps < numpy.finfo(numpy.float64).eps


class Case(NamedTuple):
    """A program, and a state and batch to try it on."""

    spec: ProgramSpec
    state: State
    batch: Batch


def numbers(random: Any, shape: tuple[int, ...], scale: float = 1.0) -> Any:
    """Normal numbers that float32 can hold, float64."""
    return numpy.asarray(random.standard_normal(shape) * scale, numpy.float32).astype(numpy.float64)


def largest_error(found: Arrays, right: Arrays) -> float:
    """The largest error of some tensors, each against its own size, or against a hundredth of the largest one's where it is
    smaller: sums of one number of rows can cancel to nothing and keep no digits."""
    whole = max(norm(array) for array in right.values()) / 100
    worst = 0.0
    for name, array in right.items():
        if not numpy.isfinite(error(found[name], array)):
            return float("inf")
        worst = max(worst, norm(found[name] - array) / (max(norm(array), whole) or 1.0))
    return worst


def case(parts: list[Layer], loss: str, targets: str, rows: int, shape: tuple[int, ...], seed: int = 2) -> Case:
    """A program of `parts` with random weights, inputs, targets and masks."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    spec = ProgramSpec(chain(tuple(parts), shape), LOSSES[loss], SGD(learning_rate=0.1), targets)
    width = spec.output_shape[0]
    classes = random.integers(0, max(width, 2), rows)
    bits = numpy.eye(width)[classes] if width > 1 else classes[:, None].astype(float)
    hot = bits if width > 1 else numpy.ones((rows, 1))
    written = {"integer": numpy.minimum(classes, width - 1), "one_hot": hot, "binary": bits, "sign": 2 * bits - 1}
    masks = {
        node.name: (random.random((rows, *node.output_shape)) >= node.layer.rate) * node.layer.scale
        for node in spec.nodes
        if isinstance(node.layer, Dropout)
    }
    parameters = {item.name: numbers(random, item.shape, 0.6) for item in spec.parameters}
    batch = Batch(numbers(random, (rows, *shape)), written.get(targets, numbers(random, (rows, width))), masks)
    return Case(spec, State(parameters), batch)


@st.composite
def cases(draw: Any, loss: str, targets: str, activation: kinds.ActivationFunction | None = None) -> Case:
    """Programs of one to three dense layers with 1 to 7 units, on 1 to 5 rows, with all other layers strewn in."""
    units = st.integers(1, 7)
    hidden = st.sampled_from([activation] if activation else [None, *SMOOTH])
    parts: list[Layer] = []
    shape = draw(st.sampled_from([(1,), (3,), (7,), (2, 3), (2, 2, 1)]))
    parts += [Flatten()] if len(shape) > 1 else []
    for _ in range(draw(st.integers(1 if activation else 0, 2))):
        function, alone = draw(hidden), draw(st.booleans())
        parts.append(Dense(units=draw(units), use_bias=draw(st.booleans()), activation=None if alone else function))
        parts += [Alone(activation=function)] if alone and function else []
        parts += [Dropout(rate=draw(st.sampled_from([0.0, 0.25, 0.5])))] if draw(st.booleans()) else []
    step = loss == "perceptron" and draw(st.booleans())
    width = 1 if targets == "binary" else draw(units)
    parts.append(Dense(units=width, use_bias=draw(st.booleans()), activation=kinds.Step() if step else None))
    return case(parts, loss, targets, draw(st.integers(1, 5)), shape, draw(st.integers(0, 2**32)))


def made(tried: Case, dtype: str = "float64", mode: str = "", spec: ProgramSpec | None = None) -> Program:
    """A loaded program of a case, or of another spec with the case's parameters."""
    program = Program(spec or tried.spec, dtype, "cpu", mode)
    program.load(tried.state)
    return program


# what the backend must compute, in other words -----------------------------------------------------------------------------


def values(tried: Case, masks: Mapping[str, Any]) -> Arrays:
    """Each node's output, by `value`."""
    x, found = tried.batch.inputs, {}
    for node in tried.spec.nodes:
        x = found[node.name] = value(node, x, tried.state.parameters, masks)
    return found


def value(node: Node, x: Any, parameters: Arrays, masks: Mapping[str, Any]) -> Any:
    """A node's output by its formula."""
    layer = node.layer
    if isinstance(layer, Dense):
        bias = parameters.get(f"{node.name}/bias", 0.0)
        return numpy.einsum("ri,io->ro", x, parameters[f"{node.name}/kernel"]) + bias
    if isinstance(layer, Dropout):
        return x * masks[node.name]
    if isinstance(layer, Flatten):
        return numpy.stack([row.ravel() for row in x])
    functions: dict[str, Callable[[Any], Any]] = {
        "linear": lambda z: z, "step": lambda z: numpy.heaviside(z, 0), "sigmoid": special.expit, "tanh": numpy.tanh,
        "relu": lambda z: (z + abs(z)) / 2, "softmax": partial(special.softmax, axis=-1),
    }  # fmt: skip
    return functions[layer.activation.type](x)  # type: ignore[attr-defined]


def loss_value(loss: str, z: Any, y: Any) -> float:
    """A loss by its formula."""
    if loss == "softmax_cross_entropy":
        hot = numpy.eye(z.shape[1])[y] if y.ndim == 1 else y
        return float(-numpy.mean(numpy.sum(hot * special.log_softmax(z, axis=-1), axis=-1)))
    terms = {
        "mse": lambda: (z - y) ** 2, "mae": lambda: abs(z - y), "hinge": lambda: numpy.clip(1 - y * z, 0, None),
        "perceptron": lambda: numpy.clip(-y * z, 0, None),
        "binary_cross_entropy": lambda: -y * special.log_expit(z) - (1 - y) * special.log_expit(-z),
    }  # fmt: skip
    return float(numpy.mean(terms[loss]()))


# the checks; each gives the largest error that it finds ---------------------------------------------------------------------


def value_error(tried: Case) -> float:
    """Outputs and loss, in training and in inference, against the formulas."""
    program = made(tried)
    probe = program.probe(tried.batch)
    batch, right = tried.batch, values(tried, tried.batch.masks or {})
    read = tried.spec.nodes[tried.spec.loss_node].name
    loss = loss_value(tried.spec.loss.type, probe.outputs[read], batch.targets)
    inferred = {"end": list(values(tried, dict.fromkeys(batch.masks or {}, 1.0)).values())[-1]}
    predicted = {"end": program.predict(program.stage([batch]))[0]}
    off = abs(probe.loss - loss) / max(abs(loss), 1e-2)
    return max(off, largest_error(probe.outputs, right), largest_error(predicted, inferred))


def complex_step(program: Program, array: Any, batch: Batch, size: float) -> Any:
    """The gradient of the loss at `array`, which the program reads: the imaginary part that a tiny imaginary change of each
    number gives it, and nothing is subtracted (Squire & Trapp 1998)."""
    found = numpy.zeros(array.shape)
    for place in numpy.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + 1j * size
        found[place] = program.probe(batch).loss.imag / size
        array[place] = kept
    return found


def all_gradients(probe: Probe) -> Arrays:
    """Gradients of parameters, at outputs and at the input."""
    at_outputs = {f"{name}/output": array for name, array in probe.output_gradients.items()}
    return {**probe.gradients, **at_outputs, "input": probe.input_gradient}


def gradient_error(tried: Case, size: float = 1e-20) -> float:
    """Every gradient of a case against its complex step: parameters, inputs, and each node's output, whose gradient is that of
    the inputs of the rest of the program."""
    probe = made(tried).probe(tried.batch)
    moved = made(tried, "complex128")

    def at_inputs(program: Program, x: Any) -> Any:
        inputs = x.astype(complex)
        return complex_step(program, inputs, dataclasses.replace(tried.batch, inputs=inputs), size)

    right = {name: complex_step(moved, array, tried.batch, size) for name, array in moved.parameters.items()}
    right["input"] = at_inputs(moved, tried.batch.inputs)
    nodes, last = tried.spec.nodes, tried.spec.loss_node
    for index, node in enumerate(nodes):
        if index > last:
            right[f"{node.name}/output"] = numpy.zeros_like(probe.outputs[node.name])
            continue
        end = Node("end", Alone(activation=kinds.Linear()), node.output_shape, node.output_shape)
        rest = made(tried, "complex128", spec=dataclasses.replace(tried.spec, nodes=nodes[index + 1 : last + 1] or (end,)))
        right[f"{node.name}/output"] = at_inputs(rest, probe.outputs[node.name])
    return largest_error(all_gradients(probe), right)


def training_error(tried: Case) -> float:
    """What a training step does, which shares the probe's layers but not its loop: the same loss, and the update that the
    probe's gradients give."""
    probe, program = made(tried).probe(tried.batch), made(tried)
    loss = program.train(program.stage([tried.batch]), 1).losses[0]
    after, rate = program.state().parameters, tried.spec.optimizer.learning_rate
    right = {name: array - rate * probe.gradients[name] for name, array in tried.state.parameters.items()}
    counted = float("inf") if program.state().step != 1 else 0.0
    return max(abs(loss - probe.loss), largest_error(after, right), counted)


def away_from_kinks(tried: Case) -> bool:
    """Whether no number stands exactly where a gradient jumps."""
    probe = made(tried).probe(tried.batch)
    before = {"": tried.batch.inputs, **probe.outputs}
    names = ["", *probe.outputs]
    for name, node in zip(names[:-1], tried.spec.nodes, strict=True):
        if isinstance(node.layer, Alone) and isinstance(node.layer.activation, kinds.Relu) and not before[name].all():
            return False
    z, y = before[tried.spec.nodes[tried.spec.loss_node].name], tried.batch.targets
    kink = {"mae": lambda: z - y, "hinge": lambda: 1 - y * z, "perceptron": lambda: y * z}.get(tried.spec.loss.type)
    return kink is None or bool(numpy.all(kink()))


# gradients and values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "targets"), TARGETS)
def test_gradients_of_losses(loss: str, targets: str) -> None:
    """Every gradient of every loss, in each encoding of its targets, is its complex step."""

    @CHECKED
    @given(cases(loss, targets), st.sampled_from([1e-20, 1e-200]))
    def law(tried: Case, size: float) -> None:
        assume(away_from_kinks(tried))
        assert gradient_error(tried, size) < GRADIENT

    law()


@pytest.mark.parametrize("activation", SMOOTH, ids=lambda function: function.type)
def test_gradients_of_activations(activation: kinds.ActivationFunction) -> None:
    """Every gradient behind every activation, as a layer of its own and in a dense one, is its complex step."""

    @CHECKED
    @given(cases("mse", "value", activation))
    def law(tried: Case) -> None:
        assume(away_from_kinks(tried))
        assert gradient_error(tried) < GRADIENT

    law()


@pytest.mark.parametrize(("loss", "targets"), TARGETS)
def test_values(loss: str, targets: str) -> None:
    """Outputs, losses and predictions are those of formulas written elsewhere (SciPy's); a training step is the probe's."""

    @settings(CHECKED, max_examples=60)
    @given(cases(loss, targets))
    def law(tried: Case) -> None:
        assert value_error(tried) < VALUE
        assert training_error(tried) < VALUE

    law()


@pytest.mark.skipif(not EXACT, reason="long double is no longer than double here: only x86 has 80 bits")
@pytest.mark.parametrize(("loss", "targets"), TARGETS)
def test_rounding(loss: str, targets: str) -> None:
    """Float64 is within a few units in the last place of a replay in long double, tensor by tensor."""

    @settings(CHECKED, max_examples=60)
    @given(cases(loss, targets))
    def law(tried: Case) -> None:
        assume(away_from_kinks(tried))
        plain, longer = (made(tried, dtype).probe(tried.batch) for dtype in ("float64", "longdouble"))
        assert largest_error(plain.outputs, longer.outputs) < ROUNDING
        assert largest_error(all_gradients(plain), all_gradients(longer)) < ROUNDING

    law()


def alone(function: kinds.ActivationFunction, inputs: Any, targets: Any, loss: str = "mse") -> Probe:
    """A program of one activation."""
    spec = ProgramSpec(chain((Alone(activation=function),), inputs.shape[1:]), LOSSES[loss], SGD(learning_rate=0.1), "value")
    return Program(spec, "float64", "cpu", "").probe(Batch(inputs, targets, {}))


def extreme_error() -> float:
    """Saturated logits: no overflow where the formula has none. numpy's max, unlike Python's, keeps a NaN."""
    z = numpy.array([[-800.0], [-40.0], [-1e-9], [1e-9], [40.0], [800.0]])
    sizes = []
    for y in (numpy.zeros(z.shape), numpy.ones(z.shape)):
        found = alone(kinds.Linear(), z, y, "binary_cross_entropy")
        right = (special.expit(z) - y) / len(z)
        sizes += [abs(found.loss / loss_value("binary_cross_entropy", z, y) - 1), abs(found.input_gradient - right).max()]
    wide = numpy.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]])
    found = alone(kinds.Linear(), wide, numpy.array([1, 2]), "softmax_cross_entropy")
    right = numpy.array([[1, -1, 0], [1 / 3, 1 / 3, -2 / 3]]) / 2
    sizes += [abs(found.loss / ((1e4 + numpy.log(3)) / 2) - 1), abs(found.input_gradient - right).max()]
    found = alone(kinds.Softmax(), wide, wide)
    sizes += [abs(found.outputs["activation_1"] - [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]).max()]
    return float(numpy.max(sizes))


def test_extremes() -> None:
    """Cross-entropies and softmax of huge logits are finite and right."""
    assert extreme_error() < VALUE


# where the gradient is a convention -----------------------------------------------------------------------------------------

#: loss, its input, its target: the loss and its gradient there
KINKS = {
    "mae": ("mae", 3.0, 3.0, (0, 0)),
    "hinge": ("hinge", -1.0, -1.0, (0, 0)),
    "hinge inside": ("hinge", 0.5, 1.0, (0.5, -1)),
    "hinge beyond": ("hinge", 1.5, 1.0, (0, 0)),
    "perceptron": ("perceptron", 0.0, 1.0, (0, -1)),
    "perceptron minus": ("perceptron", 0.0, -1.0, (0, 1)),
    "perceptron minus zero": ("perceptron", -0.0, 1.0, (0, -1)),
    "perceptron wrong": ("perceptron", -2.0, 1.0, (2, -1)),
    "perceptron right": ("perceptron", 2.0, 1.0, (0, 0)),
}


def on_kink(name: str) -> tuple[float, float]:
    """Loss and gradient at a kink."""
    loss, z, y, _ = KINKS[name]
    found = alone(kinds.Linear(), numpy.array([[z]]), numpy.array([[y]]), loss)
    return found.loss, float(found.input_gradient[0, 0])


@pytest.mark.parametrize("name", KINKS)
def test_kinks(name: str) -> None:
    """At a kink the gradient is the one that harness.spec.losses states: 0 for mae and hinge, -y for the perceptron."""
    assert on_kink(name) == KINKS[name][3]


def around_zero(activation: kinds.ActivationFunction) -> list[list[float]]:
    """Values and slopes of an activation at -3, -0, 0 and 2."""
    found = alone(activation, numpy.array([[-3.0, -0.0, 0.0, 2.0]]), numpy.full((1, 4), -7.0))
    above = next(iter(found.output_gradients.values()))
    return [next(iter(found.outputs.values()))[0].tolist(), (found.input_gradient / above)[0].tolist()]


AROUND_ZERO = {kinds.Relu(): [[0, 0, 0, 2], [0, 0, 0, 1]], kinds.Step(): [[0, 0, 0, 1], [0, 0, 0, 0]]}


@pytest.mark.parametrize("activation", AROUND_ZERO, ids=lambda function: function.type)
def test_kinks_of_activations(activation: kinds.ActivationFunction) -> None:
    """relu'(0) = 0 for either zero; step(0) = 0 and its gradient is zero everywhere."""
    assert around_zero(activation) == AROUND_ZERO[activation]


def test_perceptron_reads_before_the_step() -> None:
    """With a final step the loss reads the value before it, the step's output gets no gradient, and zero weights are mistakes."""
    tried = case([Dense(units=1, activation=kinds.Step())], "perceptron", "sign", 5, (3,), 1)
    for array in tried.state.parameters.values():
        array[...] = 0
    probe = made(tried).probe(tried.batch)
    assert is_step(tried.spec.nodes[-1].layer)
    assert probe.loss == 0
    assert not probe.output_gradients["dense_1/step"].any()
    assert numpy.array_equal(probe.output_gradients["dense_1"], -tried.batch.targets / 5)


# laws that hold whatever the numbers ----------------------------------------------------------------------------------------


@CHECKED
@given(cases("softmax_cross_entropy", "integer"))
def test_softmax_sums(tried: Case) -> None:
    """Softmax rows sum to one; the gradients at logits sum to zero in each row; integer and one-hot targets are the same."""
    probe = made(tried).probe(tried.batch)
    logits = probe.outputs[tried.spec.nodes[-1].name]
    layer = alone(kinds.Softmax(), logits, logits)
    assert abs(layer.outputs["activation_1"].sum(axis=-1) - 1).max() < 1e-15 * logits.shape[1]
    assert abs(layer.input_gradient.sum(axis=-1)).max() < 1e-15 * max(1, abs(logits).max())
    assert abs(probe.output_gradients[tried.spec.nodes[-1].name].sum(axis=-1)).max() < 1e-15
    hot = dataclasses.replace(tried.batch, targets=numpy.eye(logits.shape[1])[tried.batch.targets])
    other = made(tried).probe(hot)
    assert abs(other.loss - probe.loss) < 1e-15 * max(1, probe.loss)
    assert all(error(other.gradients[name], array) < VALUE for name, array in probe.gradients.items())


@CHECKED
@given(cases("mse", "value"), st.randoms(use_true_random=False))
def test_rows(tried: Case, random: Any) -> None:
    """The order of a batch's rows does not matter, and a batch's gradient is the mean of its rows' gradients."""
    order = list(range(len(tried.batch.inputs)))
    random.shuffle(order)

    def part(rows: list[int]) -> Batch:
        masks = {name: mask[rows] for name, mask in (tried.batch.masks or {}).items()}
        return Batch(tried.batch.inputs[rows], tried.batch.targets[rows], masks)

    whole, mixed = (made(tried).probe(batch) for batch in (tried.batch, part(order)))
    singles = [made(tried).probe(part([row])) for row in order]
    scale = max(abs(array).max() for array in whole.gradients.values()) + 1e-300
    for name, array in whole.gradients.items():
        assert abs(mixed.gradients[name] - array).max() < 1e-14 * scale
        assert abs(numpy.mean([single.gradients[name] for single in singles], axis=0) - array).max() < 1e-14 * scale
    for name, array in whole.outputs.items():
        assert error(mixed.outputs[name], array[order]) < VALUE


@CHECKED
@given(st.integers(-20, 20), st.integers(0, 2**32))
def test_scaling_is_exact(power: int, seed: int) -> None:
    """A linear net whose inputs and targets are multiplied by a power of two has exactly scaled outputs and gradients."""
    tried = case([Dense(units=4, use_bias=False), Dense(units=3, use_bias=False)], "mse", "value", 5, (3,), seed)
    factor = 2.0**power
    one, two = (made(tried).probe(Batch(tried.batch.inputs * k, tried.batch.targets * k, {})) for k in (1.0, factor))
    assert two.loss == one.loss * factor**2
    assert all(numpy.array_equal(two.gradients[name], array * factor**2) for name, array in one.gradients.items())


@pytest.mark.parametrize("kind", [kinds.Sigmoid(), kinds.Tanh(), kinds.Relu(), kinds.Softmax(), None], ids=str)
def test_adjoint(kind: kinds.ActivationFunction | None) -> None:
    """<J v, w> = <v, J' w> for each layer: J v by complex step, J' w by backward, w the gradient of the loss at the output."""
    random = numpy.random.Generator(numpy.random.Philox(3))
    tried = case([Alone(activation=kind) if kind else Dense(units=6)], "mse", "value", 4, (6,), 3)
    v = numbers(random, (4, 6))
    probe = made(tried).probe(tried.batch)
    moved = made(tried, "complex128").probe(dataclasses.replace(tried.batch, inputs=tried.batch.inputs + 1e-20j * v))
    ((name, w),) = probe.output_gradients.items()
    forward = moved.outputs[name].imag / 1e-20
    assert abs(numpy.sum(forward * w) / numpy.sum(v * probe.input_gradient) - 1) < 1e-13


def test_predict_and_probe_change_nothing() -> None:
    """probe() and predict() leave the state alone, and what they return is not touched by what follows."""
    tried = case([Dense(units=4, activation=kinds.Tanh()), Dropout(rate=0.5), Dense(units=2)], "mse", "value", 5, (3,), 2)
    program = made(tried)
    probe = program.probe(tried.batch)
    seen = [*probe.outputs.values(), *probe.gradients.values(), *probe.output_gradients.values(), probe.input_gradient]
    kept = [array.copy() for array in seen]
    predicted = program.predict(program.stage([tried.batch]))[0]
    copy = predicted.copy()
    assert all(numpy.array_equal(array, tried.state.parameters[name]) for name, array in program.state().parameters.items())
    program.train(program.stage([tried.batch]), 3)
    assert numpy.array_equal(predicted, copy)
    program.probe(Batch(-tried.batch.inputs, tried.batch.targets, tried.batch.masks))
    assert all(numpy.array_equal(array, copy) for array, copy in zip(seen, kept, strict=True))


def own_dropout(rate: float, rows: int = 5000, steps: int = 1) -> float:
    """Mean of the masks that a program draws itself, for a batch without: one weight at zero on inputs of one moves by it."""
    parts = (Dropout(rate=rate), Dense(units=1, use_bias=False))
    spec = ProgramSpec(chain(parts, (1,)), LOSSES["mse"], SGD(learning_rate=1.0), "value")
    program = Program(spec, "float64", "cpu", "")
    staged = program.stage([Batch(numpy.ones((rows, 1)), numpy.full((rows, 1), -0.5))])
    for _ in range(steps):
        program.load(State({"dense_1/kernel": numpy.zeros((1, 1))}))
        program.train(staged, 1)
    return -float(program.state().parameters["dense_1/kernel"][0, 0])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_own_dropout(rate: float) -> None:
    """Masks of the program's own keep the mean, have the right share of zeros by its spread, and are new in each step."""
    means = [own_dropout(rate, 2000, steps) for steps in (1, 2, 3, 4, 5, 6, 7, 8)]
    spread = (rate / (1 - rate) / 2000) ** 0.5
    assert abs(numpy.array(means) - 1).max() < 4.5 * spread
    assert numpy.std(means) > spread / 4
    assert len(set(means)) > 4


# optimizers -----------------------------------------------------------------------------------------------------------------

Vector = Any


def textbook(
    spec: Optimizer, forms: dict[str, str], p: Vector, gradients: list[Vector], done: int
) -> tuple[Vector, dict[str, Vector]]:
    """Steps of an optimizer as papers and harness.spec.FORMS write them, in long double, after `done` steps with empty slots."""
    real = numpy.longdouble
    slots = {name: numpy.zeros(p.shape, real) for name in spec.slots}
    p, rate = p.astype(real), real(spec.learning_rate)
    for t, gradient in enumerate(gradients, start=done + 1):
        g = gradient.astype(real)
        if isinstance(spec, SGD):
            mu, v = real(spec.momentum), slots["velocity"]
            if forms.get("sgd.momentum") == "lr_velocity":
                v = slots["velocity"] = mu * v - rate * g
                p = p + (mu * v - rate * g if spec.nesterov else v)
            else:
                v = slots["velocity"] = mu * v + g
                p = p - rate * (g + mu * v if spec.nesterov else v)
        elif isinstance(spec, Adam):
            b1, b2, epsilon = real(spec.beta_1), real(spec.beta_2), real(spec.epsilon)
            m = slots["first_moment"] = b1 * slots["first_moment"] + (1 - b1) * g
            v = slots["second_moment"] = b2 * slots["second_moment"] + (1 - b2) * g**2
            c1, c2 = 1 - b1**t, 1 - b2**t
            if isinstance(spec, AdamW):
                p = p - rate * real(spec.weight_decay) * p
            if forms.get("adam.epsilon") == "hat":
                p = p - rate * numpy.sqrt(c2) / c1 * m / (numpy.sqrt(v) + epsilon)
            else:
                p = p - rate / c1 * m / (numpy.sqrt(v / c2) + epsilon)
        elif isinstance(spec, RMSprop):
            rho, epsilon, mu = real(spec.rho), real(spec.epsilon), real(spec.momentum)
            s = slots["mean_square"] = rho * slots["mean_square"] + (1 - rho) * g**2
            root = numpy.sqrt(s + epsilon) if forms.get("rmsprop.epsilon") == "inside" else numpy.sqrt(s) + epsilon
            if forms.get("rmsprop.momentum") == "lr_velocity":
                v = slots["velocity"] = mu * slots["velocity"] + rate * g / root
                p = p - v
            else:
                v = slots["velocity"] = mu * slots["velocity"] + g / root
                p = p - rate * v
    return p, {name: slots[name] for name in active_slots(spec)}


def backend_steps(
    spec: Optimizer, forms: dict[str, str], p: Vector, gradients: list[Vector], done: int, mode: str = ""
) -> tuple[Vector, dict[str, Vector]]:
    """The same steps by the numpy backend."""
    moved, gradient = p.copy(), numpy.zeros(p.shape)
    tried = optimizers.optimizer(spec, forms, moved, gradient, arithmetic.arithmetic(mode))
    for step, g in enumerate(gradients, start=done):
        gradient[...] = g
        tried.update(step)
    return moved, tried.slots


def walk(size: int, steps: int, seed: int = 5) -> tuple[Vector, list[Vector]]:
    """Parameters and some gradients of very different sizes, each with its own sign so that slots do not cancel away."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    p = numbers(random, (size,))
    scales = 10.0 ** random.uniform(-4, 1, size) * numpy.sign(random.standard_normal(size))
    return p, [abs(numbers(random, (size,))) * scales for _ in range(steps)]


SPECS: dict[str, Optimizer] = {
    "sgd": SGD(learning_rate=0.1),
    "momentum": SGD(learning_rate=0.1, momentum=0.9),
    "nesterov": SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
    "adam": Adam(learning_rate=0.01, epsilon=1e-3),
    "adam small": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
    "adam bare": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.0, beta_2=0.0),
    "adamw": AdamW(learning_rate=0.01, epsilon=1e-8, weight_decay=0.1),
    "rmsprop": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3),
    "rmsprop momentum": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3, momentum=0.5),
}


def forms_of(spec: Optimizer) -> list[dict[str, str]]:
    """Every combination of the forms that an optimizer depends on."""
    names = [name for name in FORMS if name.split(".")[0] == ("adam" if isinstance(spec, Adam) else spec.type)]
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(FORMS[name] for name in names))]


OPTIMIZERS = [(name, forms) for name, spec in SPECS.items() for forms in forms_of(spec)]


#: 1 - beta^t is computed in double precision, where it loses digits early: t = 3 and beta = 0.999 leave 13 of 16
OPTIMIZER = {"adam": 1e-14, "adamw": 1e-14, "sgd": 2e-15, "rmsprop": 2e-15}


REPLICATED = 1e-12


def optimizer_error(name: str, forms: dict[str, str], done: int = 0, mode: str = "") -> float:
    """Parameters and slots after six steps against the textbook's, number by number."""
    p, gradients = walk(40, 6)
    sizes = []
    for start in (p, 0 * p):  # from zero the parameters are the moves, which hardly show in large parameters
        moved, slots = backend_steps(SPECS[name], forms, start, gradients, done, mode)
        right, wanted = textbook(SPECS[name], forms, start, gradients, done)
        sizes += [(abs(moved - right) / (abs(start) + abs(right))).max()]
        sizes += [abs(slots[slot] / array - 1).max() for slot, array in wanted.items()]
    return float(numpy.max(sizes))


@pytest.mark.parametrize("done", [0, 37, 5000])
@pytest.mark.parametrize(("name", "forms"), OPTIMIZERS, ids=str)
def test_optimizers(name: str, forms: dict[str, str], done: int) -> None:
    """Every optimizer in every form is its textbook's, in every parameter and slot, early and late."""
    assert optimizer_error(name, forms, done) < OPTIMIZER[SPECS[name].type]


@pytest.mark.parametrize(("name", "forms"), OPTIMIZERS, ids=str)
def test_replicas_of_optimizers(name: str, forms: dict[str, str]) -> None:
    """A replica's optimizer, whose corrections are computed in its own number format, is off by rounding alone."""
    assert 0 < optimizer_error(name, forms, 5, "replica-1") < REPLICATED


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_forms(nesterov: bool) -> None:
    """With a constant rate both forms of momentum make the same way, and one velocity is minus the rate times the other's."""
    spec = SGD(learning_rate=0.1, momentum=0.9, nesterov=nesterov)
    p, gradients = walk(40, 20)
    (one, plain), (two, scaled) = (
        backend_steps(spec, {"sgd.momentum": form}, p, gradients, 0) for form in ("velocity", "lr_velocity")
    )
    assert numpy.allclose(one, two, rtol=1e-14, atol=0)
    assert numpy.allclose(scaled["velocity"], -spec.learning_rate * plain["velocity"], rtol=1e-14, atol=0)


def test_rmsprop_momentum_forms() -> None:
    """With a constant rate both forms of RMSprop's momentum make the same way."""
    p, gradients = walk(40, 20)
    spec = SPECS["rmsprop momentum"]
    one, two = (backend_steps(spec, {"rmsprop.momentum": form}, p, gradients, 0)[0] for form in ("velocity", "lr_velocity"))
    assert numpy.allclose(one, two, rtol=1e-14, atol=0)


def test_adam_forms() -> None:
    """Hat is plain with epsilon / sqrt(1 - beta_2^t): with beta_2 = 3/4 twice as much at the first step; and they differ."""
    p, gradients = walk(40, 1)

    def moved(form: str, epsilon: float) -> Vector:
        spec = Adam(learning_rate=0.01, beta_1=0.5, beta_2=0.75, epsilon=epsilon)
        return backend_steps(spec, {"adam.epsilon": form}, p, gradients, 0)[0]

    hat, plain, double = moved("hat", 2.0**-10), moved("plain", 2.0**-10), moved("plain", 2.0**-9)
    assert numpy.allclose(hat, double, rtol=1e-15, atol=0)
    assert abs(hat - plain).max() > 1e-4


def test_optimizer_blocks() -> None:
    """Working in blocks changes nothing: a buffer of two and a half blocks moves as its parts do."""
    size = optimizers.BLOCK * 5 // 2
    p, gradients = walk(size, 2)
    for name, spec in SPECS.items():
        whole, slots = backend_steps(spec, {}, p, gradients, 0)
        for part in (slice(0, 7), slice(optimizers.BLOCK - 3, optimizers.BLOCK + 4), slice(size - 5, size)):
            alone, _ = backend_steps(spec, {}, p[part], [g[part] for g in gradients], 0)
            assert numpy.array_equal(whole[part], alone), name
        assert all(slot.shape == p.shape for slot in slots.values())


# arithmetics ----------------------------------------------------------------------------------------------------------------


def replica_errors(dtype: str, mode: str) -> dict[str, float]:
    """Errors of a replica of one small net."""
    tried = case([Dense(units=16, activation=kinds.Tanh()), Dense(units=3)], "softmax_cross_entropy", "integer", 20, (8,), 4)
    right, found = made(tried).probe(tried.batch), made(tried, dtype, mode).probe(tried.batch)
    return {name: error(found.gradients[name], array) for name, array in right.gradients.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["replica", "sequential"])
def test_replicas(kind: str, dtype: str) -> None:
    """A replica is off by rounding's size, differs from seed to seed, and is the same again from the same seed."""
    found = [replica_errors(dtype, f"{kind}-{seed}") for seed in range(8)]
    eps = numpy.finfo(dtype).eps
    for errors in found:
        assert all(eps / 50 < size < 10 * eps for size in errors.values()), errors
    assert len({tuple(errors.values()) for errors in found}) == len(found)
    assert replica_errors(dtype, f"{kind}-3") == found[3]


@pytest.mark.parametrize("name", sorted(arithmetic.ROUNDED))
def test_replica_operations(name: str) -> None:
    """Every rounded operation is moved by at most a unit in the last place, to both sides alike, also into a given array."""
    random = numpy.random.Generator(numpy.random.Philox(6))
    function = getattr(numpy, name)
    values = [numpy.asarray(random.uniform(0.5, 3, 20000), numpy.float32) for _ in range(function.nin)]
    exact = function(*values)
    ops = arithmetic.arithmetic("replica-1")
    out = numpy.empty_like(exact)
    moved = getattr(ops, name)(*values, out=out)
    assert moved is out
    assert moved.dtype == exact.dtype
    places = (moved.astype(float) - exact) / numpy.spacing(abs(exact))
    assert abs(places).max() <= 1
    assert 0.1 < (places != 0).mean() < 0.6
    assert abs(places.mean()) < 5 * places.std() / numpy.sqrt(places.size)
    assert isinstance(getattr(ops, name)(*(value[0] for value in values)), numpy.float32)


def test_exact_operations_are_left_alone() -> None:
    """What numpy computes without rounding, a replica computes the same: comparisons, maximum, negative, where."""
    ops = arithmetic.arithmetic("replica-1")
    for name in ("maximum", "negative", "where", "greater", "sign", "absolute"):
        assert getattr(ops, name) is getattr(numpy, name)


@settings(CHECKED, max_examples=60)
@given(
    st.sampled_from(["replica-0", "sequential-0"]), st.integers(0, 2**32), st.integers(1, 40),
    st.sampled_from([((), ()), ((), (3,)), ((4,), ()), ((4,), (3,)), ((1,), (1,))]),
)  # fmt: skip
def test_contractions_of_integers(mode: str, seed: int, length: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Parted, shuffled and sequential sums are exact where nothing is rounded: of integers, in every shape of a contraction."""
    random = numpy.random.Generator(numpy.random.Philox(seed))
    a = random.integers(-50, 50, (*shapes[0], length)).astype(numpy.float32)
    b = random.integers(-50, 50, (length, *shapes[1])).astype(numpy.float32)
    found = arithmetic.arithmetic(mode).contract(a, b)
    assert numpy.array_equal(found, a @ b)
    assert numpy.asarray(found).dtype == numpy.float32


@pytest.mark.parametrize("shapes", list(itertools.product([(), (1,), (3,)], [(), (1,), (2,)])))
def test_sequential_sums(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Sequential sums add one term after the other: ones behind 2^24 are all lost in float32, in every shape of a contraction."""
    a, b = numpy.ones((*shapes[0], 1001), numpy.float32), numpy.ones((1001, *shapes[1]), numpy.float32)
    a[..., 0] = 2**24
    assert numpy.all(arithmetic.arithmetic("sequential-0").contract(a, b) == 2**24)


def test_sequential_sums_in_parts() -> None:
    """Long sequential sums are taken some terms at a time, and are the same."""
    random = numpy.random.Generator(numpy.random.Philox(7))
    a, b = (numpy.asarray(random.standard_normal(shape), numpy.float32) for shape in ((1500, 5), (5, 1500)))
    total = numpy.zeros((1500, 1500), numpy.float32)
    for term in range(5):
        total += a[:, term, None] * b[term]
    assert numpy.array_equal(arithmetic.arithmetic("sequential-0").contract(a, b), total)


# the proofs can fail --------------------------------------------------------------------------------------------------------

SIGMOID, TANH, RELU, SOFTMAX, STEP = kinds.Sigmoid(), kinds.Tanh(), kinds.Relu(), kinds.Softmax(), kinds.Step()
FIXED: list[Callable[[], Case]] = [
    partial(case, [Dense(units=4, activation=SIGMOID), Dense(units=3)], "softmax_cross_entropy", "integer", 5, (3,), 1),
    partial(case, [Flatten(), Dense(units=4, activation=TANH), Dense(units=2)], "binary_cross_entropy", "one_hot", 5, (1, 2)),
    partial(case, [Dense(units=16, activation=RELU), Dropout(rate=0.5), Dense(units=2)], "mse", "value", 5, (3,), 3),
    partial(case, [Dense(units=4, activation=SOFTMAX), Dense(units=6)], "mae", "value", 5, (3,), 4),
    partial(case, [Dense(units=3), Dense(units=3)], "softmax_cross_entropy", "one_hot", 5, (3,), 5),
    partial(case, [Dense(units=4)], "hinge", "sign", 5, (3,), 6),
    partial(case, [Dense(units=2, activation=STEP)], "perceptron", "sign", 5, (3,), 7),
]


def complaints() -> Iterator[str]:
    """What the checks above have against the backend as it is now."""

    def asked(name: str, check: Callable[[], float], limit: float) -> Iterator[str]:
        try:
            with numpy.errstate(all="ignore"):
                size = check()
        except Exception as problem:
            yield f"{name} raises {problem!r}"
        else:
            if not size < limit:
                yield f"{name} is off by {size:.0e}"

    for name, (*_, right) in KINKS.items():
        yield from asked(f"kink {name}", lambda name=name, right=right: on_kink(name) != right, 1)  # type: ignore[misc]
    for function, values_and_slopes in AROUND_ZERO.items():
        yield from asked(function.type, lambda f=function, right=values_and_slopes: around_zero(f) != right, 1)  # type: ignore[misc]
    yield from asked("extremes", extreme_error, VALUE)
    for name, forms in OPTIMIZERS:
        yield from asked(f"{name} {forms}", partial(optimizer_error, name, forms), OPTIMIZER[SPECS[name].type])
        yield from asked(f"replica of {name}", partial(optimizer_error, name, forms, 5, "replica-1"), REPLICATED)
    yield from asked("own dropout", lambda: 0.0 if 1e-9 < abs(own_dropout(0.25) - 1) < 0.05 else 1.0, 0.5)
    for index, make in enumerate(FIXED):
        yield from asked(f"value of program {index}", lambda make=make: value_error(make()), VALUE)  # type: ignore[misc]
        yield from asked(f"training of program {index}", lambda make=make: training_error(make()), VALUE)  # type: ignore[misc]
        yield from asked(f"gradient of program {index}", lambda make=make: gradient_error(make()), GRADIENT)  # type: ignore[misc]


def test_no_complaints() -> None:
    """The checks accept the backend as it stands, and there are many faults that they are tried on."""
    assert not list(complaints())
    assert len(FAULTS) > 150


#: an operation, and the wrong one in its place
SWAPPED = {
    "add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply", "exp": "expm1", "log": "log1p", "log1p": "log",
    "tanh": "arctan", "sqrt": "square", "reciprocal": "negative", "negative": "positive", "maximum": "minimum", "greater": "greater_equal",
}  # fmt: skip
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.USub: ast.UAdd,
}  # fmt: skip
METHODS = {
    layers: ("forward", "backward"),
    losses: ("resize", "value", "mean"),
    optimizers: ("setup", "update", "move", "correction"),
    programs: ("step", "probe", "infer", "predict", "stage", "columns"),
}


def faults(node: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """What can be made wrong at one place of a program: a name for it, and how it is done."""
    if isinstance(node, ast.Attribute) and node.attr in SWAPPED and ast.unparse(node.value) in ("ops", "self.ops", "numpy"):
        yield f"{node.attr} is {SWAPPED[node.attr]}", lambda n: setattr(n, "attr", SWAPPED[n.attr])
    operator = getattr(node, "op", None) or (node.ops[0] if isinstance(node, ast.Compare) else None)
    if operator is not None and type(operator) in OPERATORS:
        other = OPERATORS[type(operator)]
        one = isinstance(node, ast.Compare)
        yield f"{other.__name__}", lambda n: setattr(n, "ops" if one else "op", [other()] if one else other())
    if isinstance(node, ast.IfExp):
        yield "other branch", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("dot"):
        yield "dot too large by 1e-6", lambda n: n.args.__setitem__(0, ast.BinOp(n.args[0], ast.Mult(), ast.Constant(1 + 1e-6)))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "numpy.where":
        yield "where turned", lambda n: n.args.reverse() or n.args.insert(0, n.args.pop())
    for index, statement in enumerate(getattr(node, "body", []) if isinstance(node, ast.FunctionDef | ast.For | ast.If) else []):
        documents = isinstance(getattr(statement, "value", None), ast.Constant)
        if isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.For) and not documents:
            yield "statement left out", lambda n, index=index: n.body.__setitem__(index, ast.Pass())  # type: ignore[misc]


def wrong_versions(function: Any) -> Iterator[tuple[str, Any]]:
    """A function with one fault at a time, and the fault's name."""
    for place, node in enumerate(ast.walk(function)):
        for turn, (text, _) in enumerate(faults(node)):
            wrong = copy.deepcopy(function)
            target = list(ast.walk(wrong))[place]
            list(faults(target))[turn][1](target)
            yield f"{' '.join(ast.unparse(node).split())[:60]}: {text} ({place})", wrong


def all_faults() -> dict[str, tuple[Any, str, Any]]:
    """Every planted fault by name: the class, its method, the wrong method."""
    found: dict[str, tuple[Any, str, Any]] = {}
    for module, methods in METHODS.items():
        classes: list[Any] = [part for part in ast.parse(inspect.getsource(module)).body if isinstance(part, ast.ClassDef)]
        for kind, function in itertools.chain.from_iterable(itertools.product([kind], kind.body) for kind in classes):
            if isinstance(function, ast.FunctionDef) and function.name in methods and "super()" not in ast.unparse(function):
                for name, wrong in wrong_versions(function):
                    found[f"{kind.name}.{function.name} {name}"] = (getattr(module, kind.name), function.name, wrong)
    return found


FAULTS = all_faults()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is made wrong in a layer, a loss, an optimizer or the program, at least one check complains."""
    owner, method, wrong = FAULTS[name]
    namespace = dict(vars(inspect.getmodule(owner)))
    exec(compile(ast.fix_missing_locations(ast.Module([wrong], [])), "fault", "exec"), namespace)
    monkeypatch.setattr(owner, method, namespace[method])
    assert next(complaints(), None)
