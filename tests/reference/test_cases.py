"""The numpy backend is proved, not trusted: on every case of the conformance suite its values are those of formulas written elsewhere,
its gradients those of complex steps, its rounding that of a long double replay, and its training what textbooks say."""

from __future__ import annotations

import copy
from typing import Any

import numpy
import pytest

from backends import numpy as backend
from backends.numpy.layers import ACTIVATIONS, LAYERS
from backends.numpy.losses import LOSSES
from backends.numpy.optimizers import OPTIMIZERS
from harness.interface import Batch
from harness.spec import ActivationFunction, Layer, Loss, Optimizer, family, relevant_forms
from harness.spec.layers import Composite
from harness.spec.optimizers import FORMS
from harness.worker.conformance import cases, items
from harness.worker.conformance.laws import LAWS, same_state

from . import formulas, textbook
from .measure import (
    ALL,
    GRADIENT,
    LONGER,
    ROUNDING,
    SMOOTH,
    VALUE,
    all_gradients,
    back,
    close,
    distances,
    gradient_errors,
    made,
    tried,
    values,
)

#: a step is right to so many digits; the corrections of Adam's moments, 1 - beta^t, lose three of them early
MOVE = 1e-12
#: deviations of 1 / 1000 of their mean have three digits less
FAR = 2e-12
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def elementary() -> set[str]:
    """Layers that are nodes of their own."""
    return {name for name, layer in family(Layer).items() if not issubclass(layer, Composite)}


def test_everything_is_proved() -> None:
    """Every type is computed here, has a formula of its own, and stands in cases."""
    random = {name for name, layer in family(Layer).items() if layer.random}
    assert set(LAYERS) | {"activation"} == elementary() == set(formulas.LAYERS) | random
    assert set(ACTIVATIONS) == set(family(ActivationFunction)) == set(formulas.ACTIVATIONS)
    assert set(LOSSES) == set(family(Loss)) == set(formulas.LOSSES)
    assert set(OPTIMIZERS) == set(family(Optimizer)) == set(textbook.RULES)
    assert all(items().values())


@pytest.mark.parametrize("name", ALL)
def test_values(name: str) -> None:
    """Outputs, loss, and predictions are those of formulas."""
    one = tried(name)
    program = made(one)
    probe = program.probe(one.batch)
    close(probe.outputs, formulas.outputs(one.spec, one.state, one.batch), VALUE)
    right = formulas.loss_value(one.spec, one.state, probe.outputs[one.spec.nodes[one.spec.loss_node].name], one.batch)
    assert abs(probe.loss - right) <= VALUE * max(abs(right), 1e-2)
    predicted = program.predict(program.stage(one.batches))
    for batch, found in zip(one.batches, predicted, strict=True):
        inferred = formulas.outputs(one.spec, one.state, batch, training=False)
        close({"end": found}, {"end": list(inferred.values())[-1]}, VALUE)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name: str) -> None:
    """Every gradient, of parameters, at outputs and at inputs, is its complex step."""
    errors = gradient_errors(tried(name))
    assert max(errors.values()) < GRADIENT, errors


@pytest.mark.skipif(not LONGER, reason="long double is no longer than double here: only x86 has 80 bits")
@pytest.mark.parametrize("name", ALL)
def test_rounding(name: str) -> None:
    """Float64 is within a few units in the last place of a replay in long double, tensor by tensor."""
    one = tried(name)
    plain, longer = (made(one, dtype).probe(one.batch) for dtype in ("float64", "longdouble"))
    limit = FAR if name.startswith("far") else ROUNDING
    close(plain.outputs, longer.outputs, limit)
    close(all_gradients(plain), all_gradients(longer), limit)
    assert abs(plain.loss - longer.loss) <= ROUNDING * max(abs(longer.loss), 1e-2)


