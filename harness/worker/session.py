"""One arm in its own process: what it can be asked, one method a command."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy

from .. import spec as specs
from ..interface import ContractBroken, check_state, load_arrays, missing, nested_state, save_arrays, state_fingerprint
from ..registry import load
from .channel import Channel
from .machine import peak_memory, reset_peak
from .numeric import Step, forced_pass, free_pass, patterns, replica_errors, start_of
from .task import Task
from .timing import Bench


class Session:
    """The state of a worker between commands."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.adapter: Any = None
        self.program: Any = None
        self.bench: Any = None

    def open(self, module: str, place: str) -> Dict[str, Any]:
        """Import an adapter, and with it its framework; see harness.registry.load.

        Raises:
            ContractBroken: the adapter lacks something.
        """
        began = time.perf_counter()
        self.adapter = load(module, place)
        seconds = time.perf_counter() - began
        lacks = missing(self.adapter)
        if lacks:
            raise ContractBroken("; ".join(lacks))
        return {
            "import": seconds,
            "memory": peak_memory(),
            "python": platform.python_version(),
            "forms": dict(self.adapter.FORMS),
        }

    def build(self, spec: Mapping[str, Any], dtype: str, device: str, mode: str, data: str, state: str) -> Dict[str, Any]:
        """Build the program, or say why not.

        Args:
            spec: a ProgramSpec as JSON.
            dtype, device, mode: see the contract.
            data: path of the run's data.
            state: path of the first state.
        """
        program_spec = specs.decode(spec)
        reasons = self.adapter.supports(program_spec, dtype, device, mode)
        if reasons:
            return {"unsupported": reasons, "versions": self.adapter.versions()}
        self.spec, self.task = program_spec, Task(Path(data), program_spec)
        self.state = nested_state(load_arrays(Path(state)))
        reset_peak()
        began = time.perf_counter()
        self.program = self.adapter.Program(program_spec, dtype, device, mode)
        self.program.load(self.state)
        seconds = time.perf_counter() - began
        state_back = self.program.state()
        check_state(program_spec, dtype, state_back)
        return {"build": seconds, "memory": peak_memory(), "weights": state_fingerprint(state_back), "versions": self.adapter.versions()}

    def free(
        self, steps: int, evaluate: Sequence[int], keep: Sequence[int], names: Sequence[str], threshold: float, folder: str
    ) -> Dict[str, Any]:
        """The free pass; see harness.worker.numeric."""
        self.program.load(self.state)
        return free_pass(
            self.program,
            self.task,
            steps=steps,
            evaluate=evaluate,
            keep=keep,
            names=names,
            threshold=threshold,
            spec=self.spec,
            folder=Path(folder),
            progress=self.channel.progress,
        )

    def probes(self, folder: str) -> List[str]:
        """Lay the directed probes out; see harness.worker.probes."""
        from .probes import lay_out

        return lay_out(self.spec, self.state, self.task.batch(0), Path(folder))

    def forced(self, steps: Sequence[Step], states: str, folder: str) -> Dict[str, Any]:
        """The forced pass; see harness.worker.numeric."""
        forced_pass(
            self.program,
            self.spec,
            self.task,
            steps=steps,
            states=Path(states),
            folder=Path(folder),
            progress=self.channel.progress,
        )
        return {}

    def replicas(
        self, spec: Mapping[str, Any], dtype: str, modes: Sequence[str], steps: Sequence[Step], states: str, data: str
    ) -> List[List[Dict[str, float]]]:
        """How far replicas are from the reference; asked of the reference. See harness.worker.numeric."""
        program_spec = specs.decode(spec)
        return replica_errors(
            self.adapter,
            program_spec,
            Task(Path(data), program_spec),
            dtype=dtype,
            modes=modes,
            steps=steps,
            states=Path(states),
            progress=self.channel.progress,
        )

    def patterns(self, steps: int, path: str) -> Dict[str, Any]:
        """Where numbers are zero in a free training; see harness.worker.numeric."""
        self.program.load(self.state)
        save_arrays(Path(path), patterns(self.program, self.task, steps))
        return {}

    def descend(self, marks: Sequence[int], file: str) -> Dict[str, Any]:
        """The path of a free training; see harness.worker.surface."""
        from .surface import descend

        self.program.load(self.state)
        return descend(self.program, self.spec, self.task, marks=marks, file=Path(file), progress=self.channel.progress)

    def heights(
        self, rows: int, file: str, coordinates: Optional[Sequence[Sequence[float]]] = None
    ) -> List[Optional[float]]:
        """The loss of so many training rows at points: those of a path's file, or those of a plane's file at `coordinates`."""
        from .surface import losses_at, on_plane, rows_of

        points = load_arrays(Path(file))["points"] if coordinates is None else on_plane(Path(file), coordinates)
        batch = rows_of(self.task, self.spec, rows)
        return losses_at(self.program, self.spec, batch, self.state, points, self.channel.progress)

    def locate(self, step: Step, states: str, tensors: str, dtype: str, replicas: Sequence[str]) -> List[Dict[str, Any]]:
        """Where an arm goes wrong at a step, and why; asked of the reference. See harness.worker.diagnosis.

        Args:
            step: which.
            states: folder with the reference's `state-<step>.npz`, and of a probe `batch-<step>.npz`.
            tensors: folder with the arm's `forced-<step>.npz`.
            dtype: the arm's.
            replicas: modes of the replicas that measure what rounding does.
        """
        from .diagnosis import Setting, located

        found = load_arrays(Path(tensors) / f"forced-{step}.npz")
        return located(self.adapter, Setting(self.spec, *start_of(self.task, Path(states), step), found), dtype, replicas)

    def preflight(self, dtype: str, device: str, mode: str, threads: int) -> Dict[str, Any]:
        """What an arm's arithmetic is like; see harness.worker.preflight."""
        from .preflight import preflight

        return preflight(self.adapter, dtype, device, mode, threads)

    def faults(self) -> List[str]:
        """What the adapter finds wrong with this installation, if it looks; see the contract."""
        look = getattr(self.adapter, "faults", None)
        return [] if look is None else list(look())

    def compilations(self) -> int:
        """How many times this process has traced or compiled something so far; 0 where the adapter does not tell."""
        count = getattr(self.adapter, "compilations", None)
        return 0 if count is None else int(count())

    def start(self, native_dropout: bool) -> Dict[str, Any]:
        """Everything up to the first timed block; see harness.worker.timing."""
        self.bench = Bench(self.program, self.task, self.state, self.compilations)
        found: Dict[str, Any] = self.bench.start(native_dropout)
        return found

    def prepare(self, work: str) -> Dict[str, Any]:
        """Warm up another work; see harness.worker.timing."""
        found: Dict[str, Any] = self.bench.prepare(work)
        return found

    def block(self, work: str, steps: int, discard: int) -> Dict[str, Any]:
        """One timed block; see harness.worker.timing."""
        found: Dict[str, Any] = self.bench.block(work, steps, discard)
        return found

    def again(self) -> List[float]:
        """The losses of the first steps once more."""
        found: List[float] = self.bench.again()
        return found

    def cpu(self) -> float:
        """CPU seconds of all threads so far."""
        return time.process_time()

    def conformance(self, name: str, dtype: str, device: str, mode: str, seed: int, cache: str = "") -> Dict[str, Any]:
        """Try the laws of harness.worker.conformance on one case. What the adapter raises is a law that is broken."""
        from .conformance import check

        try:
            return check(self.adapter, dtype, device, mode, name, seed, cache)
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as problem:
            log_traceback()
            return {"broken": [{"text": describe(problem), "error": None}], "ratio": 0.0, "error": 0.0}

    def cases(self) -> Dict[str, Dict[str, List[str]]]:
        """All cases of harness.worker.conformance by name: the items that each is `about`, and all that it `uses`."""
        from .conformance import cases

        return {name: {"about": list(case.about), "uses": sorted(case.uses)} for name, case in cases().items()}

    def supports(self, dtype: str, device: str, mode: str) -> Dict[str, Any]:
        """What the adapter says of each case of harness.worker.conformance: case -> reasons why not."""
        from .conformance import cases

        return {name: self.adapter.supports(case.spec, dtype, device, mode) for name, case in cases().items()}

    def signatures(self, paths: Sequence[str]) -> Dict[str, Any]:
        """The parameters of a framework's own calls, and their defaults."""
        from .signatures import signatures

        return signatures(paths)

    def peak(self, dtype: str, seconds: float = 0.2) -> float:
        """The best rate of a matrix product in this worker's threads, FLOP/s; see harness.worker.peak."""
        from .peak import peak

        return peak(dtype, seconds)


