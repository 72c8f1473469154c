"""The timing protocol on simulated machines: how often it ranks what is equal, how often it misses what is not. Then on real workers: what
is measured, what is withheld and why. No test looks at how long something takes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest

from harness.errors import ArmFailed, UsageError
from harness.execution.layout import lay_out
from harness.execution.plan import plan
from harness.execution.sweep import points, sweep
from harness.pool import Crew
from harness.records.record import Record
from harness.registry import add_file
from harness.tables.growth import crossings, exponent
from harness.tables.ranking import holm, rank, settled, tiers
from harness.tables.timing import logs, ranking, void
from harness.timing import lane as timing_lane
from harness.timing.engine import Field, Visit, Work, session
from harness.timing.lane import Lane, Point, Right, Timing, block_size, check
from harness.timing.presets import PRESETS, Preset

from .conftest import ROOT, Command

STANDARD = PRESETS["standard"]
STEP = Work("step", "plain")


class Machine:
    """A simulated machine: launches differ, rounds differ, some blocks are struck by something else.

    Args:
        steps: arm -> seconds of a step.
        seed: of all its luck.
        launch, visit: standard deviations of the logarithm, from launch to launch and from visit to visit.
        drift: by which the machine slows down from visit to visit.
    """

    def __init__(self, steps: Mapping[str, float], seed: int, launch: float = 0.006, visit: float = 0.03, drift: float = 0.0) -> None:
        self.steps, self.random = steps, numpy.random.default_rng(seed)
        self.launch, self.visit, self.drift = launch, visit, drift
        self.rows: list[dict[str, Any]] = []
        self.visits = 0

    @contextmanager
    def opened(self, epoch: int, order: Sequence[str]) -> Iterator[Field]:
        """An epoch: every arm has the luck of its launch."""
        luck = {name: self.random.normal(0, self.launch) for name in order}

        def block(name: str, visit: Visit) -> dict[str, Any]:
            self.visits += 1
            noise = self.random.normal(0, self.visit) + (self.random.random() < 0.05) * self.random.exponential(0.3)
            row = {
                "arm": name, "epoch": visit.epoch, "round": visit.number,
                "log": math.log(self.steps[name]) + luck[name] + noise + self.drift * self.visits,
            }  # fmt: skip
            self.rows.append(row)
            return row

        yield {name: partial(block, name) for name in order}

    def logs(self) -> dict[str, Any]:
        """Mean log of the two visits by arm, epoch and round."""
        shape = (1 + max(row["epoch"] for row in self.rows), 1 + max(row["round"] for row in self.rows))
        found = {name: numpy.zeros(shape) for name in self.steps}
        for row in self.rows:
            found[row["arm"]][row["epoch"], row["round"]] += row["log"] / 2
        return found

    def ranked(self, preset: Preset = STANDARD) -> Any:
        """A whole session; the arm called "twin" is the control of the first."""

        def ranking() -> Any:
            logs = self.logs()
            twin = {next(iter(self.steps)): logs.pop("twin")} if "twin" in logs else None
            return rank(logs, preset.target, twin=twin)

        session(list(self.steps), {STEP: preset.rounds}, preset, 0, self.opened, lambda _: settled(ranking(), preset.target))
        return ranking()


def test_what_is_equal_is_not_ranked() -> None:
    """Five equal arms, 100 sessions on a noisy machine: at most one session in a hundred ranks any of its ten pairs, as Holm's correction
    promises; three of a hundred are within its luck."""
    equal = dict.fromkeys(["a", "b", "c", "d", "e"], 1e-3)
    found = [[pair.verdict for pair in Machine(equal, seed).ranked().pairs] for seed in range(100)]
    assert sum("faster" in verdicts or "slower" in verdicts for verdicts in found) <= 3


def test_five_percent_are_found() -> None:
    """An arm with 5 % more, 100 sessions: called slower in at least 90, faster never, and its interval holds 1.05 in at least 90."""
    verdicts, holds = [], 0
    for seed in range(100):
        pair = Machine({"a": 1e-3, "b": 1.05e-3, "twin": 1e-3}, seed).ranked().pair("b", "a")
        verdicts.append(pair.verdict)
        holds += pair.low <= 1.05 <= pair.high
    assert verdicts.count("slower") >= 90
    assert "faster" not in verdicts
    assert holds >= 90


def test_a_drift_strikes_all_alike() -> None:
    """A machine that becomes a third slower in a session ranks nothing."""
    for seed in range(20):
        pair = Machine({"a": 1e-3, "b": 1e-3}, seed, drift=1e-3).ranked().pair("a", "b")
        assert pair.verdict in ("tie", "unresolved", "too noisy")


def test_a_noisy_machine_says_so() -> None:
    """Launches that differ by 10 %: nothing is ranked, at least nine of ten pairs are too noisy, and all epochs are used up in as many."""
    verdicts, epochs = [], []
    for seed in range(30):
        machine = Machine({"a": 1e-3, "b": 1e-3, "twin": 1e-3}, seed, launch=0.1)
        verdicts.append(machine.ranked().pair("a", "b").verdict)
        epochs.append(1 + max(row["epoch"] for row in machine.rows))
    assert verdicts.count("too noisy") >= 27
    assert epochs.count(STANDARD.most) >= 27
    assert not {"faster", "slower"} & {*verdicts}


def test_a_control_that_differs_forbids_a_ranking() -> None:
    """Where one arm in two processes differs from itself by 5 %, nothing counts, however clear it looks."""
    ranking = Machine({"a": 1e-3, "b": 2e-3, "twin": 1.05e-3}, 1).ranked()
    assert "the control differs from itself: a in two processes" in ranking.noisy
    assert [pair.verdict for pair in ranking.pairs] == ["too noisy"]
    assert ranking.tiers == (("a", "b"),)


def test_an_arm_without_a_steady_state_is_not_ranked() -> None:
    """Its pairs are too noisy; the others are ranked."""
    logs = {name: numpy.log(step) + 1e-4 * numpy.random.default_rng(3).normal(size=(5, 5)) * rank_ for rank_, (name, step) in
            enumerate({"a": 1.0, "b": 2.0, "c": 3.0}.items(), 1)}  # fmt: skip
    found = rank(logs, STANDARD.target, restless=["b"])
    assert found.pair("a", "b").verdict == "too noisy"
    assert found.pair("a", "c").verdict == "faster"


def test_one_epoch_ranks_nothing() -> None:
    """Smoke: however far apart two arms are."""
    found = Machine({"a": 1e-3, "b": 9e-3}, 0).ranked(PRESETS["smoke"])
    assert [pair.verdict for pair in found.pairs] == ["indicative"]
    assert found.tiers == (("a", "b"),)
    assert found.pair("b", "a").ratio == pytest.approx(9, rel=0.2)


def test_rounds_are_visited_forth_and_back() -> None:
    """Every round has a random order and its reverse; rounds differ; who was before is said."""
    seen: list[tuple[int, int, str, str]] = []

    @contextmanager
    def opened(epoch: int, order: Sequence[str]) -> Iterator[Field]:
        def visit(name: str, at: Visit) -> dict[str, Any]:
            seen.append((at.number, at.position, name, at.before))
            return {}

        yield {name: partial(visit, name) for name in order}

    session(["a", "b", "c"], {STEP: 20}, PRESETS["smoke"], 7, opened, lambda _: True)
    rounds = [[row[2] for row in seen if row[0] == number] for number in range(20)]
    assert all(names == names[::-1] and {*names} == {"a", "b", "c"} for names in rounds)
    assert len({tuple(names) for names in rounds}) > 3
    assert all(later[3] == earlier[2] for earlier, later in itertools.pairwise(seen))


def test_void_rounds_are_left_out() -> None:
    """A round that is void for one arm counts for none; an epoch without rounds is no sample."""
    random = numpy.random.default_rng(0)
    a, b = random.normal(0, 1e-3, (6, 4)), random.normal(0, 1e-3, (6, 4)) + math.log(1.1)
    b[2, 1], b[5] = math.nan, math.nan
    pair = rank({"a": a, "b": b}, STANDARD.target).pair("b", "a")
    assert pair.epochs == 5
    assert pair.ratio == pytest.approx(1.1, rel=1e-2)


def test_a_clock_that_stands_still_is_refused() -> None:
    """Ratios that are equal to the last bit in every epoch are no measurement."""
    with pytest.raises(ValueError, match="the clock stands still"):
        rank({"a": numpy.zeros((5, 4)), "b": numpy.ones((5, 4))}, STANDARD.target)


def test_holm() -> None:
    """Holm's own example of order: smallest times n, and never falling."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_tiers_are_cut_where_all_is_proved() -> None:
    """a beats c but b does not: then c is in their tier."""
    logs = {
        "a": numpy.random.default_rng(1).normal(0, 1e-3, (6, 5)),
        "b": numpy.random.default_rng(2).normal(math.log(1.012), 8e-3, (6, 5)),
        "c": numpy.random.default_rng(3).normal(math.log(1.03), 1e-3, (6, 5)),
        "d": numpy.random.default_rng(4).normal(math.log(2), 1e-3, (6, 5)),
    }
    found = rank(logs, STANDARD.target)
    assert found.pair("a", "c").verdict == "faster"
    assert found.tiers == (("a", "b", "c"), ("d",)) or found.pair("b", "c").verdict == "faster"
    assert tiers(["d"], {}) == (("d",),)


