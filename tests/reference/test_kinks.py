"""Where a gradient is a convention: at kinks and ties it is the one that harness.spec states, in numbers written here; and far out, where
exponentials overflow, results are finite and right."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from scipy import special

from backends.numpy import Program
from backends.numpy.special import erf, normal_tail
from harness.interface import Batch, Probe, State
from harness.spec import SGD, Activation, ActivationFunction, Dense, Loss, ProgramSpec, losses, wired
from harness.spec import activations as functions
from harness.spec import layers as kinds
from harness.spec.regularizers import L1

from . import formulas
from .measure import alone

SELU = 1.0507009873554805
#: function, points, slopes there
SLOPES: list[tuple[ActivationFunction, list[float], list[float]]] = [
    (functions.Linear(), [0.0, -1.0], [1, 1]),
    (functions.Step(), [0.0, -0.0, 2.0], [0, 0, 0]),
    (functions.Relu(), [0.0, -0.0, 2.0, -2.0], [0, 0, 1, 0]),
    (functions.Relu6(), [0.0, -0.0, 6.0, 3.0, 7.0, -1.0], [0, 0, 0, 1, 0, 0]),
    (functions.LeakyRelu(negative_slope=0.25), [0.0, -0.0, 1.0, -1.0], [0.25, 0.25, 1, 0.25]),
    (functions.Elu(alpha=0.5), [0.0, -0.0, 1.0, -800.0], [0.5, 0.5, 1, 0]),
    (functions.Selu(), [0.0, 1.0, -800.0], [SELU * 1.6732632423543772, SELU, 0]),
    (functions.Softsign(), [0.0, -0.0, 1.0, -1.0], [1, 1, 0.25, 0.25]),
    (functions.HardSigmoid(), [-3.0, 3.0, 0.0, 4.0, -4.0], [0, 0, 1 / 6, 0, 0]),
    (functions.HardSilu(), [-3.0, 3.0, 0.0, 4.0, -4.0], [0, 1, 0.5, 1, 0]),
    (functions.Sigmoid(), [0.0, 800.0, -800.0], [0.25, 0, 0]),
    (functions.Tanh(), [0.0, 800.0, -800.0], [1, 0, 0]),
    (functions.Softplus(), [0.0, 800.0, -800.0], [0.5, 1, 0]),
    (functions.Silu(), [0.0, 800.0], [0.5, 1]),
    (functions.Mish(), [0.0, 800.0], [0.6, 1]),
    (functions.Gelu(approximate=False), [0.0, 40.0, -40.0], [0.5, 1, 0]),
    (functions.Gelu(approximate=True), [0.0, 40.0, -40.0], [0.5, 1, 0]),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("function", "points", "slopes"), SLOPES, ids=lambda value: getattr(value, "type", ""))
def test_slopes(function: ActivationFunction, points: list[float], slopes: list[float]) -> None:
    """Slopes at kinks and far out."""
    one = alone(Activation(activation=function), (len(points),), rows=1)
    one.layer.forward(numpy.array([points]))
    found = one.layer.backward(numpy.full((1, len(points)), 2.0))
    assert numpy.allclose(found[0] / 2, slopes, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("function", [functions.Elu(alpha=0.5), functions.Selu()], ids=lambda function: function.type)
def test_slopes_far_out(function: ActivationFunction) -> None:
    """Of an exponential all digits are there, however small it is; y + alpha has none of them
    (https://github.com/tensorflow/tensorflow/issues/124833)."""
    points = numpy.array([[-1.0, -20.0, -40.0, -300.0]])
    one = alone(Activation(activation=function), points.shape[1:], rows=1)
    one.layer.forward(points)
    scale = 0.5 if function.type == "elu" else SELU * 1.6732632423543772
    assert numpy.allclose(one.layer.backward(numpy.ones_like(points)), scale * numpy.exp(points), rtol=1e-15, atol=0)


@pytest.mark.parametrize("function", [row[0] for row in SLOPES], ids=lambda function: function.type)
def test_curves(function: ActivationFunction) -> None:
    """Values and slopes between the kinks, on either side of all of them, of more numbers than are worked through at once."""
    points = numpy.linspace(-9, 9, 70_004)[None]
    one = alone(Activation(activation=function), points.shape[1:], rows=1)
    value = one.layer.forward(points)
    assert numpy.allclose(value, formulas.ACTIVATIONS[function.type](function, points), rtol=1e-13, atol=1e-14)
    step = alone(Activation(activation=function), points.shape[1:], rows=1, dtype="complex128").layer.forward(points + 1e-20j)
    assert numpy.allclose(one.layer.backward(numpy.ones_like(points)), step.imag / 1e-20, rtol=1e-13, atol=1e-14)


def test_step_is_zero_at_zero() -> None:
    """step(0) = 0, for either zero."""
    one = alone(Activation(activation=functions.Step()), (4,), rows=1)
    assert one.layer.forward(numpy.array([[-3.0, -0.0, 0.0, 2.0]])).tolist() == [[0, 0, 0, 1]]


def test_prelu_at_zero() -> None:
    """alpha for z, 0 for alpha."""
    one = alone(kinds.PRelu(), (1,), rows=1)
    one.layer.forward(numpy.zeros((1, 1)))
    assert one.layer.backward(numpy.ones((1, 1)))[0, 0] == one.parameters["alpha"][0]
    assert one.gradients["alpha"][0] == 0


def test_rnn_with_relu_at_zero() -> None:
    """As relu: 0."""
    one = alone(kinds.SimpleRNN(units=1, activation="relu"), (1, 1), rows=1)
    for array in one.parameters.values():
        array[...] = 0
    one.layer.forward(numpy.ones((1, 1, 1)))
    assert one.layer.backward(numpy.ones((1, 1)))[0, 0, 0] == 0
    assert not any(gradient.any() for gradient in one.gradients.values())


def test_maximum_ties() -> None:
    """The first of equal ones gets the gradient."""
    a, b, c = (numpy.array([values]) for values in ([1.0, 2, 0, 3], [1.0, 2, 1, 1], [0.0, 2, 1, 3]))
    one = alone(kinds.Maximum(), (4,), (4,), (4,), rows=1)
    assert one.layer.forward(a, b, c).tolist() == [[1, 2, 1, 3]]
    found = one.layer.backward(numpy.full((1, 4), 2.0))
    assert [gradient[0].tolist() for gradient in found] == [[2, 2, 0, 2], [0, 0, 2, 0], [0, 0, 0, 0]]


# losses ---------------------------------------------------------------------------------------------------------------------

#: loss, output, target: loss and gradient there
LOSSES: list[tuple[Loss, float, float, tuple[float, float]]] = [
    (losses.MeanAbsoluteError(), 3.0, 3.0, (0, 0)),
    (losses.MeanAbsoluteError(), 3.0, 5.0, (2, -1)),
    (losses.Huber(delta=0.5), 0.5, 0.0, (0.125, 0.5)),
    (losses.Huber(delta=0.5), 1.0, 0.0, (0.375, 0.5)),
    (losses.Huber(delta=2.0), -1.0, 0.0, (0.5, -1)),
    (losses.Huber(delta=2.0), -4.0, 0.0, (6, -2)),
    (losses.LogCosh(), 1.0, 1.0, (0, 0)),
    (losses.LogCosh(), 1001.0, 1.0, (1000 - numpy.log(2), 1)),
    (losses.LogCosh(), -999.0, 1.0, (1000 - numpy.log(2), -1)),
    (losses.Hinge(), -1.0, -1.0, (0, 0)),
    (losses.Hinge(), 0.5, 1.0, (0.5, -1)),
    (losses.Hinge(), 1.5, 1.0, (0, 0)),
    (losses.Perceptron(), 0.0, 1.0, (0, -1)),
    (losses.Perceptron(), 0.0, -1.0, (0, 1)),
    (losses.Perceptron(), -0.0, 1.0, (0, -1)),
    (losses.Perceptron(), -2.0, 1.0, (2, -1)),
    (losses.Perceptron(), 2.0, 1.0, (0, 0)),
    (losses.BinaryCrossEntropy(), 0.0, 1.0, (numpy.log(2), -0.5)),
    (losses.BinaryCrossEntropy(), 800.0, 0.0, (800, 1)),
    (losses.BinaryCrossEntropy(), -800.0, 0.0, (0, 0)),
    (losses.BinaryCrossEntropy(), -800.0, 1.0, (800, -1)),
    (losses.BinaryCrossEntropy(), 800.0, 1.0, (0, 0)),
    (losses.KLDivergence(), -3.0, 0.0, (0, 0)),
]


def at(loss: Loss, outputs: Any, targets: Any) -> Probe:
    """A loss of some outputs."""
    spec = ProgramSpec(
        wired((Activation(activation=functions.Linear()),), outputs.shape[1:]), loss, SGD(learning_rate=0.1), "value"
    )
    return Program(spec, "float64", "cpu", "").probe(Batch(outputs, targets, {}))


@pytest.mark.parametrize(("loss", "z", "y", "right"), LOSSES, ids=lambda value: getattr(value, "type", ""))
def test_losses(loss: Loss, z: float, y: float, right: tuple[float, float]) -> None:
    """One output at a kink, or far out."""
    found = at(loss, numpy.array([[z]]), numpy.array([[y]]))
    assert numpy.allclose([found.loss, float(found.input_gradient[0, 0])], right, rtol=1e-15, atol=1e-15)


def test_huge_logits() -> None:
    """Softmax cross-entropy and softmax overflow nowhere."""
    wide = numpy.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]])
    found = at(losses.SoftmaxCrossEntropy(), wide, numpy.array([1, 2]))
    assert abs(found.loss / ((1e4 + numpy.log(3)) / 2) - 1) < 1e-15
    assert numpy.allclose(found.input_gradient, numpy.array([[1, -1, 0], [1 / 3, 1 / 3, -2 / 3]]) / 2, rtol=1e-15, atol=0)
    softmax = alone(Activation(activation=functions.Softmax()), (3,)).layer.forward(wide)
    assert numpy.allclose(softmax, numpy.array([[1, 0, 0], 3 * [1 / 3]]), rtol=1e-15, atol=0)
    logarithm = alone(Activation(activation=functions.LogSoftmax()), (3,)).layer.forward(wide)
    right = numpy.array([[0.0, -1e4, -2e4], 3 * [-float(numpy.log(3))]])
    assert numpy.allclose(logarithm, right, rtol=1e-15, atol=0)


