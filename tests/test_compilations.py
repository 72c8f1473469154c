"""What an adapter counts as traced or compiled: nothing while steps only run, something when a batch of another size comes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest

from harness.interface import Batch, flat_state, save_arrays
from harness.pool import Crew, Worker
from harness.registry import backend, parse
from harness.spec import encode
from harness.worker.conformance import cases
from harness.worker.conformance.data import batch_of, generator, state_of

#: arms by worker: what has one engine shares its import. True of what compiles
WORKERS: tuple[dict[str, bool], ...] = (
    {"keras": True, "tensorflow": True, "tensorflow:xla": True},
    {"torch": False, "torch:compile": True},
    {"jax": True},
    {"numpy": False},
)
ARMS = {name: compiles for arms in WORKERS for name, compiles in arms.items()}
SPEC = cases()["dense"].spec
#: rows of a batch, and of another
ROWS, FEWER = 8, 5


class Counts(NamedTuple):
    """What one worker counted: when it had warmed up, after more steps, and after a step over a batch of another size."""

    warm: int
    steady: int
    other: int


def lay_out(folder: Path) -> None:
    """A run's data and first state, and a step from it with fewer rows."""
    random = generator(1)
    state, rows, fewer = state_of(SPEC, random, 0), batch_of(SPEC, random, 4 * ROWS), batch_of(SPEC, random, FEWER)
    data = {f"{split}_{name}": array for split in ("train", "test") for name, array in arrays(rows).items()}
    save_arrays(folder / "data.npz", {**data, "order": numpy.arange(4 * ROWS).reshape(4, ROWS)})
    for name in ("initial", "state-fewer"):
        save_arrays(folder / f"{name}.npz", flat_state(state))
    save_arrays(folder / "batch-fewer.npz", arrays(fewer))


def arrays(batch: Batch) -> dict[str, numpy.ndarray]:
    """Inputs and targets by name."""
    return {"inputs": batch.inputs, "targets": batch.targets}


def counted(names: list[str], folder: Path) -> dict[str, Counts]:
    """One arm after the other in one worker."""
    lay_out(folder)
    with Crew(folder, "cpu", 1, 300).worker(parse(names[0])) as worker:
        return {name: counts(worker, name, folder) for name in names}


def counts(worker: Worker, name: str, folder: Path) -> Counts:
    """Start an arm as the timing lane does, let it run, then give it a batch of another size."""
    arm = parse(name)
    worker.ask("open", module=backend(arm).module, place=backend(arm).place)
    before = worker.ask("compilations")
    worker.ask(
        "build", spec=encode(SPEC), dtype="float32", device="cpu", mode=arm.mode,
        data=str(folder / "data.npz"), state=str(folder / "initial.npz"),
    )  # fmt: skip
    worker.ask("start", native_dropout=False)
    warm = worker.ask("compilations") - before
    worker.ask("block", work="step", steps=9, discard=1)
    steady = worker.ask("compilations") - before
    worker.ask("forced", steps=["fewer"], states=str(folder), folder=str(folder))
    return Counts(warm, steady, worker.ask("compilations") - before)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[dict[str, Counts]]]]:
    """What is found of each arm, two workers at a time."""
    with ThreadPoolExecutor(2) as pool:
        found = {}
        for arms in WORKERS:
            names = [name for name in arms if name != "torch:compile" or compiler()]
            found.update(dict.fromkeys(names, pool.submit(counted, names, tmp_path_factory.mktemp("worker"))))
        yield found
        pool.shutdown(cancel_futures=True)


def compiler() -> bool:
    """Whether torch.compile has the C++ compiler that it needs."""
    return any(map(shutil.which, (os.environ.get("CXX") or "g++", "g++", "clang++")))


@pytest.mark.parametrize("arm", ARMS)
def test_compilations_are_counted(results: dict[str, Future[dict[str, Counts]]], arm: str) -> None:
    """Steady steps do not move the count. Another shape does where something is compiled; what is eager never has any."""
    if arm not in results:
        pytest.skip("torch.compile needs a C++ compiler, and none is here")
    found = results[arm].result()[arm]
    assert found.steady == found.warm, found
    assert (0 < found.warm < found.other) if ARMS[arm] else found == (0, 0, 0), found