def test_flags_tell_of_tails_and_load() -> None:
    """Means that say something else than medians, and loud rounds that say something else than quiet ones."""
    random = numpy.random.default_rng(5)
    a, b, loud = random.normal(0, 1e-3, (5, 10)), random.normal(0, 1e-3, (5, 10)), numpy.tile(numpy.arange(10.0), (5, 1))
    plain = rank({"a": a, "b": b}, STANDARD.target, means={"a": a, "b": b}, loud=loud)
    assert plain.pair("a", "b").flags == ()
    tail = rank({"a": a, "b": b}, STANDARD.target, means={"a": a, "b": b + 0.1})
    assert tail.pair("a", "b").flags == ("tail",)
    struck = rank({"a": a, "b": b + 0.1 * (loud > 4.5)}, STANDARD.target, loud=loud)
    assert struck.pair("a", "b").flags == ("load",)


# raw blocks -----------------------------------------------------------------------------------------------------------------


def block(arm: str, epoch: int, number: int, ns: int, **more: Any) -> dict[str, Any]:
    """A block whose steps all take the same."""
    return {"arm": arm, "work": "step", "variant": "plain", "twin": False, "epoch": epoch, "round": number, "ns": [ns] * 9, **more}


def test_blocks_in_which_something_was_compiled_are_void() -> None:
    """So are those that read from the disk: the round counts for no arm."""
    rows = [block(arm, 0, number, 1000) for arm in "ab" for number in range(3) for _ in range(2)]
    rows[0]["compilations"], rows[4]["major_faults"] = 1, 2
    found = logs(rows)
    for arm in "ab":
        assert numpy.isnan(found[arm]).tolist() == [[True, False, True]]
        assert found[arm][0, 1] == pytest.approx(math.log(1e-6))