def test_targets_that_do_not_sum_to_one() -> None:
    """Softmax cross-entropy weighs what it takes the logarithm of: -sum(y log softmax(z)), whatever y."""
    z, y = numpy.array([[0.5, -1.0, 2.0], [0.0, 1.0, 3.0]]), numpy.array([[0.5, 0.25, 0.0], [2.0, 1.0, 0.5]])
    found = at(losses.SoftmaxCrossEntropy(reduction="sum"), z, y)
    assert abs(found.loss + (y * special.log_softmax(z, axis=1)).sum()) < 1e-14
    assert numpy.allclose(found.input_gradient, special.softmax(z, axis=1) * y.sum(1, keepdims=True) - y, rtol=1e-14, atol=1e-15)


def test_vectors_of_no_length() -> None:
    """Cosine similarity below the smallest length 1e-6: it is a constant, and the gradient that of the product with the target."""
    y = numpy.array([[3.0, 4.0]])
    found = at(losses.CosineSimilarity(), numpy.array([[0.0, 0.0]]), y)
    assert found.loss == 1
    assert numpy.allclose(found.input_gradient, [[-0.6e6, -0.8e6]], rtol=1e-14)
    found = at(losses.CosineSimilarity(), numpy.array([[1e-7, 0.0]]), y)
    assert numpy.allclose([found.loss, *found.input_gradient[0]], [1 - 0.06, -0.6e6, -0.8e6], rtol=1e-14)
    found = at(losses.CosineSimilarity(), numpy.array([[1e-6, 0.0]]), y)  # exactly the smallest length
    assert numpy.allclose([found.loss, *found.input_gradient[0]], [1 - 0.6, -0.6e6, -0.8e6], rtol=1e-14)
    found = at(losses.CosineSimilarity(), y, 0 * y)
    assert found.loss == 1
    assert not found.input_gradient.any()


