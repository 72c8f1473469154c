"""Every adapter obeys the same laws, in every number format, eagerly and compiled; and the suite sees whatever does not."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

import backends.numpy
from harness.errors import UsageError
from harness.interface import Batch, State
from harness.numeric.known import FILE, conclude, known_of, read_known
from harness.numeric.laws import Tried, try_laws
from harness.registry import backend, parse
from harness.registry import backends as known_backends
from harness.spec import Spec
from harness.worker.conformance import all_items, cases, check, items, specs_in

from .conftest import Command

ROOT = Path(__file__).parents[1]

#: everything eagerly in float64; the first case of every item eagerly in float32, and compiled, which takes a second a program, in JAX
#: and in one of two that share much; a few cases of what shares its code with those. The whole grid is benchmarks.conformance
EVERYTHING: tuple[str, ...] = ()
FIRST = tuple(dict.fromkeys(names[0] for names in items().values()))
FEW = ("softmax integer", "model cnn", "model lstm", "model transformer")
ARMS = {
    ("numpy", "float64"): EVERYTHING, ("numpy", "float32"): FIRST,
    ("torch", "float64"): EVERYTHING, ("torch", "float32"): FIRST,
    ("jax", "float64"): FIRST, ("jax", "float32"): FEW,
    ("tensorflow", "float32"): FIRST[::2], ("tensorflow", "float64"): FEW,
    ("keras", "float32"): FIRST[1::2], ("keras", "float64"): FEW,
    ("keras:torch", "float32"): FEW, ("keras:torch", "float64"): FEW[:1],
    ("keras:jax", "float32"): FEW[:2], ("keras:jax", "float64"): FEW[:1],
    ("tensorflow:xla", "float64"): FEW[:2], ("torch:compile", "float32"): FEW[:1],
}  # fmt: skip


# the arms -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Tried]]]:
    """What is found of the arms that are asked for, two workers at a time; the reference's tensors are shared."""
    cache = tmp_path_factory.mktemp("cache")
    items: list[Any] = [item for item in request.session.items if getattr(item, "originalname", "") == "test_laws"]
    wanted = [item.callspec.params for item in items]
    with ThreadPoolExecutor(2) as pool:
        yield {
            (one["arm"], one["dtype"]): pool.submit(
                try_laws, parse(one["arm"]), one["dtype"], ARMS[one["arm"], one["dtype"]], cache=cache
            )
            for one in wanted
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("arm", "dtype"), ARMS)
def test_laws(results: dict[tuple[str, str], Future[Tried]], arm: str, dtype: str) -> None:
    """No law is broken and nothing is unsupported but what is recorded; what is recorded is still so."""
    if arm == "torch:compile" and not any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "g++", "clang++")):
        pytest.skip("torch.compile needs a C++ compiler, and none is here")
    found = conclude(parse(arm), {dtype: results[arm, dtype].result()}, known_of(backend(parse(arm))))
    problems = [f"{row.case}: {problem['text']}" for row in found.rows for problem in row.problems]
    assert not problems, "\n".join(problems)
    assert not found.stale, "\n".join(found.stale)
    held = [row.error for row in found.rows if row.state == "holds" and row.error is not None]
    assert dtype == "float32" or max(held, default=0.0) < 1e-12


# the cases ------------------------------------------------------------------------------------------------------------------


def test_every_item_has_a_case() -> None:
    """No type of any family is without a case that is about it."""
    assert [item for item, names in items().items() if not names] == []
    assert set(all_items()) >= {item for case in cases().values() for item in case.uses}


def options(cls: type[Spec]) -> Iterator[tuple[str, object]]:
    """What has to appear of a type: each of an option's choices, both values of a switch, another value than the default of all else."""
    for field in dataclasses.fields(cls):
        start = field.name.endswith("_initializer") or field.name in ("unit_forget_bias", "name", "inputs", "to", "units")
        if start or (cls.type in ("adamw", "lamb") and field.name == "decoupled"):
            continue  # how a parameter starts is no matter of an adapter's; the others are in every case
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        values = field.metadata.get("choices") or ((True, False) if isinstance(default, bool) else ("another",))
        yield from ((field.name, value) for value in values)


