"""The tensors of a case, and what rounding alone does to them, measured once for all arms of a run.

The right tensors are the reference's in float64. How far rounding alone can move them is measured by replicas of the reference, in the
arm's number format. In float32 a tensor may be LIMIT times as far off as the worst replica. In float64 the bound is EXACT; only what
the replicas in float64 themselves cannot hold (a step that is tiny beside its parameter) may be LIMIT times as far off as they are.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, MutableMapping, Sequence, Tuple

import numpy

from ...interface import LIMIT, Arrays, Batch, State, error, fingerprint, flat_state, load_arrays, norm, save_arrays
from ...registry import load
from ...spec import ProgramSpec, relevant_forms
from ..numeric import forced_step, trained
from .case import Case
from .data import arrays_of
from .laws import Problem

#: what an error in float64 may be, relative
EXACT = 1e-12
#: an error in float64 from which on a tensor has lost half its digits: it is zero in exact arithmetic, its numbers are rounding
NOTHING = 1e-6
#: replicas in float32, some with sequential sums; and in float64, where they only have to tell what is rounding alone
REPLICAS = ("replica-1", "replica-2", "replica-3", "replica-4", "sequential-1", "sequential-2", "sequential-3")
WITNESSES = ("replica-1", "sequential-1")
#: steps of the longer run, and of it once more the steps from one reading to the next
STEPS, SELDOM = 3, 2


@dataclass(frozen=True)
class Measured:
    """The right tensors of one state.

    Attributes:
        right: name -> tensor, float64.
        sizes: name -> what its error is relative to.
        ceilings: name -> the largest error of a replica, never less than the rounding of the tensor's own numbers.
    """

    right: Arrays
    sizes: Mapping[str, float]
    ceilings: Mapping[str, float]

    def error(self, name: str, tensor: Any) -> float:
        """How far a tensor is off, relative to its size."""
        return distance(tensor, self.right[name]) / self.sizes[name]

    def allowed(self, name: str, dtype: str) -> float:
        """How far it may be off."""
        beyond = LIMIT * self.ceilings[name]
        return max(EXACT, beyond) if dtype == "float64" else beyond


def tensors(case: Case, program: Any, state: State, batches: Sequence[Batch]) -> Arrays:
    """All tensors of one step from one state, the slots behind it, what is predicted before and behind it; and of some more steps over
    two batches their losses and what they changed."""
    found = forced_step(program, case.spec, batches[0], state)
    found.update({f"slots/{slot}/{name}": array for slot, arrays in program.state().slots.items() for name, array in arrays.items()})
    staged = program.stage(batches[:1])
    found["outputs/inference behind"] = program.predict(staged)[0]
    program.load(state)
    found["outputs/inference"] = program.predict(staged)[0]
    if case.smooth:
        found["loss/continued"] = numpy.array(trained(program, program.stage(batches), STEPS))
        found.update(moved(program, state))
    return found


def moved(program: Any, state: State) -> Iterator[Tuple[str, Any]]:
    """What some more steps changed."""
    after, before = program.state(), {**state.parameters, **state.statistics}
    for name, array in [*after.parameters.items(), *after.statistics.items()]:
        yield f"continued/{name}", numpy.asarray(array, numpy.float64) - before[name]


def read_seldom(program: Any, state: State, batches: Sequence[Batch], right: Arrays) -> Iterator[Tuple[str, Any]]:
    """The longer run once more, its loss read at every second step: some adapters take the steps between two readings in one call. The
    losses that are not read are the right ones."""
    program.load(state)
    losses = right["loss/continued"].copy()
    losses[SELDOM - 1 :: SELDOM] = program.train(program.stage(batches), STEPS, SELDOM).losses
    yield "loss/continued", losses
    yield from moved(program, state)


def measured(case: Case, forms: Mapping[str, str], dtype: str, state: State, batches: Sequence[Batch], cache: str) -> Measured:
    """The right tensors of one state of a case; kept in the folder `cache`, where there is one, for arms of the same forms."""
    spec = case.spec.with_forms(relevant_forms(case.spec, forms))
    if not cache:
        return measure(case, spec, dtype, state, batches)
    path = Path(cache) / f"{fingerprint(identity(case, spec, dtype, state, batches))}.npz"
    if not path.is_file():
        save_arrays(path, flat(measure(case, spec, dtype, state, batches)))
    return nested(load_arrays(path))


def identity(case: Case, spec: ProgramSpec, dtype: str, state: State, batches: Sequence[Batch]) -> Iterator[Tuple[str, Any]]:
    """All that the right tensors and their ceilings depend on."""
    yield f"{case.name} {dtype} {sorted(spec.forms.items())}", 0
    yield from flat_state(state).items()
    for batch in batches:
        yield from arrays_of(batch).items()


def measure(case: Case, spec: ProgramSpec, dtype: str, state: State, batches: Sequence[Batch]) -> Measured:
    """Run the reference and its replicas."""
    numpy_backend = load("backends.numpy")

    def run(kind: str, mode: str) -> Arrays:
        return tensors(case, numpy_backend.Program(spec, kind, "cpu", mode), state, batches)

    right = {name: numpy.asarray(array, numpy.float64) for name, array in run("float64", "").items()}
    witnesses = [] if case.exact else [run("float64", mode) for mode in WITNESSES]
    replicas = witnesses if case.exact or dtype == "float64" else [run(dtype, mode) for mode in REPLICAS]
    sizes = sizes_of(right, witnesses)
    own = {name: float(numpy.finfo(dtype).eps) * max(1.0, stored(name, state) / sizes[name]) for name in right}
    ceilings = {name: max([own[name], *(distance(found[name], right[name]) / sizes[name] for found in replicas)]) for name in right}
    # a loss is one number, whose errors may cancel in all replicas: it may be off as far as what it reads
    read = ceilings[f"outputs/{spec.nodes[spec.loss_node].name}"]
    ceilings.update({name: max(ceiling, read) for name, ceiling in ceilings.items() if name.startswith("loss/")})
    return Measured(right, sizes, ceilings)


def stored(name: str, state: State) -> float:
    """The length of what a change is the difference of: a parameter or statistic is rounded when it is stored, however small its step."""
    group, _, rest = name.partition("/")
    held = {**state.parameters, **state.statistics}
    return norm(held[rest]) if group in ("updates", "statistics", "continued") and rest in held else 0.0


def sizes_of(right: Arrays, witnesses: Sequence[Arrays]) -> Dict[str, float]:
    """What each error is relative to: the tensor's own size. But some tensors are zero in exact arithmetic, and their numbers are
    nothing but rounding: the gradient of an attention's key_bias (softmax does not see what all scores share), of a bias before a
    batch normalisation. The reference's replicas in float64 tell which: they do not agree in half their digits. Those are held
    against the largest tensor of their kind."""
    own = {name: norm(array[numpy.isfinite(array)]) for name, array in right.items()}
    largest: Dict[str, float] = {}
    for name, size in own.items():
        largest[kind(name)] = max(size, largest.get(kind(name), 0.0))
    real = {name: size > 0 and all(error(found[name], right[name]) < NOTHING for found in witnesses) for name, size in own.items()}
    return {name: own[name] if real[name] else largest[kind(name)] or 1.0 for name in right}


def kind(name: str) -> str:
    """What a tensor is compared with where it is zero: tensors of the same group, of slots of the same slot."""
    return "/".join(name.split("/")[: 2 if name.startswith("slots/") else 1])


def distance(tensor: Any, right: Any) -> float:
    """Euclidean distance; infinite where a tensor is missing, misshapen or finite in other places."""
    size = norm(right[numpy.isfinite(right)])
    return error(tensor, right) * (size or 1.0)


def flat(found: Measured) -> Arrays:
    """Named arrays."""
    arrays = {f"right/{name}": array for name, array in found.right.items()}
    for group in ("sizes", "ceilings"):
        arrays.update({f"{group}/{name}": numpy.float64(value) for name, value in getattr(found, group).items()})
    return arrays


def nested(arrays: Arrays) -> Measured:
    """What `flat` made flat."""
    found: Dict[str, Dict[str, Any]] = {field.name: {} for field in dataclasses.fields(Measured)}
    for name, array in arrays.items():
        group, _, rest = name.partition("/")
        found[group][rest] = array if group == "right" else float(array)
    return Measured(**found)


def differing(
    case: Case,
    program: Any,
    forms: Mapping[str, str],
    dtype: str,
    state: State,
    batches: Sequence[Batch],
    cache: str,
    largest: MutableMapping[str, Any],
) -> Iterator[Problem]:
    """Each tensor of a state that is off. The largest `ratio` to a ceiling is written down, and the largest `error`: in float64 among what
    EXACT is asked of."""
    wanted = measured(case, forms, dtype, state, batches, cache)
    found = tensors(case, program, state, batches)
    rows = [(name, name, found.get(name)) for name in wanted.ceilings]
    if case.smooth:
        seldom = read_seldom(program, state, batches, wanted.right)
        rows += [(name, f"{name}, with read_every = {SELDOM},", tensor) for name, tensor in seldom]
    for name, words, tensor in rows:
        ceiling, size = wanted.ceilings[name], wanted.error(name, tensor)
        allowed = wanted.allowed(name, dtype)
        largest["ratio"] = max(largest["ratio"], size / ceiling)
        largest["error"] = max(largest["error"], size if dtype == "float32" or allowed == EXACT else 0.0)
        if not size <= allowed:
            yield f"{words} is off by {size:.1e}, rounding alone by {ceiling:.1e}", size
