"""Optimizers against their textbooks in long double, over many steps, early and late, in every form; and the canonical rules that
frameworks without optimizers of their own share."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy
import pytest

from backends.numpy import optimizers
from backends.numpy.replica import Replica, array_class
from harness.interface import State, clipped, updated
from harness.spec import SGD, Adam, AdamW, Dense, Optimizer, ProgramSpec, RMSprop, active_slots, relevant_forms, wired
from harness.spec.losses import MeanSquaredError
from harness.spec.optimizers import FORMS, LAMB, Adadelta, Adagrad, Adamax, Lion, NAdam
from harness.spec.schedules import Cosine, ExponentialDecay, OneCycle, StepDecay, Warmup

from . import textbook
from .measure import LONGER, generator

SPECS: dict[str, Optimizer] = {
    "sgd": SGD(learning_rate=0.1),
    "momentum": SGD(learning_rate=0.1, momentum=0.9),
    "nesterov": SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
    "adam": Adam(learning_rate=0.01, epsilon=1e-3),
    "adam small": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
    "adam bare": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.0, beta_2=0.0),
    "adamw": AdamW(learning_rate=0.01, epsilon=1e-8, weight_decay=0.1),
    "nadam": NAdam(learning_rate=0.01, epsilon=1e-3, beta_2=0.99),
    "adamax": Adamax(learning_rate=0.01, epsilon=1e-3, beta_2=0.9),
    "rmsprop": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3),
    "rmsprop momentum": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3, momentum=0.5),
    "adagrad": Adagrad(learning_rate=0.1, epsilon=1e-3, initial_accumulator_value=0.1),
    "adadelta": Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-3),
    "lion": Lion(learning_rate=0.01, beta_1=0.5),
    "lamb": LAMB(learning_rate=0.01, epsilon=1e-3, weight_decay=0.25, beta_2=0.99),
    "coupled": Adam(learning_rate=0.01, epsilon=1e-3, weight_decay=0.5, decoupled=False),
    "decoupled": SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.5, decoupled=True),
    "clip_value": SGD(learning_rate=0.1, clip_value=0.5),
    "clip_norm": Adagrad(learning_rate=0.1, epsilon=1e-3, initial_accumulator_value=0.0, clip_norm=0.5),
    "global_clip_norm": SGD(learning_rate=0.1, global_clip_norm=0.5),
    "step": SGD(learning_rate=0.1, schedule=StepDecay(every=2, rate=0.5)),
    "exponential": SGD(learning_rate=0.1, momentum=0.9, schedule=ExponentialDecay(over=5, rate=0.5)),
    "cosine": Adam(learning_rate=0.01, epsilon=1e-3, schedule=Cosine(over=40, end=0.125)),
    "warmup": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3, momentum=0.5, schedule=Warmup(over=3, until=60, end=0.5)),
    "one_cycle": SGD(learning_rate=0.1, schedule=OneCycle(over=100)),
    "accumulates": SGD(learning_rate=0.1, momentum=0.9, gradient_accumulation_steps=3, clip_norm=0.5),
    "everything": AdamW(
        learning_rate=0.01, epsilon=1e-3, weight_decay=0.25, global_clip_norm=0.5, gradient_accumulation_steps=2,
        schedule=Warmup(over=4, start=0.25, until=60),
    ),
}  # fmt: skip


def program(spec: Optimizer, forms: Mapping[str, str], sizes: tuple[int, ...]) -> ProgramSpec:
    """A program of some parameters: kernels of `(size, 1)`."""
    layers = [Dense(units=1, use_bias=False)] * len(sizes)
    nodes = [
        dataclasses.replace(wired((layer,), (size,))[0], name=f"dense_{number}")
        for number, (layer, size) in enumerate(zip(layers, sizes, strict=True))
    ]
    return ProgramSpec(tuple(nodes), MeanSquaredError(), spec, "value", forms)


def forms_of(spec: Optimizer) -> list[dict[str, str]]:
    """Every combination of the forms that an optimizer depends on."""
    names = list(relevant_forms(program(spec, {}, (1,)), {}))
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(FORMS[name] for name in names))]


TRIED = [(name, forms) for name, spec in SPECS.items() for forms in forms_of(spec)]


class Walk:
    """Flat parameters of a few sizes, and gradients of very different sizes, each with its own sign so that slots do not cancel."""

    def __init__(self, steps: int, sizes: tuple[int, ...] = (25, 14, 1), seed: int = 5) -> None:
        random, total = generator(seed), sum(sizes)
        self.sizes, self.start = sizes, random.standard_normal(total)
        scales = 10.0 ** random.uniform(-4, 1, total) * numpy.sign(random.standard_normal(total))
        self.gradients = [abs(random.standard_normal(total)) * scales for _ in range(steps)]

    def views(self, flat: Any) -> dict[str, Any]:
        """By name."""
        ends = numpy.cumsum(self.sizes)
        return {
            f"dense_{at}/kernel": flat[end - size : end].reshape(size, 1)
            for at, (size, end) in enumerate(zip(self.sizes, ends, strict=True))
        }

    def backend(
        self, spec: Optimizer, forms: Mapping[str, str], done: int, dtype: str = "float64", mode: str = ""
    ) -> tuple[Any, dict[str, Any]]:
        """Parameters and slots by the numpy backend, after `done` steps with empty slots and those of the walk."""
        kind = array_class(mode)
        p, g = self.start.astype(dtype).view(kind), numpy.zeros(len(self.start), dtype).view(kind)
        moved = optimizers.optimizer(program(spec, forms, self.sizes), p, g, self.views)
        for step, gradient in enumerate(self.gradients, done):
            g[...] = gradient
            moved.update(step)
        return p, moved.slots

    def textbook(self, spec: Optimizer, forms: Mapping[str, str], done: int) -> tuple[Any, dict[str, Any]]:
        """The same by the textbook."""
        slots = {slot: self.views(numpy.zeros(len(self.start))) for slot in active_slots(spec)}
        state = State(self.views(self.start), slots, done)
        for gradient in self.gradients:
            state = textbook.after(spec, forms, state, self.views(gradient))
        flat = {slot: numpy.concatenate([array.ravel() for array in arrays.values()]) for slot, arrays in state.slots.items()}
        return numpy.concatenate([array.ravel() for array in state.parameters.values()]), flat


#: 1 - beta^t is computed in double precision, where it loses digits early: t = 1 and beta = 0.999 leave 13 of 16
OPTIMIZER, REPLICATED = 1e-13, 1e-11


def off(found: tuple[Any, dict[str, Any]], right: tuple[Any, dict[str, Any]], start: Any) -> float:
    """The largest error of a parameter's way and of a slot, number by number."""
    moves = abs(right[0] - start)
    sizes = [(abs(numpy.asarray(found[0]) - right[0]) / (moves + abs(start) * 0.02)).max()]
    assert list(found[1]) == list(right[1])
    for slot, array in right[1].items():
        sizes.append((abs(numpy.asarray(found[1][slot]) - array) / (abs(array) + abs(array).max() * 1e-9 + 1e-300)).max())
    return float(numpy.max(sizes))


