"""Errors, floors and verdicts: their laws, and their power. Clean arms are never accused and planted faults always are."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backends.numpy import Program
from harness.interface import KINDS, LIMIT, Arrays, Batch, Floor, State, error, errors, floors, norm
from harness.numeric.agreement import compare, conclusion
from harness.numeric.diagnosis import tell
from harness.numeric.trajectory import INFINITE, spread, trajectory
from harness.numeric.words import AMPLIFIED, RIGHT, bits, told, word
from harness.spec import SGD, Adam, Dense, ProgramSpec
from harness.spec import layers as kinds
from harness.spec import losses as loss_kinds
from harness.spec.graph import wired
from harness.worker.numeric import forced_step

CHECKED = settings(max_examples=100, deadline=None, derandomize=True)
NUMBERS = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
TENSORS = arrays.arrays(numpy.float64, arrays.array_shapes(max_dims=3, max_side=5), elements=NUMBERS)

# errors ---------------------------------------------------------------------------------------------------------------------


@CHECKED
@given(TENSORS, st.floats(1e-9, 0.5))
def test_error_is_relative(tensor: Any, size: float) -> None:
    """A tensor that is too large by a share has this share as its error, at any scale; the tensor itself has none."""
    assert error(tensor, tensor) == 0
    if tensor.any():
        assert error(tensor * (1 + size), tensor) == pytest.approx(size, rel=1e-6)
        assert error(tensor * 2.0**20, tensor * 2.0**20) == 0
        other = tensor + size * numpy.sin(numpy.arange(tensor.size)).reshape(tensor.shape)
        assert error(other * 4.0, tensor * 4.0) == error(other, tensor)


@CHECKED
@given(TENSORS)
def test_error_from_zero_is_absolute(tensor: Any) -> None:
    """Where the reference is zero the error is the length of what was found."""
    assert error(tensor, numpy.zeros_like(tensor)) == norm(tensor)
    assert norm(tensor) == pytest.approx(math.sqrt(float((tensor**2).sum())))


@CHECKED
@given(TENSORS)
def test_misshapen_is_invalid(tensor: Any) -> None:
    """A tensor that is missing or has another shape is infinitely far, also where numpy would broadcast it."""
    assert error(None, tensor) == math.inf
    assert error(tensor[None], tensor) == math.inf
    assert error(tensor.ravel()[:1], numpy.zeros((2, 2))) == math.inf
    assert errors({}, {"loss": tensor}) == {"loss": math.inf}


@pytest.mark.filterwarnings("ignore:invalid value")
@CHECKED
@given(TENSORS, st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(0, 10**6))
def test_not_finite(tensor: Any, bad: float, place: int) -> None:
    """A number that is not finite where the reference's is, or the other way round, is infinitely far; in the same places it
    does not count, whatever kind it is."""
    broken = tensor.copy()
    broken.flat[place % tensor.size] = bad
    assert error(broken, tensor) == math.inf
    assert error(tensor, broken) == math.inf
    assert error(broken, broken) == 0
    if tensor.size > 1:
        other = broken.copy()
        other.flat[(place + 1) % tensor.size] = bad
        assert error(other, broken) == math.inf


def test_errors_reads_every_tensor_of_the_reference() -> None:
    """Tensors that only the arm has do not count; formats mix: float32 against float64, scalars against arrays of no axes."""
    found = errors({"a": numpy.float32(0.1), "more": 1.0}, {"a": numpy.float64(0.1), "b": numpy.zeros(2)})
    assert found["b"] == math.inf
    assert found["a"] == pytest.approx(1.49e-8, rel=0.01)
    assert set(found) == {"a", "b"}


# floors and verdicts --------------------------------------------------------------------------------------------------------


SIZES = st.floats(0, 1e-3)


@CHECKED
@given(st.lists(SIZES, min_size=1, max_size=20), st.lists(SIZES, max_size=5), st.sampled_from(["float32", "float64"]))
def test_floors(replicas: list[float], sequential: list[float], dtype: str) -> None:
    """The floor is the root mean square of the replicas; the ceiling the largest of all, and never below the rounding of one
    number."""
    found = floors([{"a": size} for size in replicas], [{"a": size} for size in sequential], dtype)["a"]
    assert found.floor == pytest.approx(math.sqrt(sum(size**2 for size in replicas) / len(replicas)))
    highest, eps = max([*replicas, *sequential]), float(numpy.finfo(dtype).eps)
    assert found.ceiling == highest if highest > eps else eps / 2 <= found.ceiling <= eps


@CHECKED
@given(st.floats(0, 1), st.floats(1e-18, 1), st.floats(0, 1))
def test_words(size: float, ceiling: float, share: float) -> None:
    """Bitwise, rounding up to LIMIT floors, weak rounding up to LIMIT ceilings, differs beyond."""
    floor = share * ceiling
    expected = (
        "bitwise"
        if size == 0
        else "rounding"
        if size <= LIMIT * floor
        else "weak rounding"
        if size <= LIMIT * ceiling
        else "differs"
    )
    assert word(size, floor, ceiling) == expected
    assert word(LIMIT * ceiling, 0.0, ceiling) == "weak rounding"
    assert word(math.nextafter(LIMIT * ceiling, 2 * LIMIT), floor, ceiling) == "differs"


@pytest.mark.parametrize("size", [math.inf, math.nan])
def test_invalid(size: float) -> None:
    """What is infinitely far or unknown is invalid, however high the ceiling."""
    assert word(size, math.inf, math.inf) == "invalid"


def test_what_the_other_format_tells() -> None:
    """In float32, wrong in float64 too: semantic; right there: reduced precision; unknown: undecided, unless it is further off than the
    shortest arithmetic. In float64, what float32 would do is a leak."""
    row = {"verdict": "differs", "error": 1e-3, "ceiling": 1e-7}
    assert told(row, "float32", {"error": 1e-3, "ceiling": 1e-16}) == "semantic"
    assert told(row, "float32", {"error": 3e-16, "ceiling": 1e-16}) == "reduced precision"
    assert told(row, "float32", None) == "undecided"
    assert told({**row, "error": 0.1}, "float32", None) == "semantic"
    row = {"verdict": "differs", "error": 1e-8, "ceiling": 1e-16}
    assert told(row, "float64", {"ceiling": 1e-7}) == "float32 leak"
    assert told({**row, "error": 1e-6}, "float64", {"ceiling": 1e-7}) == "semantic"
    assert told(row, "float64", None) == "semantic"
    assert {told({"verdict": kept}, "float32", None) for kept in (*RIGHT, "invalid")} == {*RIGHT, "invalid"}
    assert (bits(1e-7, 1e-7), bits(2.0**-8, 2.0**-24)) == (24, 8)


def test_compare_and_conclude() -> None:
    """One row a tensor; together they differ if one does, and the first in step and in order of computation is named."""
    right: Arrays = {
        "loss/probe": numpy.float64(2.0), "outputs/dense_1": numpy.ones(4), "gradients/dense_1/kernel": numpy.ones(4),
        "updates/dense_1/kernel": numpy.zeros(2),
    }  # fmt: skip
    floor = {name: Floor(1e-7, 2e-7) for name in right}
    clean = compare(0, {name: numpy.asarray(array) * (1 + 3e-7) for name, array in right.items()}, right, floor)
    assert [row["kind"] for row in clean] == ["loss", "outputs", "gradients", "updates"]
    assert [row["tensor"] for row in clean] == ["probe", "dense_1", "dense_1/kernel", "dense_1/kernel"]
    assert {row["verdict"] for row in clean} == {"rounding", "bitwise"}
    assert conclusion(clean)["verdict"] == "agrees"
    assert conclusion(clean)["first"] is None
    assert conclusion(clean)["largest_ratio"] == pytest.approx(3, rel=1e-6)
    wrong = {**right, "outputs/dense_1": numpy.ones(4) * (1 + 1e-5), "gradients/dense_1/kernel": numpy.ones(3)}
    found = conclusion([*compare(7, wrong, right, floor), *compare(3, {**right, "loss/probe": math.nan}, right, floor), *clean])
    assert found["verdict"] == "differs"
    assert found["first"] is not None
    assert (found["first"]["step"], found["first"]["kind"], found["first"]["tensor"]) == (3, "loss", "probe")
    assert found["largest_ratio"] == math.inf
    assert set(KINDS) == {"outputs", "loss", "output_gradients", "gradients", "updates", "slots", "statistics"}
    assert conclusion([])["verdict"] == "agrees"


def test_probes_are_judged_too() -> None:
    """A probe that differs makes an arm differ, but only after the steps of the training is it named; what becomes of an infinity is told
    and not judged; a step at which every node is right by itself amplifies rounding, and agrees."""

    def row(step: int | str, verdict: str, kind: str = "outputs", ratio: float = 1.0) -> dict[str, Any]:
        sizes = {"error": 1e-7, "floor": 1e-7, "ceiling": 1e-7, "ratio": ratio}
        return {"step": step, "kind": kind, "tensor": "dense_1", **sizes, "verdict": verdict}

    rows = [row(0, "rounding"), row("zeros", "rounding", ratio=math.inf), row(INFINITE, "invalid", "loss")]
    found = conclusion(rows)
    assert (found["verdict"], found["largest_ratio"], found["differs_at_infinity"]) == ("agrees", 1.0, True)
    assert (found["probes"], found["words"]) == (["zeros"], {"rounding": 2})
    rows += [row("far", "differs"), row(7, "differs", "loss"), row(3, "differs")]
    assert conclusion(rows)["first"]["step"] == 3
    assert conclusion(rows[:4])["first"]["step"] == "far"
    tell(rows, "float32", {3: {"outputs/dense_1": {"error": 1.0, "ceiling": 1e-16}}}, ["far", 7])
    assert [row["verdict"] for row in rows[3:]] == [AMPLIFIED, AMPLIFIED, "semantic"]
    assert conclusion(rows[:5])["verdict"] == "agrees"
    assert conclusion(rows)["verdict"] == "differs"



# forced steps ---------------------------------------------------------------------------------------------------------------


@CHECKED
@given(st.integers(1, 10**6))
def test_spread(total: int) -> None:
    """Forced steps rise from the first to the last, few, and denser at the start."""
    steps = spread(total)
    assert steps[0] == 0
    assert steps[-1] == total - 1
    assert steps == sorted(set(steps))
    assert len(steps) <= 8
    gaps = numpy.diff(steps)
    assert (numpy.diff(gaps) >= -1).all()


def test_trajectory() -> None:
    """Steps that are asked for are taken where the run has them; too many for the disk are thinned, and that is said."""
    small, large = net(8), net(3000)
    assert trajectory(small, 10, (3, 3, 1, 99), 4).steps == (1, 3)
    assert trajectory(small, 10, None, 4).note == ""
    thinned = trajectory(large, 1000, tuple(range(50)), 4)
    assert 0 < len(thinned.steps) < 50
    assert f"{len(thinned.steps)} of 50 forced steps" in thinned.note
    assert (thinned.probes, "no directed probes" in thinned.note) == (False, True)
    assert trajectory(small, 10, None, 4).probes
    assert trajectory(small, 10, None, 4).replicas > thinned.replicas >= 4


# power ----------------------------------------------------------------------------------------------------------------------


def net(width: int, optimizer: Any = None) -> ProgramSpec:
    """A small net for digits."""
    tanh, relu = kinds.Tanh(), kinds.Relu()
    layers = (Dense(units=width, activation=tanh), Dense(units=width, activation=relu), Dense(units=10))
    return ProgramSpec(wired(layers, (16,)), loss_kinds.SoftmaxCrossEntropy(), optimizer or SGD(learning_rate=0.1), "integer")


def states(spec: ProgramSpec, count: int) -> list[tuple[State, Batch]]:
    """States along a training, in numbers that float32 can hold, each with its batch."""
    random = numpy.random.Generator(numpy.random.Philox(11))

    def single(values: Any) -> Any:
        return numpy.asarray(values, numpy.float32)

    program = Program(spec, "float64", "cpu", "")
    zero = {name: {item.name: numpy.zeros(item.shape) for item in spec.parameters} for name in program.state().slots}
    program.load(
        State({item.name: random.standard_normal(item.shape) / item.shape[0] ** 0.5 for item in spec.parameters}, zero, 0)
    )
    found = []
    for step in range(30 * count):
        batch = Batch(single(random.standard_normal((32, 16))), random.integers(0, 10, 32), {})
        if step % 30 == 0:
            now = program.state()
            parameters, *slots = (
                {name: single(array) for name, array in group.items()} for group in (now.parameters, *now.slots.values())
            )
            found.append((State(parameters, dict(zip(now.slots, slots, strict=True)), now.step), batch))
        program.train(program.stage([batch]), 1)
    return found


class Measured:
    """Reference, floors and held-out clean replicas of a net at some states."""

    def __init__(self, spec: ProgramSpec, dtype: str, count: int) -> None:
        self.tried = states(spec, count)

        def run(mode: str, kind: str) -> list[Arrays]:
            program = Program(spec, kind, "cpu", mode)
            return [forced_step(program, spec, batch, state) for state, batch in self.tried]

        def off(mode: str) -> list[dict[str, float]]:
            return [errors(found, right) for found, right in zip(run(mode, dtype), self.right, strict=True)]

        self.right = run("", "float64")
        replicas = [off(f"replica-{seed}") for seed in range(16)]
        sequential = [off(f"sequential-{seed}") for seed in range(4)]
        self.floors = [
            floors([one[index] for one in replicas], [one[index] for one in sequential], dtype)
            for index in range(len(self.tried))
        ]
        self.plain = run("", dtype)
        held_out = [*(f"replica-{seed}" for seed in range(100, 112)), *(f"sequential-{seed}" for seed in range(100, 108)), ""]
        self.clean = [off(mode) for mode in held_out]


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    """Both formats of one net, momentum and Adam."""
    return {
        "float32": Measured(net(16), "float32", 6),
        "float32 adam": Measured(net(16, Adam(learning_rate=0.01, epsilon=1e-3)), "float32", 6),
        "float64": Measured(net(16), "float64", 3),
    }


def clean_sizes(measured: dict[str, Measured], scalars: bool) -> list[tuple[float, str]]:
    """Errors of held-out replicas, sequential ones among them, and of the plain arithmetic: in ceilings, with their verdicts."""
    return [
        (size / floor[name].ceiling, word(size, *floor[name]))
        for found in measured.values()
        for arm in found.clean
        for sizes, floor in zip(arm, found.floors, strict=True)
        for name, size in sizes.items()
        if name.startswith("loss/") == scalars
    ]


def test_clean_arms_are_never_accused(measured: dict[str, Measured]) -> None:
    """No tensor of a clean arm differs, of thousands; the largest stays far below the limit."""
    sizes = clean_sizes(measured, scalars=False)
    print(f"{len(sizes)} clean tensors, the largest error {max(sizes)[0]:.2f} ceilings")
    assert len(sizes) > 2000
    assert {found for _, found in sizes} <= {*RIGHT}
    assert max(sizes)[0] < LIMIT * 0.6


def test_clean_losses_are_never_accused(measured: dict[str, Measured]) -> None:
    """No loss of a clean arm differs. With half an eps as the least ceiling 18 of 12800 sequential ones do; with an eps none."""
    assert {found for _, found in clean_sizes(measured, scalars=True)} <= {*RIGHT}


PLANTED = {"float32": (1e-4, 1e-5), "float32 adam": (1e-4, 1e-5), "float64": (1e-11, 1e-13)}


@pytest.mark.parametrize("kind", ["all", "one", "random"])
def test_planted_faults_are_always_found(measured: dict[str, Measured], kind: str) -> None:
    """A gradient that is wrong by 1e-4 or 1e-5 of its length (float64: 1e-11, 1e-13) differs: in all its numbers alike, in its
    largest one, or at random, on top of honest rounding."""
    random = numpy.random.Generator(numpy.random.Philox(12))
    tensors, missed = 0, []
    for name, found in measured.items():
        for plain, right, floor in zip(found.plain, found.right, found.floors, strict=True):
            for tensor in (tensor for tensor in right if tensor.split("/")[0] in ("gradients", "output_gradients")):
                for size in PLANTED[name]:
                    tensors += 1
                    wrong = plain[tensor] + numpy.asarray(fault(right[tensor], kind, random) * size, plain[tensor].dtype)
                    if word(error(wrong, right[tensor]), *floor[tensor]) != "differs":
                        missed.append((name, tensor, size, floor[tensor].ceiling))
    assert tensors >= 200
    assert not missed, f"{len(missed)} of {tensors}: {missed[:5]}"


def fault(tensor: Any, kind: str, random: Any) -> Any:
    """A change as long as the tensor."""
    if kind == "all":
        return tensor
    change = random.standard_normal(tensor.shape)
    if kind == "one":
        change = numpy.zeros(tensor.shape)
        change.flat[abs(tensor).argmax()] = 1
    return change / norm(change) * norm(tensor)


def test_what_can_be_seen(measured: dict[str, Measured]) -> None:
    """The smallest fault that is surely seen: five ceilings, in float32 below 1e-5 for every gradient of this net."""
    for name, limit in (("float32", 1e-5), ("float32 adam", 1e-5), ("float64", 1e-13)):
        seen = [
            (LIMIT + 1) * floor[tensor].ceiling
            for floor in measured[name].floors
            for tensor in floor
            if tensor.startswith("gradients/")
        ]
        print(f"{name}: gradients wrong by {min(seen):.1e} to {max(seen):.1e} are seen, median {numpy.median(seen):.1e}")
        assert max(seen) < limit
