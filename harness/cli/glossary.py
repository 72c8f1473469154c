"""Everything that has a meaning and is no type of an experiment: codes, columns, verdicts, keys, options."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import click

from ..numeric.words import WORDS
from ..reproduction.judge import ABSENT, CHANGED, EQUAL, REPORTED, ROUNDING
from ..spec.reader.codes import CODES
from ..tables.columns import AGREEMENT_COLUMNS, COLUMNS, HEADS
from ..tables.ranking import VERDICTS
from ..worker.probes import PROBES

#: exit code -> what it says; every command has the same
EXITS = {
    "0": "done: all arms agree, all tables hold, everything asked for is there",
    "1": "done, and something differs: an arm from the reference, a number from the committed one",
    "2": "nothing was run: a wrong word on the command line, or a problem in an experiment, which is told with its place",
    "3": "an arm failed or is missing, or a file could not be written; what was found of the others is saved and shown",
    "4": "a bug of harness: HARNESS_DEBUG=1 shows the whole story; report it, please",
    "130": "interrupted (Ctrl-C, or SIGTERM): what had ended is saved, and compare shows it",
}
ARMS = {
    "agrees": "every tensor of every forced step and probe is within what rounding does",
    "differs": "a tensor is further off than rounding explains; the first one is named, and the cause where one was found",
    "missing": "the framework is not installed, or its environment is not created: `doctor` says how to get it",
    "unsupported": "the framework cannot do the experiment, as its adapter says; this counts for nothing",
    "refused": "the adapter breaks the contract, so that nothing of it can be believed",
    "failed": "the framework raised an error; its first line stands beside, the whole story in the run's log",
    "crashed": "the process of the arm ended by itself",
    "killed": "the process was ended from outside, mostly since memory ran out",
    "timed out": "one answer took longer than compare.time_limit",
    "out of memory": "the framework could not get the memory that it asked for",
    "diverged": "the loss is not finite from some step on",
    "interrupted": "the run ended before the arm did",
    "invalid": "timed, the arm did not compute what it had computed before, or took more threads than it may: its times do not count",
}
STATES = {
    EQUAL: "the number is the committed one, to the last bit",
    ROUNDING: "it moved no further than rounding can move it",
    CHANGED: "it moved further than rounding can move it",
    ABSENT: "its arm is missing, or failed",
    REPORTED: "a ratio of times: shown, never judged",
}
SWEEPS = {
    "sweep": "--sweep KEY=V1,V2,... runs the experiment for every value and times the training step; several make a grid",
    "model.width": "for --sweep and --set: the units or filters of every layer of the model but the last",
    "smoke": "--timing smoke: one process an arm, a few seconds; indicative, nothing is ranked",
    "standard": "--timing standard: 5 to 10 epochs of fresh processes in interleaved rounds, minutes; ranks what it can prove",
    "careful": "--timing careful: more rounds, narrower intervals; ranks small differences too",
    "breaks even": "steps after which a compiled mode has won back its compilation",
    "crossover": "the value of a swept key at which another arm becomes the fastest; between which two measured values it lies is said",
    "power": "how a step grows at the upper end of a sweep: 1 doubles its time when the key doubles, 0 leaves it",
}
#: kind -> word -> what it means
TERMS: Mapping[str, Mapping[str, str]] = {
    "a code of errors": CODES,
    "an exit code": EXITS,
    "a verdict on an arm": ARMS,
    "a verdict on a tensor": WORDS,
    "a verdict on two arms' times": VERDICTS,
    "a verdict on a committed number": STATES,
    "a column of the tables of agreement": AGREEMENT_COLUMNS,
    "a column of the tables of costs": COLUMNS,
    "a directed probe": {name: about for name, (about, _) in PROBES.items()},
    "a word of sweeps and timings": SWEEPS,
}


def meanings(topic: str) -> list[tuple[str, str, str]]:
    """What a word is, the word itself, and what it means; several where it stands for several things.

    Args:
        topic: a word of TERMS, the head of a column, `exit 3`, `error[file]`, a key, another framework's name of one, an option.
    """
    word = topic.removeprefix("error[").removesuffix("]").removeprefix("exit ").removeprefix("exit-")
    word = HEADS.get(word, word)
    names = {word, *(word.replace(a, b) for a in " -_" for b in " -_")}
    found = [(kind, name, text) for kind, terms in TERMS.items() for name, text in terms.items() if name in names]
    return [*found, *keys(topic), *options(topic)]


def keys(topic: str) -> Iterator[tuple[str, str, str]]:
    """Keys of experiments of that name, or that another framework calls so; those of one meaning as one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for place, item in all_keys():
        owner = item.metadata.get("also", {}).get(topic)
        if topic in (item.name, f"{place}.{item.name}") or owner:
            name = f"{item.name}, which {owner} calls {topic}" if owner else item.name
            alike.setdefault((name, meaning(item)), []).append(place)
    for (name, text), places in alike.items():
        yield f"a key of {', '.join(dict.fromkeys(places))}", name, text


def all_keys() -> Iterator[tuple[str, dataclasses.Field[object]]]:
    """Every key of every thing that an experiment can hold, with what it stands in."""
    from .. import spec

    sections = {"the experiment": spec.Experiment, "train": spec.Train, "compare": spec.Compare}
    families = ("Layer", "ActivationFunction", "Loss", "Optimizer", "Schedule", "Regularizer", "Initializer", "Data")
    holders = {**sections, **{name: cls for base in families for name, cls in spec.family(getattr(spec, base)).items()}}
    for place, cls in holders.items():
        for item in dataclasses.fields(cls):
            yield place, item


def meaning(item: dataclasses.Field[object]) -> str:
    """What a key means, and what frameworks default it to where they differ."""
    defaults = item.metadata.get("defaults", "")
    return f"{item.metadata.get('description', '')}{f'; {defaults}' if defaults else ''}"


def options(topic: str) -> Iterator[tuple[str, str, str]]:
    """Options of commands: `--timing`."""
    if not topic.startswith("-"):
        return
    alike: dict[str, list[str]] = {}
    for name, option in all_options():
        if topic in (*option.opts, *option.secondary_opts):
            alike.setdefault(option.help or "", []).append(name)
    for text, commands in alike.items():
        yield f"an option of {', '.join(commands)}", topic, text


def all_options() -> Iterator[tuple[str, click.Option]]:
    """Every option with its command, the commands of groups included."""
    from . import harness

    context = click.Context(harness)
    for name in harness.list_commands(context):
        command = harness.get_command(context, name)
        inner = command.commands.items() if isinstance(command, click.Group) else ()
        for title, each in ((name, command), *((f"{name} {word}", each) for word, each in inner)):
            yield from ((title, parameter) for parameter in (each.params if each else ()) if isinstance(parameter, click.Option))


def all_words() -> list[str]:
    """Everything that `meanings` knows, for guesses."""
    found = [name for terms in TERMS.values() for name in terms] + [item.name for _, item in all_keys()]
    return list(dict.fromkeys([*found, *(word for _, option in all_options() for word in option.opts if word.startswith("--"))]))