def test_the_control_is_no_arm() -> None:
    """The second process of an arm stands against its first, and in no pair."""
    luck = numpy.random.default_rng(0)
    rows = [
        block(arm, epoch, number, int(luck.normal(size, 20)), twin=twin)
        for arm, size, twin in (("a", 10_000, False), ("b", 20_000, False), ("a", 10_000, True))
        for epoch in range(5) for number in range(6) for _ in range(2)
    ]  # fmt: skip
    found = ranking(rows, "step", "plain", STANDARD.target)
    assert found is not None
    assert [(pair.a, pair.b, pair.verdict) for pair in found.pairs] == [("a", "b", "faster")]
    assert found.control is not None
    assert (found.control.a, found.control.b) == ("a", "a again")
    assert ranking(rows, "fed", "plain", STANDARD.target) is None


def test_block_size() -> None:
    """Forty milliseconds of fast steps, at least three of slow ones; up to eight are not kept."""
    assert block_size(1e-4, 0.04) == (400, 8)
    assert block_size(1e-2, 0.04) == (8, 1)
    assert block_size(0.5, 0.04) == (3, 1)


# real workers ---------------------------------------------------------------------------------------------------------------

SHORT = Preset(3, 3, 3, 1, 0.002, math.inf, math.inf, True)


def timed(folder: Path, arms: Sequence[str], right: Mapping[str, Right] | None = None) -> tuple[dict[str, Timing], Lane]:
    """A short session of real workers."""
    found = plan(ROOT / "experiments" / "xor.toml", ["train.steps=8"], arms)
    lay_out(found, folder)
    point = Point(found.spec, folder, {arm.name: (right or {}).get(arm.name, Right([], [])) for arm in found.arms})
    lane = Lane(Crew(folder, "cpu", 1, 60), [point], "float32", 3, SHORT, lambda *_: None)
    (timings,) = lane.run(found.arms)
    return timings, lane