COMMANDS = (
    "open", "preflight", "build", "free", "probes", "forced", "replicas", "patterns", "descend", "heights", "locate", "faults", "start",
    "prepare", "block", "again", "cpu", "compilations", "cases", "conformance", "supports", "signatures", "peak",
)  # fmt: skip


def serve(channel: Channel) -> None:
    """Answer requests until the parent closes its end."""
    # overflow of exp(-x) in a sigmoid and divisions by zero are results here, not accidents
    numpy.seterr(all="ignore")
    session = Session(channel)
    for request in channel:
        command, arguments = request["command"], request["arguments"]
        try:
            if command not in COMMANDS:
                raise ValueError(f"unknown command {command!r}")
            channel.send(result=getattr(session, command)(**arguments))
        except MemoryError as problem:
            channel.send(error=str(problem) or "out of memory", status="out of memory")
        except Exception as problem:
            log_traceback()
            channel.send(error=describe(problem), status=status(problem))


def status(problem: Exception) -> str:
    """What an arm's row says of an error. Frameworks have their own classes for memory that cannot be had."""
    if isinstance(problem, ModuleNotFoundError):
        return "missing"
    if isinstance(problem, ContractBroken):
        return "refused"
    text = f"{type(problem).__name__} {problem}".lower()
    exhausted = any(
        word in text for word in ("outofmemory", "out of memory", "resourceexhausted", "resource_exhausted", "can't allocate")
    )
    return "out of memory" if exhausted else "failed"


def describe(problem: Exception) -> str:
    """An error in one line."""
    lines: List[str] = str(problem).strip().splitlines() or [""]
    return lines[0] if isinstance(problem, ContractBroken) else f"{type(problem).__name__}: {lines[0]}"[:500]


def log_traceback() -> None:
    """The whole story goes to the log."""
    import traceback

    traceback.print_exc()
