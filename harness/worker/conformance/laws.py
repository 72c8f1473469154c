"""The laws of state, batches, probe, compile, train, predict and native randomness, as generators of what does not hold."""

from __future__ import annotations

import copy
import math
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy

from ...interface import Batch, ContractBroken, State, check_outputs, check_state, check_trace
from .case import Case
from .data import arrays_of

#: what does not hold, and how far off it is where that is a number
Problem = Tuple[str, Optional[float]]
Law = Callable[[Case, Any, State, Sequence[Batch], str], Iterator[Problem]]


def same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether arrays have the same names and bits."""
    return set(left) == set(right) and all(numpy.array_equal(left[name], right[name]) for name in left)


def same_state(left: State, right: State) -> bool:
    """Whether two states are equal to the bit."""
    slots = set(left.slots) == set(right.slots) and all(same(left.slots[slot], right.slots[slot]) for slot in left.slots)
    return left.step == right.step and slots and same(left.parameters, right.parameters) and same(left.statistics, right.statistics)


def same_batch(left: Batch, right: Batch) -> bool:
    """Whether two batches are equal to the bit."""
    return same(arrays_of(left), arrays_of(right))


def spoil(value: Any) -> None:
    """Overwrite every array in a state, a batch or a probe: whoever kept it instead of a copy is found out."""
    if isinstance(value, numpy.ndarray):
        if value.flags.writeable:
            value[...] = 1
    elif isinstance(value, (list, tuple)):
        for part in value:
            spoil(part)
    elif isinstance(value, dict):
        spoil(list(value.values()))
    elif hasattr(value, "__dict__"):
        spoil(vars(value))


def state_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """What is loaded comes back, to the bit, and both ways as copies."""
    given = copy.deepcopy(state)
    program.load(given)
    spoil(given)
    back = program.state()
    try:
        check_state(case.spec, dtype, back)
    except ContractBroken as problem:
        yield str(problem), None
    if not same_state(back, state):
        yield "state() after load() is not the state that was loaded", None
    spoil(back)
    if not same_state(program.state(), state):
        yield "state() is no copy: what is done to it changes the program", None


def stage_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """What is staged can be read back, to the bit."""
    given = [copy.deepcopy(batch) for batch in batches]
    staged = program.stage(given)
    spoil(given)
    back = program.unstage(staged)
    if len(back) != len(batches) or not all(map(same_batch, back, batches)):
        yield "unstage() is not what stage() was given", None


def probe_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """Probing and compiling change nothing, and what is probed stays."""
    program.load(state)
    probe = program.probe(batches[0])
    kept = copy.deepcopy(probe)
    names = [node.name for node in case.spec.nodes]
    if list(probe.outputs) != names or list(probe.output_gradients) != names:
        yield f"probe() names {list(probe.outputs)}, not {names}", None
    program.probe(batches[1])
    alike = (same(kept.outputs, probe.outputs), same(kept.gradients, probe.gradients), same(kept.output_gradients, probe.output_gradients))
    if not all(alike):
        yield "probe() gives no copies: a later one changes them", None
    if not same_state(program.state(), state):
        yield "probe() changes the state", None


def train_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """Five steps are five steps, with a loss at every second; earlier states and staged batches stay what they were."""
    program.load(state)
    held, staged = program.state(), program.stage(batches)
    program.compile(staged)
    if not same_state(program.state(), state):
        yield "compile() changes the state", None
    trace = program.train(staged, 5, read_every=2)
    try:
        check_trace(5, 2, trace)
    except ContractBroken as problem:
        yield str(problem), None
    if sorted(trace.stamps) != list(trace.stamps):
        yield "the stamps of train() do not rise", None
    after = program.state()
    if after.step != state.step + 5:
        yield "train(5) is not five steps", None
    if not same_state(held, state):
        yield "training changes an earlier state()", None
    if not all(map(same_batch, program.unstage(staged), batches)):
        yield "training changes what was staged", None


def predict_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """Inference reads no masks and no sample weights, changes nothing, and gives the batches' outputs in their order, as copies."""
    program.load(state)
    outputs = program.predict(program.stage(batches))
    kept = [numpy.array(output) for output in outputs]
    if len(outputs) != len(batches):
        yield f"predict() gives {len(outputs)} outputs of {len(batches)} batches", None
    for batch, output in zip(batches, outputs):
        try:
            check_outputs(case.spec, len(batch.inputs), output)
        except ContractBroken as problem:
            yield str(problem), None
    weights = None if batches[0].weights is None else numpy.ones_like(batches[0].weights)
    bare = Batch(batches[0].inputs, batches[0].targets, None, weights)
    if not numpy.array_equal(program.predict(program.stage([bare]))[0], kept[0]):
        yield "predict() depends on masks or sample weights", None
    if not all(map(numpy.array_equal, program.predict(program.stage(batches[::-1])), kept[::-1])):
        yield "predict() depends on the order of batches", None
    if not all(map(numpy.array_equal, outputs, kept)):
        yield "predict() gives no copies: a later one changes them", None
    if not same_state(program.state(), state):
        yield "predict() changes the state", None


def random_law(case: Case, program: Any, state: State, batches: Sequence[Batch], dtype: str) -> Iterator[Problem]:
    """Training without masks draws the framework's own, others at each step."""
    if not any(getattr(node.layer, "rate", 1) for node in case.spec.random_nodes):
        return
    staged = program.stage([Batch(batches[0].inputs, batches[0].targets, None, batches[0].weights)])
    losses = set()
    for later in range(4):
        program.load(State(state.parameters, state.slots, state.step + later, state.statistics))
        losses.add(program.train(staged, 1).losses[0])
    if len(losses) == 1 or not all(math.isfinite(loss) for loss in losses):
        yield f"training without masks gives the losses {sorted(losses)}: nothing random of its own", None


LAWS: List[Law] = [state_law, stage_law, probe_law, train_law, predict_law, random_law]