def test_every_option_is_used() -> None:
    """Each type is tried with each choice, with both values of each switch, and with another value than the default of all else."""
    used: dict[type[Spec], list[Spec]] = {}
    for case in cases().values():
        for spec in specs_in((*case.layers, case.spec.loss, case.spec.optimizer)):
            used.setdefault(type(spec), []).append(spec)
    missing = []
    for cls, specs in used.items():
        for name, value in options(cls):
            default = next(field.default for field in dataclasses.fields(cls) if field.name == name)
            values = [getattr(spec, name) for spec in specs]
            if value not in values and not (value == "another" and any(found != default for found in values)):
                missing.append(f"{cls.__name__}.{name} = {value}")
    assert missing == []


def test_every_loss_is_tried_with_every_encoding_and_reduction() -> None:
    """Each encoding of targets, each reduction, with and without sample weights."""
    for loss in {case.spec.loss.type: type(case.spec.loss) for case in cases().values()}.values():
        mine = [case.spec for case in cases().values() if type(case.spec.loss) is loss]
        assert {spec.targets for spec in mine} == set(loss.targets), loss.type
        assert {spec.loss.reduction for spec in mine} == {"mean", "weighted_mean", "sum"}, loss.type
        assert {spec.weighted for spec in mine} == {True, False}, loss.type


# the suite sees what is wrong -----------------------------------------------------------------------------------------------