@pytest.mark.parametrize("done", [0, 37, 5000])
@pytest.mark.parametrize(("name", "forms"), TRIED, ids=str)
def test_optimizers(name: str, forms: dict[str, str], done: int) -> None:
    """Every optimizer in every form is its textbook's, in every parameter and slot, early and late."""
    walk = Walk(7)
    assert off(walk.backend(SPECS[name], forms, done), walk.textbook(SPECS[name], forms, done), walk.start) < OPTIMIZER


@pytest.mark.skipif(not LONGER, reason="long double is no longer than double here: only x86 has 80 bits")
@pytest.mark.parametrize(("name", "forms"), TRIED, ids=str)
def test_optimizers_in_long_double(name: str, forms: dict[str, str]) -> None:
    """In long double the corrections too have all their digits: three more than in double precision are right."""
    walk = Walk(7)
    scheduled = SPECS[name].schedule is not None  # factors by numpy's functions; the textbook's are Python's floats
    assert off(walk.backend(SPECS[name], forms, 0, "longdouble"), walk.textbook(SPECS[name], forms, 0), walk.start) < (
        OPTIMIZER if scheduled else OPTIMIZER / 1000
    )


@pytest.mark.parametrize("kind", ["replica", "sequential"])
@pytest.mark.parametrize(("name", "forms"), TRIED, ids=str)
def test_replicas_of_optimizers(name: str, forms: dict[str, str], kind: str) -> None:
    """A replica's optimizer, whose corrections are computed in its own number format, is off by rounding alone, and stays a replica."""
    walk = Walk(7)
    found = walk.backend(SPECS[name], forms, 5, mode=f"{kind}-1")
    assert all(isinstance(array, Replica) for array in (found[0], *found[1].values()))
    assert 0 < off(found, walk.textbook(SPECS[name], forms, 5), walk.start) < REPLICATED


