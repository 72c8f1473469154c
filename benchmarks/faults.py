"""How well faults are caught, located and explained: `python -m benchmarks.faults [--clean COUNT] [NAME...]`.

Every fault of tests/faults is planted in PyTorch's adapter, on a small program, one step. It is judged as a run judges it, in float32 and
then, where nothing was found, in float64. Beside it stand the rules of other tools, each a fixed tolerance, on the same tensors in float32.
Then come random programs in which nothing is wrong, whose every accusation is a false alarm.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy
from hypothesis import HealthCheck, Phase, given, seed, settings

import backends.numpy as reference
from backends.torch import FORMS, supports
from backends.torch import Program as Torch
from harness.interface import Arrays, Batch, State, errors, floors
from harness.numeric.trajectory import EXACT, INFINITE
from harness.numeric.words import RIGHT, word
from harness.spec import ProgramSpec, relevant_forms
from harness.worker.conformance.data import batch_of, generator, state_of
from harness.worker.diagnosis import Setting, located
from harness.worker.numeric import forced_step
from harness.worker.probes import applies, probe
from tests.faults.faulty import FAULTS, Program
from tests.faults.generated import programs
from tests.faults.models import MODELS, ROWS, STEPS, drawn

MODES = [*(f"replica-{number}" for number in range(16)), *(f"sequential-{number}" for number in range(6))]
#: of probes half as many, as in a run; of the one that stands on kinks on purpose those that leave exact results alone
PROBING = [*MODES[:8], *MODES[16:19]]
CAREFUL = [f"careful-{mode}" for mode in PROBING]


def close(relative: float, absolute: float) -> Callable[[Any, Any], bool]:
    """Element by element."""
    return lambda found, right: bool(numpy.all(abs(found - right) <= absolute + relative * abs(right)))


#: rules of other tools: whether two tensors are taken for the same
RULES: dict[str, Callable[[Any, Any], bool]] = {
    "reprod_log: mean of abs(d) <= 1e-6": lambda found, right: bool(abs(found - right).mean() <= 1e-6),
    "PaDiff: means within 1e-7": lambda found, right: bool(abs(found.mean() - right.mean()) <= 1e-7 * abs(right.mean())),
    "NNSmith: 1e-2, 1e-3": close(1e-2, 1e-3),
    "Ivy: 1e-5, 1e-6": close(1e-5, 1e-6),
    "Hugging Face: max of abs(d) <= 1e-5": close(0, 1e-5),
    "Keras: 1e-3": close(0, 1e-3),
    "ONNX: 1e-3, 1e-7": close(1e-3, 1e-7),
    "Polygraphy: 1e-5, 1e-5": close(1e-5, 1e-5),
    "BackendBench: 1e-2, 1e-2": close(1e-2, 1e-2),
    "torch.testing: 1.3e-6, 1e-5": close(1.3e-6, 1e-5),
    "JAX: 2e-3": close(2e-3, 2e-3),
}


class Judged(NamedTuple):
    """One program in one number format.

    Attributes:
        wrong: tensors that rounding does not explain.
        largest: largest error of one over its ceiling.
        tensors, right: the arm's and the reference's.
    """

    wrong: list[str]
    largest: float
    tensors: Arrays
    right: Arrays


def judged(program: Any, spec: ProgramSpec, state: State, batch: Batch, dtype: str, modes: list[str] = MODES) -> Judged:
    """As a run does: one forced step, held against the reference and its replicas."""
    found = forced_step(program, spec, batch, state)
    own = spec.with_forms(relevant_forms(spec, FORMS))
    right = forced_step(reference.Program(own, "float64", "cpu", ""), own, batch, state)
    measured = [errors(forced_step(reference.Program(own, dtype, "cpu", mode), own, batch, state), right) for mode in modes]
    count = sum("sequential" not in mode for mode in modes)
    level, sizes = floors(measured[:count], measured[count:], dtype), errors(found, right)
    wrong = [name for name in right if word(sizes[name], *level[name]) not in RIGHT]
    return Judged(wrong, max(sizes[name] / level[name].ceiling for name in right), found, right)


class Outcome(NamedTuple):
    """What was found of one fault."""

    caught: bool
    located: bool
    explained: bool
    dtype: str
    text: str


def outcome(name: str, rules: Counter[str]) -> Outcome:
    """Plant it, judge it as a run does, at an ordinary step and at the directed probes, in float64 where float32 shows nothing; look for
    its cause."""
    fault = FAULTS[name]
    spec, (state, batch) = MODELS[fault.model], drawn(fault.model)
    own = spec.with_forms(relevant_forms(spec, FORMS))
    tried = [("float32", ""), *(("float32", probed) for probed in probes(spec)), ("float64", "")]
    for dtype, probed in tried:
        start, data = probe(probed, spec, state, batch) if probed else (state, batch)
        modes = CAREFUL if probed == EXACT else PROBING if probed else MODES
        found = judged(Program(spec, dtype, "cpu", name), spec, start, data, dtype, modes)
        if not probed and dtype == "float32":
            rules.update(rule for rule, same in RULES.items() if not every(same, found))
        if found.wrong:
            entries = located(reference, Setting(own, start, data, found.tensors), dtype, modes)
            return answered(fault, own, entries, f"{dtype} {probed}".rstrip())
    return Outcome(False, False, fault.cause is None, "", "not seen")


def probes(spec: ProgramSpec) -> list[str]:
    """The probes that decide."""
    return [name for name in applies(spec) if name != INFINITE]


def answered(fault: Any, spec: ProgramSpec, entries: list[dict[str, Any]], dtype: str) -> Outcome:
    """Whether what was located first is right."""
    types = {**{node.name: node.layer.type for node in spec.nodes}, "loss": "loss", "optimizer": "optimizer"}
    if not entries:
        return Outcome(True, False, fault.cause is None, dtype, "nowhere")
    first = entries[0]
    where, cause = [types[maker] for maker in first["makers"]], first["cause"]
    texts = [] if cause is None else [cause["text"], *cause["or"]]
    right = not texts if fault.cause is None else any(fault.cause in text for text in texts)
    return Outcome(
        True, fault.where in where, right, dtype, f"{' or '.join(first['makers'])}: {texts[0] if texts else 'no cause found'}"
    )


def every(same: Callable[[Any, Any], bool], found: Judged) -> bool:
    """Whether a rule takes all tensors for the same."""
    return all(same(numpy.asarray(found.tensors[name], numpy.float64), right) for name, right in found.right.items())


def clean(count: int) -> Iterator[tuple[ProgramSpec, dict[str, Judged]]]:
    """Random programs in which nothing is wrong, judged in both number formats."""
    kept: list[ProgramSpec] = []

    @seed(20261125)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(programs())
    def collect(spec: ProgramSpec) -> None:
        kept.append(spec)

    collect()
    for number, spec in enumerate(kept):
        random = generator(number)
        state, batch = state_of(spec, random, STEPS), batch_of(spec, random, ROWS)
        if supports(spec, "float32", "cpu", ""):
            continue
        yield spec, {dtype: judged(Torch(spec, dtype, "cpu", ""), spec, state, batch, dtype) for dtype in ("float32", "float64")}


def accused(spec: ProgramSpec, number: int) -> list[str]:
    """The probes at which a right program is accused, by its tensors and by what is located, in float32."""
    random, own = generator(number), spec.with_forms(relevant_forms(spec, FORMS))
    state, batch = state_of(spec, random, STEPS), batch_of(spec, random, ROWS)
    found = []
    for probed in probes(spec):
        start, data = probe(probed, spec, state, batch)
        modes = CAREFUL if probed == EXACT else PROBING
        one = judged(Torch(spec, "float32", "cpu", ""), spec, start, data, "float32", modes)
        if one.wrong and located(reference, Setting(own, start, data, one.tensors), "float32", modes):
            found.append(probed)
    return found


def main(words: list[str]) -> bool:
    """Print both tables; whether every fault was caught and nothing else accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("names", nargs="*", help="faults; all when none is named")
    parser.add_argument("--clean", type=int, default=200, help="random programs in which nothing is wrong")
    given_words = parser.parse_args(words)
    warnings.simplefilter("ignore")
    numpy.seterr(all="ignore")
    rules: Counter[str] = Counter()
    names = given_words.names or list(FAULTS)
    print("| fault | caught in | located | cause | found |\n|---|---|---|---|---|")
    found = {}
    for name in names:
        one = found[name] = outcome(name, rules)
        wanted = FAULTS[name].cause or "none"
        print(f"| {name} | {one.dtype} | {said(one.located)} | {said(one.explained)} ({wanted}) | {one.text} |", flush=True)
    alarms, largest, total = Counter[str](), 0.0, 0
    for spec, both in clean(given_words.clean):
        total += 1
        for dtype, right in both.items():
            largest = max(largest, right.largest)
            if right.wrong:
                alarms["ours"] += 1
                print(
                    f"false alarm in {dtype}: {right.wrong[:3]} {right.largest:.2f} {[node.layer for node in spec.nodes]}", flush=True
                )
        alarms.update(rule for rule, same in RULES.items() if not every(same, both["float32"]))
        wrongly = accused(spec, total)
        if wrongly:
            alarms["ours"] += 1
            print(f"false alarm at {', '.join(wrongly)}: {[node.layer for node in spec.nodes]}", flush=True)
    count = len(found)
    print(f"\n| rule | of {count} faults caught | of {total} right programs accused |\n|---|---:|---:|")
    caught = sum(one.caught for one in found.values())
    print(f"| this harness | {caught} | {alarms['ours']} |")
    for rule in RULES:
        print(f"| {rule} | {rules[rule]} | {alarms[rule]} |")
    known = [name for name in found if FAULTS[name].cause is not None]
    print(
        f"\ncaught {caught} of {count}, located {sum(one.located for one in found.values())}, "
        f"right cause {sum(found[name].explained for name in known)} of {len(known)}, rightly none "
        f"{sum(one.explained for one in found.values()) - sum(found[name].explained for name in known)} of {count - len(known)}; "
        f"largest error of a right program over its ceiling: {largest:.2f}"
    )
    return caught == count and not alarms["ours"]


def said(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