def test_what_is_measured(tmp_path: Path) -> None:
    """Fresh processes in every epoch, one arm twice, all works, start-up in stages, memory by phase, and what disturbed each block."""
    timings, lane = timed(tmp_path, ["numpy", "jax"])
    twin = lane.facts["twin"]
    assert [len(lane.facts["epochs"]), twin in timings] == [3, True]
    assert all(facts["peak"] > 0 for facts in lane.facts["epochs"])
    for arm, timing in timings.items():
        assert timing.failure is None
        assert [(facts["epoch"], facts["twin"]) for facts in timing.epochs if not facts["twin"]] == [(0, False), (1, False), (2, False)]
        assert sum(facts["twin"] for facts in timing.epochs) == (3 if arm == twin else 0)
        names = {"import", "build", "first_step", "step", "steady", "cores", "idle", "memory_import", "memory_train", "fed", "inference"}
        assert all(names <= facts.keys() for facts in timing.epochs)
        assert bool(timing.epochs[0]["compile"]) == (arm == "jax")
        works = {(row["work"], row["epoch"], row["round"]) for row in timing.blocks}
        others = {(work, epoch, 0) for work in ("throughput", "fed", "inference", "inference_1") for epoch in range(3)}
        assert works == others | {("step", epoch, number) for epoch in range(3) for number in range(3)}
        assert all(row["ns"] and row["wall"] > 0 and row["compilations"] == 0 for row in timing.blocks)


def test_what_computes_something_else_is_withheld(tmp_path: Path) -> None:
    """A loss that is not the numeric lane's makes an arm's times invalid, and names the step; the other arm goes on."""
    timings, _ = timed(tmp_path, ["numpy", "numpy"], {"numpy#2": Right([0.2640713, 9.0], [1e-4, 1e-4])})
    assert timings["numpy"].failure is None
    status, reason = timings["numpy#2"].failure or ("", "")
    assert status == "invalid"
    assert reason.startswith("timed, its loss at step 1 is 0.26")
    with pytest.raises(ArmFailed, match="step 0"):
        check([math.nan], Right([1.0], [1.0]))


CRASHING = """
import os

from backends.numpy import FORMS, supports, versions
from backends.numpy import Program as Numpy

REQUIRES = {}
MODES = {"": {}}


class Program(Numpy):
    def train(self, staged, steps, read_every=1):
        if steps > 12:  # neither the first steps nor the warm-up: a timed block
            os._exit(1)
        return super().train(staged, steps, read_every)
"""


def test_an_epoch_in_which_an_arm_crashes_does_not_count(tmp_path: Path) -> None:
    """It has a reason; the others' blocks of that epoch are kept and are void, and those behind it count."""
    (tmp_path / "crashing.py").write_text(CRASHING, "utf-8")
    add_file(tmp_path / "crashing.py")
    timings, _ = timed(tmp_path, ["numpy", "crashing"])
    assert (timings["crashing"].failure or ("",))[0] == "crashed"
    assert timings["numpy"].failure is None
    assert {(row["epoch"], void(row)) for row in timings["numpy"].blocks} == {(0, True), (1, False), (2, False)}