def wrong(**methods: Callable[..., Any]) -> Any:
    """The numpy adapter with other methods; each gets the right one first."""

    class Program(backends.numpy.Program):
        pass

    def replaced(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        right = getattr(backends.numpy.Program, name)
        return lambda self, *args, **words: method(lambda *given: right(self, *given), self, *args, **words)

    for name, method in methods.items():
        setattr(Program, name, replaced(name, method))
    return SimpleNamespace(supports=backends.numpy.supports, FORMS=backends.numpy.FORMS, Program=Program)


def broken(adapter: Any, case: str, dtype: str = "float32") -> str:
    """What the suite says of an adapter."""
    return "\n".join(problem["text"] for problem in check(adapter, dtype, "cpu", "", case, 1)["broken"])


def scaled(group: str, factor: float, only: str = "") -> Any:
    """An adapter whose probe is wrong in one group of tensors."""

    def probe(right: Any, self: Any, batch: Batch) -> Any:
        found = right(batch)
        value = getattr(found, group)
        if isinstance(value, dict):
            value = {name: array * array.dtype.type(factor if only in name else 1) for name, array in value.items()}
        else:
            value = value * factor
        return dataclasses.replace(found, **{group: value})

    return wrong(probe=probe)


def after(change: Callable[[Any], None]) -> Callable[..., Any]:
    """A method that changes the program behind itself."""

    def method(right: Any, self: Any, *args: Any) -> Any:
        found = right(*args)
        change(self)
        return found

    return method


def other_state(**changes: Callable[[Any], Any]) -> Any:
    """An adapter whose state() is wrong in some of its groups."""

    def state(right: Any, self: Any) -> State:
        found: State = right()
        return dataclasses.replace(found, **{group: change(getattr(found, group)) for group, change in changes.items()})

    return wrong(state=state)


def times(factor: float) -> Callable[[Any], Any]:
    """Nested arrays times a factor."""

    def change(value: Any) -> Any:
        return (
            {name: change(part) for name, part in value.items()} if isinstance(value, dict) else value * value.dtype.type(factor)
        )

    return change


def unmasked(right: Any, self: Any, batches: Any) -> Any:
    """Batches without their masks."""
    return right([dataclasses.replace(batch, masks=None) for batch in batches])


def trained(batches: int = 9, more: int = 0, every: int = 0) -> Any:
    """An adapter that trains on the first batches only, some steps more, or reads its loss at other steps."""

    def train(right: Any, self: Any, staged: Any, steps: int, read_every: int = 1) -> Any:
        return right(staged[:batches], steps + more, every or read_every)

    return wrong(train=train)


def bump(self: Any) -> None:
    """A parameter changes a little."""
    next(iter(self.parameters.values())).flat[0] += 1


def spoil_staged(right: Any, self: Any, staged: Any, steps: int, read_every: int = 1) -> Any:
    """Training that writes into its batches."""
    found = right(staged, steps, read_every)
    staged[0].inputs[...] = 0
    return found


def aliased(right: Any, self: Any, batches: Any) -> Any:
    """Staged batches that are the given ones."""
    staged = right(batches)
    staged[0].inputs = batches[0].inputs
    return staged


def alive(right: Any, self: Any) -> State:
    """Parameters as they are, not copied."""
    found: State = right()
    return dataclasses.replace(found, parameters=self.parameters)


def reused(right: Any, self: Any, batch: Batch) -> Any:
    """A probe that writes into the arrays of the one before."""
    found = right(batch)
    if not hasattr(self, "before"):
        self.before = found
    for name, array in found.outputs.items():
        self.before.outputs[name][...] = array
    return self.before


def one_output(right: Any, self: Any, staged: Any) -> Any:
    """Predictions that write into the array of those before."""
    found = right(staged)
    if not hasattr(self, "outputs"):
        self.outputs = [numpy.array(output) for output in found]
    for kept, output in zip(self.outputs, found, strict=False):
        kept[...] = output
    return self.outputs[: len(found)]


def masked_inference(right: Any, self: Any, staged: Any) -> Any:
    """Masks where there should be none."""
    found = right(staged)
    return [output if batch.masks is None else output * 2 for batch, output in zip(staged, found, strict=True)]


def nothing_drawn(right: Any, self: Any, batch: Batch) -> None:
    """Masks of ones where the program should draw its own."""
    ones = {node.name: numpy.ones((len(batch.inputs), *node.draw_shape), "float32") for node in self.spec.random_nodes}
    right(batch if batch.masks is not None else dataclasses.replace(batch, masks=ones))


def at_kinks(right: Any, self: Any, batch: Batch) -> Any:
    """A gradient of one where the input is zero."""
    found = right(batch)
    found.input_gradient[batch.inputs == 0] = 1
    return found


def forgotten(right: Any, self: Any, staged: Any, steps: int, read_every: int = 1) -> Any:
    """Training that leaves the moving statistics as they were."""
    before = {name: array.copy() for name, array in self.statistics.items()}
    found = right(staged, steps, read_every)
    for name, array in before.items():
        self.statistics[name][...] = array
    return found


def slow_slots(right: Any, self: Any, staged: Any, steps: int, read_every: int = 1) -> Any:
    """Training that makes a slot a little too long."""
    found = right(staged, steps, read_every)
    for slot in self.optimizer.slots.values():
        slot[...] *= slot.dtype.type(1 + 1e-5)
    return found


def biased(right: Any, self: Any, staged: Any, steps: int, read_every: int = 1) -> Any:
    """Training that moves a parameter a little more."""
    found = right(staged, steps, read_every)
    self.flat[0] += 1e-5
    return found


FAULTS: dict[str, tuple[Any, str, str]] = {
    "the state is rounded": (other_state(parameters=times(1 + 1e-6)), "dense", "is not the state that was loaded"),
    "a slot is lost": (other_state(slots=times(0)), "sgd clip_norm accumulates", "is not the state that was loaded"),
    "statistics are lost": (other_state(statistics=times(0)), "batch_normalization", "is not the state that was loaded"),
    "the step is lost": (other_state(step=lambda step: 1), "dense", "is not the state that was loaded"),
    "state() is no copy": (wrong(state=alive), "dense", "state() is no copy"),
    "a parameter is missing": (other_state(parameters=lambda found: {}), "dense", "state() gives parameters without dense_1/kernel"),
    "masks are not staged": (wrong(stage=unmasked), "dropout", "unstage() is not what stage() was given"),
    "staged data are no copy": (wrong(stage=aliased), "dense", "unstage() is not what stage() was given"),
    "probe() changes": (wrong(probe=after(bump)), "dense", "probe() changes the state"),
    "probe() is no copy": (wrong(probe=reused), "dense", "probe() gives no copies"),
    "compile() changes": (wrong(compile=after(bump)), "dense", "compile() changes the state"),
    "predict() changes": (wrong(predict=after(bump)), "dense", "predict() changes the state"),
    "predict() is no copy": (wrong(predict=one_output), "dense", "predict() gives no copies"),
    "predict() reads masks": (wrong(predict=masked_inference), "dropout", "predict() depends on masks"),
    "losses too rarely": (trained(every=5), "dense", "train(5, read_every=2) gives 1 losses and 2 stamps"),
    "one step too many": (trained(more=5), "dense", "is not five steps"),
    "always the first batch": (trained(batches=1), "dense", "continued/dense_1/kernel is off"),
    "train() writes into its data": (wrong(train=spoil_staged), "dense", "training changes what was staged"),
    "nothing is drawn": (wrong(draw=nothing_drawn), "dropout", "nothing random of its own"),
    "a gradient at a kink": (wrong(probe=at_kinks), "kink relu", "output_gradients/input is off"),
    "an output": (scaled("outputs", 1 + 1e-5), "dense", "outputs/dense_1 is off"),
    "a gradient": (scaled("gradients", 1 + 1e-5, "bias"), "dense", "gradients/dense_2/bias is off"),
    "a gradient at an output": (scaled("output_gradients", 1 + 1e-5, "tanh"), "dense", "output_gradients/dense_1/tanh is off"),
    "the gradient at the input": (scaled("input_gradient", 1 + 1e-5), "dense", "output_gradients/input is off"),
    "the loss": (scaled("loss", 1 + 1e-5), "dense", "loss/probe is off"),
    "a slot": (wrong(train=slow_slots), "momentum", "slots/velocity/dense_1/kernel is off"),
    "an update": (wrong(train=biased), "dense", "updates/dense_1/kernel is off"),
    "moving statistics": (wrong(train=forgotten), "batch_normalization", "statistics/batch_normalization_1/moving_mean is off"),
    "inference behind training": (wrong(train=forgotten), "batch_normalization", "outputs/inference behind is off"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    """Each law fails for an adapter that breaks it."""
    adapter, case, words = FAULTS[fault]
    assert words in broken(adapter, case)


def test_a_small_fault_is_seen_in_float64() -> None:
    """1e-12 is held where float32 would see nothing."""
    assert broken(scaled("gradients", 1 + 1e-11), "dense", "float32") == ""
    assert "gradients/dense_1/kernel is off by 1.0e-11" in broken(scaled("gradients", 1 + 1e-11), "dense", "float64")


def test_what_is_zero_but_for_rounding() -> None:
    """A gradient that is nothing but rounding is held against the largest of its kind: not every other rounding of it is a fault, but
    a number that matters is."""
    case = "batch_normalization behind conv2d"
    assert broken(scaled("gradients", -3.0, "conv2d_1/bias"), case, "float64") == ""

    def probe(right: Any, self: Any, batch: Batch) -> Any:
        found = right(batch)
        found.gradients["conv2d_1/bias"] += 1e-9
        return found

    assert "gradients/conv2d_1/bias is off" in broken(wrong(probe=probe), case, "float64")


# what is known --------------------------------------------------------------------------------------------------------------

CASES = {
    "conv": {"about": ["layer/conv2d"], "uses": ["layer/conv2d", "layer/dense"]},
    "conv stride": {"about": ["layer/conv2d"], "uses": ["layer/conv2d"]},
    "dense": {"about": ["layer/dense"], "uses": ["layer/dense"]},
}
OFF = {"broken": [{"text": "step 0: gradients/x is off", "error": 1e-9}], "ratio": 9.0, "error": 1e-9}
GOOD: dict[str, Any] = {"broken": [], "ratio": 1.0, "error": 0.0}
ENTRY = """
[[difference]]
arm = "{arm}"
{what}
kind = "{kind}"
reason = "because"
link = "https://example.org"
{more}
"""


def judged(
    folder: Path, found: dict[str, Any], *, arm: str = "torch", dtype: str = "float64", **words: str
) -> tuple[list[str], list[str]]:
    """Open problems and records out of date, of results and one entry."""
    path = folder / FILE
    given = {"arm": "torch*", "what": 'item = "layer/conv2d"', "kind": "upstream cannot", "more": "", **words}
    path.write_text(ENTRY.format(**given), "utf-8")
    concluded = conclude(parse(arm), {dtype: Tried(CASES, found)}, read_known(path))
    assert concluded.holds == (not concluded.stale and not any(row.problems for row in concluded.rows))
    return [problem["text"] for row in concluded.rows for problem in row.problems], list(concluded.stale)


def test_a_difference_is_recorded(tmp_path: Path) -> None:
    """By item, up to its size, for its number format and arm; everything else stays open."""
    found = {"conv": OFF, "conv stride": GOOD, "dense": GOOD}
    open_now = ["step 0: gradients/x is off"]
    assert judged(tmp_path, found, more="size = 1e-8") == ([], [])
    assert judged(tmp_path, found, more="size = 1e-8", arm="torch:compile") == ([], [])
    assert judged(tmp_path, found, more="size = 1e-8", what='case = "conv"') == ([], [])
    assert judged(tmp_path, found, more="size = 1e-8", arm="jax") == (open_now, [])
    assert judged(tmp_path, found, more='size = 1e-8\ndtype = "float32"') == (open_now, [])
    for more in ("size = 1e-10", "", 'size = 1e-8\nsays = "outputs"'):
        open_problems, stale = judged(tmp_path, found, more=more)
        assert open_problems == open_now
        assert "layer/conv2d in float64 does not differ any more" in stale[0]


def test_what_is_unsupported_is_recorded(tmp_path: Path) -> None:
    """An entry without a size is about what cannot be done, not about numbers."""
    lacks = {"unsupported": ["no translation of the layer 'conv2d'"]}
    found = {"conv": lacks, "conv stride": lacks, "dense": GOOD}
    assert judged(tmp_path, found) == ([], [])
    assert judged(tmp_path, found, more='says = "conv2d"') == ([], [])
    assert judged(tmp_path, found, more="size = 1.0")[0] == ["unsupported: no translation of the layer 'conv2d'"] * 2


def test_what_is_gone_has_to_be_deleted(tmp_path: Path) -> None:
    """An item that holds is out of date, but only when all its cases were tried; so is an item that there is not."""
    assert judged(tmp_path, {"conv": GOOD, "conv stride": GOOD}, more="size = 1.0")[1]
    assert judged(tmp_path, {"conv": GOOD}, more="size = 1.0") == ([], [])
    assert judged(tmp_path, {"conv": OFF}, more="size = 1.0", what='item = ["layer/conv2d", "layer/dense"]') == ([], [])
    everything = {"conv": OFF, "conv stride": GOOD, "dense": GOOD}
    assert "layer/dense" in judged(tmp_path, everything, more="size = 1.0", what='item = ["layer/conv2d", "layer/dense"]')[1][0]
    assert "there is no layer/cov2d" in judged(tmp_path, everything, what='item = "layer/cov2d"')[1][0]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"kind": "perhaps"}, '"perhaps" is no kind'),
        ({"what": ""}, 'give "item" or "case"'),
        ({"more": "sise = 1"}, 'there is no key "sise"'),
        ({"more": 'dtype = "float16"'}, '"dtype" must be float32 or float64'),
        ({"kind": ""}, '"kind" is missing'),
    ],
)
def test_an_entry_that_is_wrong(tmp_path: Path, words: dict[str, str], expected: str) -> None:
    """Its file and line are named."""
    with pytest.raises(UsageError) as problem:
        judged(tmp_path, {}, **words)
    assert expected in str(problem.value)
    assert f"{FILE}:2" in str(problem.value)