def test_penalties_at_zero() -> None:
    """The gradient of |w| at 0 is 0."""
    layer = Dense(units=2, use_bias=False, kernel_regularizer=L1(l1=0.25))
    spec = ProgramSpec(wired((layer,), (2,)), losses.MeanSquaredError(), SGD(learning_rate=0.1), "value")
    program = Program(spec, "float64", "cpu", "")
    program.load(State({"dense_1/kernel": numpy.array([[0.0, -0.0], [2.0, -2.0]])}))
    found = program.probe(Batch(numpy.zeros((1, 2)), numpy.zeros((1, 2)), {}))
    assert found.gradients["dense_1/kernel"].tolist() == [[0, 0], [0.25, -0.25]]
    assert found.loss == 1


def test_perceptron_reads_before_the_step() -> None:
    """With a final step the loss reads the value before it, the step's output gets no gradient, and zero weights are mistakes."""
    layers = (Dense(units=1, activation=functions.Step()),)
    spec = ProgramSpec(wired(layers, (3,)), losses.Perceptron(), SGD(learning_rate=0.1), "sign")
    y = numpy.array([[1.0], [-1.0], [1.0]])
    probe = Program(spec, "float64", "cpu", "").probe(Batch(numpy.ones((3, 3)), y, {}))
    assert probe.loss == 0
    assert not probe.output_gradients["dense_1/step"].any()
    assert numpy.array_equal(probe.output_gradients["dense_1"], -y / 3)


# erf ------------------------------------------------------------------------------------------------------------------------


def test_erf() -> None:
    """SciPy's, on all its ranges and at their ends; of complex numbers near the real axis, with its derivative."""
    ends = [0.46875, 4.0, 6.0]
    points = numpy.concatenate(
        [numpy.linspace(-8, 8, 4001), ends, numpy.nextafter(ends, 9), numpy.nextafter(ends, 0), [0.0, 1e-300]]
    )
    right = special.erf(points)
    assert numpy.all(abs(erf(points) - right) <= 5e-16 * abs(right))
    slopes = erf(points + 1e-20j).imag / 1e-20
    assert numpy.allclose(slopes, 2 / numpy.sqrt(numpy.pi) * numpy.exp(-(points**2)), rtol=1e-14, atol=3e-16)
    assert erf(points.astype(numpy.float32)).dtype == numpy.float32
    assert numpy.all(erf(-points) == -erf(points))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_tail(dtype: str) -> None:
    """SciPy's, to two last places of its largest value, in both number formats."""
    points = numpy.linspace(0, 9, 2001).astype(dtype)
    tail, density = normal_tail(points)
    assert tail.dtype == density.dtype == dtype
    limit = 2 * numpy.finfo(dtype).eps
    assert abs(tail - special.ndtr(-points.astype("float64"))).max() < limit / 2
    assert abs(density - numpy.exp(-(points.astype("float64") ** 2) / 2) / numpy.sqrt(2 * numpy.pi)).max() < limit / 2