@pytest.mark.parametrize(("name", "forms"), TRIED, ids=str)
def test_number_formats(name: str, forms: dict[str, str]) -> None:
    """Float32 stays float32 and is right to its digits; complex numbers without an imaginary part are real ones."""
    walk = Walk(7)
    right = walk.textbook(SPECS[name], forms, 5)
    single = walk.backend(SPECS[name], forms, 5, "float32")
    assert all(array.dtype == numpy.float32 for array in (single[0], *single[1].values()))
    assert off(single, right, walk.start) < 1e-4
    p, slots = walk.backend(SPECS[name], forms, 5, "complex128")
    assert not p.imag.any()
    assert off((p.real, {slot: array.real for slot, array in slots.items()}), right, walk.start) < OPTIMIZER


@pytest.mark.parametrize(
    "name", ["momentum", "adamax", "lion", "lamb", "clip_value", "clip_norm", "global_clip_norm", "adadelta"]
)
def test_complex_steps_through_optimizers(name: str) -> None:
    """A tiny imaginary gradient moves the parameters by the derivative of the step: as a small real one does."""
    spec, walk = SPECS[name], Walk(1)
    direction, size = generator(3).standard_normal(len(walk.start)) * walk.gradients[0], 1e-6

    def moved(change: Any, dtype: str) -> Any:
        other = Walk(1)
        other.gradients = [walk.gradients[0] + change]
        return other.backend(spec, {}, 5, dtype)[0]

    found = moved(1j * 1e-30 * direction, "complex128").imag / 1e-30
    right = (moved(size * direction, "longdouble") - moved(-size * direction, "longdouble")) / (2 * size)
    assert numpy.all(abs(found - right) <= 1e-8 * max(abs(right).max(), 1e-6))