def test_more_threads_than_allowed_are_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an arm takes beyond its threads is measured; here nothing at all is allowed."""
    monkeypatch.setattr(timing_lane, "BESIDE", -1.0)
    timings, _ = timed(tmp_path, ["numpy"])
    assert (timings["numpy"].failure or ("",))[0] == "invalid"
    assert "cores where 1 were allowed" in (timings["numpy"].failure or ("", ""))[1]


# sweeps ---------------------------------------------------------------------------------------------------------------------


def test_a_sweep(harness: Command, tmp_path: Path) -> None:
    """Every program in every arm is checked and timed by one worker each, saved, and shown with who is the fastest."""
    words = ("run", "experiments/xor.toml", "--arm", "numpy,torch", "--sweep", "model.width=4,64", "-q", "--results", tmp_path)
    done = harness(*words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(row["model.width"], row["arm"], row["status"]) for row in found["cells"]] == [
        (4, "numpy", "ok"), (4, "torch", "ok"), (64, "numpy", "ok"), (64, "torch", "ok"),
    ]  # fmt: skip
    assert [row["parameters"] for row in found["cells"][::2]] == [46, 4546]
    assert all(row["step_us"] > 0 for row in found["cells"])
    assert found["manifest"]["sweep"] == {"model.width": [4, 64]}
    (folder,) = (tmp_path / "sweeps").iterdir()
    assert {"cells.csv", "blocks.parquet", "manifest.json", "experiment.toml", "costs.svg"} <= {path.name for path in folder.iterdir()}


def test_a_sweep_that_ranks_has_fresh_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every epoch each arm is a process of its own, which serves all programs: a process is one sample."""
    monkeypatch.setitem(PRESETS, "standard", SHORT)
    found: list[Record] = []
    monkeypatch.setattr(Record, "timed", lambda record, epochs, blocks, failure: found.append(Record("", facts={"epochs": epochs})))
    sweep(ROOT / "experiments" / "xor.toml", ["model.width=4,8"], arms=["numpy"], results=tmp_path, timing="standard")
    pids = [[facts["pid"] for facts in record.facts["epochs"]] for record in found]
    assert len(set(pids[0])) == len(pids[0]) == 2 * SHORT.least  # the arm and its twin
    assert sorted(pids[0]) == sorted(pids[1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sweep", "train.batch_size"], 'error: "train.batch_size" is no sweep'),
        (["--sweep", "train.size=1,2"], '--set: error[unknown-key]: unknown key "size" in [train]'),
        (["--sweep", "model.width=2,3"], "--set: error[set]: the model has no width"),
        (["--sweep", "train.steps=1,2", "--no-timings"], "error: a sweep is timed"),
    ],
    ids=["no values", "unknown key", "no width", "no timings"],
)
def test_sweeps_that_cannot_be(harness: Command, words: list[str], said: str, tmp_path: Path) -> None:
    """One clear error; nothing is run or written."""
    done = harness("run", "experiments/line.toml", *words, "--results", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert not list(tmp_path.iterdir())


def test_points() -> None:
    """All combinations, the last key fastest; commas in brackets belong to a value."""
    assert points(["a=1,2", "b=[1,2],3"]) == [
        {"a": "1", "b": "[1,2]"}, {"a": "1", "b": "3"}, {"a": "2", "b": "[1,2]"}, {"a": "2", "b": "3"},
    ]  # fmt: skip
    with pytest.raises(UsageError):
        points(["a=1", "a=2"])


def test_crossings() -> None:
    """Where lines of known growth meet: t_a = x, t_b = 10 + x / 10 on logarithms between measured values."""
    rows = [
        {"x": x, "arm": arm, "step_us": time, "tier": None}
        for x in (1.0, 10.0, 100.0) for arm, time in (("a", x), ("b", 20.0))
    ]  # fmt: skip
    (found,) = crossings(rows, "x")
    assert (found.before, found.behind, found.between, found.proved) == ("a", "b", (10.0, 100.0), False)
    assert found.at == pytest.approx(20)
    assert exponent([row for row in rows if row["arm"] == "a"], "x") == pytest.approx(1)
    assert exponent([row for row in rows if row["arm"] == "b"], "x") == pytest.approx(0)