@pytest.mark.parametrize("name", ALL)
def test_layers_keep_to_themselves(name: str) -> None:
    """In float32 everything is float32; no layer changes what it reads, nor the gradient that it gets; each gradient has its value's
    shape, and is the probe's."""
    one = tried(name)
    program = made(one, "float32")
    found = values(program, one.batch)
    kept = copy.deepcopy(found)
    gradients = back(program, one.batch, found)
    assert all(map(numpy.array_equal, found, kept))
    probe = made(one, "float32").probe(one.batch)
    names = [node.name for node in one.spec.nodes]
    for node, value, gradient in zip(names, found[1:], gradients[1:], strict=True):
        assert value.dtype == numpy.float32
        assert numpy.array_equal(value, probe.outputs[node])
        if gradient is not None:
            assert gradient.dtype == numpy.float32
            assert gradient.shape == value.shape
            assert numpy.array_equal(gradient, probe.output_gradients[node])
    again = back(program, one.batch, values(program, one.batch))
    assert all(a is b or numpy.array_equal(a, b) for a, b in zip(gradients, again, strict=True))


def forms_of(name: str) -> list[dict[str, str]]:
    """The forms that a case's results depend on, the canonical ones first; each other one alone."""
    spec = tried(name).spec
    canonical = relevant_forms(spec, {})
    others = [{**canonical, form: value} for form in canonical for value in list(FORMS[form])[1:]]
    return [canonical, *others]


@pytest.mark.parametrize("name", ALL)
def test_training(name: str) -> None:
    """Training is what the probe's gradients and a textbook's optimizer give, in every form: loss, parameters, slots, statistics."""
    one = tried(name)
    for forms in forms_of(name):
        program, twice = made(one, forms=forms), made(one, forms=forms)
        staged = program.stage(one.batches)
        for batch, native in zip(one.batches, staged, strict=True):
            before = program.state()
            probe = program.probe(batch)
            assert program.train([native], 1).losses == [probe.loss]
            found, right = program.state(), textbook.after(one.spec.optimizer, forms, before, probe.gradients)
            assert found.step == right.step
            for parameter, array in right.parameters.items():
                move, off = abs(array - before.parameters[parameter]).max(), abs(found.parameters[parameter] - array)
                assert numpy.all(off <= MOVE * move + 8e-16 * abs(array)), (parameter, forms, before.step)
            for slot, arrays in right.slots.items():
                close(found.slots[slot], arrays, VALUE)
            close(found.statistics, formulas.moved_statistics(one.spec, before, batch, forms), VALUE)
        twice.train(twice.stage(one.batches), 2)
        assert same_state(twice.state(), program.state())


@pytest.mark.parametrize("name", ALL)
def test_contract(name: str) -> None:
    """The laws of the contract."""
    one = tried(name)
    program = backend.Program(one.spec, "float64", "cpu", "")
    for law in LAWS:
        assert not list(law(one.case, program, one.state, one.batches, "float64"))


def whole(name: str) -> bool:
    """Whether a batch's loss is made of its rows' losses alone."""
    spec = cases()[name].spec
    return not spec.statistics and not spec.penalties and not spec.weighted


@pytest.mark.parametrize("name", [name for name in ALL if whole(name)])
def test_rows(name: str) -> None:
    """The order of a batch's rows does not matter, and a batch's gradient is the sum of its rows' gradients."""
    one = tried(name)
    rows = numpy.arange(len(one.batch.inputs))

    def part(chosen: Any) -> Any:
        masks = {node: mask[chosen] for node, mask in (one.batch.masks or {}).items()}
        return made(one).probe(Batch(one.batch.inputs[chosen], one.batch.targets[chosen], masks, None))

    probe, turned, singles = part(rows), part(rows[::-1]), [part(rows[row : row + 1]) for row in rows]
    share = 1 if one.spec.loss.reduction == "sum" else 1 / len(rows)
    close(turned.gradients, probe.gradients, ROUNDING)
    close(turned.outputs, {node: array[::-1] for node, array in probe.outputs.items()}, ROUNDING)
    largest = max(abs(array).max() for array in probe.gradients.values())
    for parameter, array in probe.gradients.items():
        total = sum(single.gradients[parameter] for single in singles) * share
        assert numpy.all(abs(total - array) <= ROUNDING * largest), parameter
    assert distances({"": sum(single.loss for single in singles) * share}, {"": probe.loss})[""] < ROUNDING