def test_the_shipped_entries() -> None:
    """Each is about an arm that there is, and about something that there is."""
    arms = [parse(f"{found.name}:{mode}" if mode else found.name) for found in known_backends().values() for mode in found.modes]
    for entry in known_of(known_backends()["numpy"]):
        assert any(entry.of(arm) for arm in arms), entry.place
        for word in entry.items:
            assert fnmatch.filter(all_items(), word), entry.place
        for word in entry.cases:
            assert fnmatch.filter(cases(), word), entry.place


def test_a_plug_in_brings_its_own(tmp_path: Path, harness: Command) -> None:
    """A third party's file is tried with the same suite; what stands beside it, or is named, is known of it."""
    source = (ROOT / "harness" / "templates" / "backend.py").read_text("utf-8").replace("BACKEND", "mine")
    (tmp_path / "mine.py").write_text(source, "utf-8")
    call = ("conformance", "mine", "--backend", tmp_path / "mine.py", "--dtype", "float32", "--quiet")
    conv1d = (*call, "--item", "conv1d")
    done = harness(*conv1d)
    assert done.returncode == 1
    assert "unsupported: no translation of the layer 'conv1d'" in done.stdout
    entry = ENTRY.format(arm="mine", what='item = "layer/conv1d"', kind="not written yet", more="")
    (tmp_path / "more.toml").write_text(entry, "utf-8")
    assert harness(*conv1d, "--known", tmp_path / "more.toml").returncode == 0
    (tmp_path / FILE).write_text(entry, "utf-8")
    done = harness(*conv1d, "--json")
    assert done.returncode == 0, done.stdout
    rows = json.loads(done.stdout)["arms"]["mine"]["cases"]
    assert {row["state"] for row in rows} == {"recorded"}
    (tmp_path / FILE).write_text(entry.replace('item = "layer/conv1d"', 'case = "line"'), "utf-8")
    done = harness(*call, "--case", "line")
    assert done.returncode == 1
    assert f"{FILE}:2: line in float32 does not differ any more" in done.stdout