def test_corrections_of_replicas() -> None:
    """In float32, 1 - 0.999^2 is off by 1e-5: replicas show it, plain programs have it right."""
    walk, spec = Walk(2), SPECS["adam small"]
    spec = dataclasses.replace(spec, beta_2=0.999)  # type: ignore[call-arg]
    walk.start[...] = 0
    right = walk.textbook(spec, {}, 0)[0]

    def error(mode: str) -> float:
        return float(numpy.median(abs(numpy.asarray(walk.backend(spec, {}, 0, "float32", mode)[0]) / right - 1)))

    assert error("") < 1e-6
    assert 3e-6 < numpy.mean([error(f"replica-{seed}") for seed in range(8)]) < 1e-4


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(every=3, rate=0.5),
        Cosine(over=100),
        ExponentialDecay(over=7, rate=0.5),
        OneCycle(over=90),
        Warmup(over=9, until=80),
    ],
)
def test_schedules_of_replicas(schedule: Any) -> None:
    """A replica's rate is off by rounding alone; where it jumps, it jumps at the same step."""
    spec, walk = SGD(learning_rate=0.1, schedule=schedule), Walk(1)
    for done in (0, 2, 3, 9, 27, 30, 45, 99, 300):
        (plain, _), (moved, _) = (walk.backend(spec, {}, done, "float32", mode) for mode in ("", "replica-2"))
        assert numpy.allclose(plain, moved, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_forms(nesterov: bool) -> None:
    """With a constant rate both forms of momentum make the same way, and one velocity is minus the rate times the other's."""
    spec = SGD(learning_rate=0.1, momentum=0.9, nesterov=nesterov)
    (one, plain), (two, scaled) = (Walk(20).backend(spec, {"sgd.momentum": form}, 0) for form in FORMS["sgd.momentum"])
    assert numpy.allclose(one, two, rtol=1e-14, atol=1e-14)
    assert numpy.allclose(scaled["velocity"], -spec.learning_rate * plain["velocity"], rtol=1e-14, atol=0)


def test_adam_forms() -> None:
    """Hat is plain with epsilon / sqrt(1 - beta_2^t): with beta_2 = 3/4 twice as much at the first step; and they differ."""

    def moved(form: str, epsilon: float) -> Any:
        spec = Adam(learning_rate=0.01, beta_1=0.5, beta_2=0.75, epsilon=epsilon)
        return Walk(1).backend(spec, {"adam.epsilon": form}, 0)[0]

    hat, plain, double = moved("hat", 2.0**-10), moved("plain", 2.0**-10), moved("plain", 2.0**-9)
    assert numpy.allclose(hat, double, rtol=1e-15, atol=1e-17)
    assert abs(hat - plain).max() > 1e-4


@pytest.mark.parametrize(
    "name", ["sgd", "nesterov", "adam", "nadam", "adadelta", "lion", "rmsprop momentum", "everything", "coupled"]
)
def test_blocks(name: str) -> None:
    """Working in blocks changes nothing: a buffer of two and a half blocks moves as its parts do."""
    spec, size = dataclasses.replace(SPECS[name], global_clip_norm=None), optimizers.BLOCK * 5 // 2
    walk = Walk(2, (size,))
    whole, slots = walk.backend(spec, {}, 0)
    assert all(slot.shape == whole.shape for slot in slots.values())
    for part in (slice(0, 7), slice(optimizers.BLOCK - 3, optimizers.BLOCK + 4), slice(size - 5, size)):
        piece = Walk(2, (part.stop - part.start,))
        piece.start, piece.gradients = walk.start[part], [g[part] for g in walk.gradients]
        alone, kept = piece.backend(spec, {}, 0)
        assert numpy.array_equal(whole[part], alone)
        assert all(numpy.array_equal(slots[slot][part], kept[slot]) for slot in slots)


def test_blocks_fit_the_cache() -> None:
    """No block of a long buffer is longer than the others, none empty; of LAMB each parameter is one."""
    flat = numpy.zeros(optimizers.BLOCK * 2)
    for name, lengths in (("adam", [optimizers.BLOCK] * 2), ("lamb", [optimizers.BLOCK * 2])):
        found = optimizers.optimizer(
            program(SPECS[name], {}, (len(flat),)), flat, flat.copy(), lambda flat: {"dense_0/kernel": flat}
        )
        assert [len(block[0]) for block in found.blocks] == lengths


@pytest.mark.parametrize("sizes", [(), (1,), (optimizers.BLOCK + 1,)], ids=len)
def test_few_parameters(sizes: tuple[int, ...]) -> None:
    """None, one alone, and one behind a whole block: all of them move."""
    walk = Walk(1, sizes)
    moved, _ = walk.backend(SPECS["sgd"], {}, 0)
    assert numpy.array_equal(moved, walk.start - SPECS["sgd"].learning_rate * walk.gradients[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_rates_are_not_rounded_on_their_way(dtype: str) -> None:
    """A schedule's factor is computed in double precision for float32 too, in long double for long double."""
    spec, wide = SGD(learning_rate=0.1, schedule=Cosine(over=37)), numpy.longdouble if dtype == "longdouble" else float
    flat = numpy.zeros(2, dtype)
    moved = optimizers.optimizer(program(spec, {}, (2,)), flat, flat.copy(), Walk(0, (2,)).views)
    for done in (3, 11, 30):
        moved.update(done)
        right = wide(spec.learning_rate) * (1 + numpy.cos(numpy.pi * (wide(done) / 37))) / 2
        assert abs(moved.rate - right) <= numpy.finfo(dtype).eps * right / 2 + numpy.finfo(wide).eps * 0.1, done


def test_size_of_complex_numbers() -> None:
    """By the sign of the real part; of nothing it is nothing."""
    found = optimizers.absolute(numpy.array([-2 + 1e-20j, 0, 3 - 1e-20j]), numpy.empty(3, complex))
    assert numpy.array_equal(found, [2 - 1e-20j, 0, 3 - 1e-20j])


def test_jumps_between_steps() -> None:
    """A program may be loaded at any step, also backwards: NAdam's product of momenta starts again."""
    walk, spec = Walk(1), SPECS["nadam"]
    flat = walk.start.copy(), numpy.zeros(len(walk.start))
    moved = optimizers.optimizer(program(spec, {}, walk.sizes), *flat, walk.views)
    for done in (5, 6, 300, 2, 2, 0):
        flat[0][...], flat[1][...] = walk.start, walk.gradients[0]
        for slot in moved.slots.values():
            slot[...] = 0
        moved.update(done)
        assert numpy.array_equal(flat[0], walk.backend(spec, {}, done)[0])


@pytest.mark.parametrize("done", [0, 37])
@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.gradient_accumulation_steps == 1])
def test_shared_rules(name: str, done: int) -> None:
    """`updated` behind `clipped` is the textbook's canonical form, with numpy's functions."""
    spec, walk = SPECS[name], Walk(4)
    right = walk.textbook(spec, {}, done)
    parameters = walk.views(walk.start.copy())
    slots = {
        parameter: {slot: numpy.zeros(array.shape) for slot in active_slots(spec)} for parameter, array in parameters.items()
    }
    for count, gradient in enumerate(walk.gradients, done + 1):
        gradients = clipped(spec, list(walk.views(gradient).values()), numpy)
        for (parameter, array), g in zip(parameters.items(), gradients, strict=True):
            parameters[parameter], slots[parameter] = updated(spec, array, g, slots[parameter], count, numpy)
    flat = {slot: numpy.concatenate([kept[slot].ravel() for kept in slots.values()]) for slot in active_slots(spec)}
    assert off((numpy.concatenate([array.ravel() for array in parameters.values()]), flat), right, walk.start) < OPTIMIZER
