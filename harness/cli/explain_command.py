"""`harness explain`."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..report.formats import words
from ..report.parts import Section, Text, table
from . import complete, options
from .answer import Answer, write
from .console import drawn, notice
from .progress import Work

if TYPE_CHECKING:
    from ..spec import Spec

#: families, in the order in which they are listed
FAMILIES = ("Layer", "ActivationFunction", "Loss", "Optimizer", "Schedule", "Regularizer", "Initializer", "Data")
HEADINGS = {"ActivationFunction": "activations", "Loss": "losses", "Data": "data sets"}


@click.command("explain", context_settings={"ignore_unknown_options": True})
@click.argument("topic", nargs=-1, type=click.UNPROCESSED, shell_complete=complete.words)
@click.option("--defaults/--no-defaults", default=True, show_default=True, help="Whether frameworks are asked what they default.")
@options.results
@options.forms
@options.quiet
def command(topic: tuple[str, ...], defaults: bool, results: Path, form: str | None, table: str | None, quiet: bool) -> None:
    """Explain any word that harness says or takes.

    A layer, activation, loss, optimizer, schedule, regularizer, initializer or data set: its formula and where it is from, its keys, and
    each framework's own call of it, with what that defaults, read from the installed library. A column, a verdict, the code of an error, an
    exit code, an arm, a key, an option. Or a saved run: where each arm goes wrong, and why. Without a TOPIC all words, grouped.

    \b
    Examples:
      python -m harness explain batch_normalization
      python -m harness explain Linear             # other frameworks' names, too
      python -m harness explain unknown-key       # the word in error[unknown-key]
      python -m harness explain step_us            # a column
      python -m harness explain exit 3
      python -m harness explain --sweep
      python -m harness explain latest             # a run
    """
    write(answer(" ".join(topic), results, defaults, quiet), form, table)


def answer(topic: str, results: Path, defaults: bool, quiet: bool) -> Answer:
    """What is known of a topic.

    Raises:
        UsageError: nothing is called so.
    """
    from .glossary import meanings

    if not topic:
        return overview()
    if names_run(topic):
        from ..tables import load
        from . import explain_run

        return explain_run.answer(load(topic, results))
    cls = classes().get(topic)
    found = [] if cls else [*meanings(topic), *arms(topic)]
    if found:
        return of_word(topic, found)
    cls = cls or located(topic)
    return of_type(cls, of_frameworks(cls, defaults and bool(cls.calls), quiet))


def of_word(topic: str, found: Sequence[tuple[str, str, str]]) -> Answer:
    """A word that is no type."""
    rows = [{"word": name, "is": kind, "about": text} for kind, name, text in found]
    return Answer(
        lambda: [Section("", "", [paragraphs(f"{row['word']}: {row['is']}", row["about"])]) for row in rows],
        lambda: {"schema": "harness.explain/1", "type": topic, "meanings": rows}, lambda: {"meanings": rows},
    )  # fmt: skip


def of_type(cls: type[Spec], calls: list[dict[str, str]]) -> Answer:
    """A layer, loss, ..."""
    rows, about = keys(cls), inspect.getdoc(cls) or ""
    facts = {"type": cls.type, "about": about, "keys": rows, "calls": calls, "forms": forms(cls)}

    def sections() -> list[Section]:
        columns = dict.fromkeys(("key", "default", "meaning", "frameworks", "called"), words)
        called = dict.fromkeys(("framework", "call", "defaults", "so that it is the same"), words)
        fixed = [
            Text([f"Form {name}, each arm is judged in its own:", *(f"  {value}: {formula}" for value, formula in values.items())])
            for name, values in forms(cls).items()
        ]
        return [
            Section("about", "", [paragraphs(f"{cls.type}: {kind_of(cls)}", about)]),
            Section("keys", "Keys", [table(rows, columns, {"called": "called elsewhere"})]),
            Section("calls", "In each framework", [table(calls, called)]),
            Section("forms", "", fixed),
        ]

    return Answer(sections, lambda: {"schema": "harness.explain/1", **facts}, lambda: {"keys": rows, "calls": calls})


def paragraphs(head: str, about: str) -> Text:
    """What something is, and what is said of it, indented."""
    return Text([head, "", filled(about)])


#: columns of explanations, at most
WIDTH = 100


def filled(text: str) -> str:
    """A text in lines, indented: as wide as a window lets them be, and the same in every pipe."""
    width = min(WIDTH, shutil.get_terminal_size().columns) if drawn() else WIDTH
    return textwrap.fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  ")


def arms(topic: str) -> list[tuple[str, str, str]]:
    """An arm: what it is, and whether it can start here."""
    from ..registry import Arm, backends
    from .list_command import where

    found = [(Arm(backend.name, mode), backend) for backend in backends().values() for mode in backend.modes]
    return [("an arm", arm.name, f"{backend.title} Here: {where(arm, backend)}.") for arm, backend in found if arm.name == topic]


def names_run(topic: str) -> bool:
    """Whether a topic is a run: the last, an id with its time in it, or a folder."""
    return topic.startswith("latest") or re.search(r"\d{8}T\d{6}Z", topic) is not None or (Path(topic) / "arms").is_dir()


def overview() -> Answer:
    """Everything that can be explained, by what it is."""
    from .. import spec
    from ..registry import Arm, backends
    from .glossary import TERMS, all_keys, all_options

    found = {HEADINGS.get(name, f"{name.lower()}s"): sorted(spec.family(getattr(spec, name))) for name in FAMILIES}
    found |= {kind.partition(" ")[2]: list(terms) for kind, terms in TERMS.items()}
    found["arms"] = [Arm(backend.name, mode).name for backend in backends().values() for mode in backend.modes]
    found["keys of experiments"] = sorted({item.name for _, item in all_keys()})
    found["options"] = sorted({word for _, option in all_options() for word in option.opts if word.startswith("--")})
    rows = [{"is": kind, "word": word} for kind, some in found.items() for word in some]
    return Answer(
        lambda: [Section("", "", [Text([f"{kind}:", filled(", ".join(some))])]) for kind, some in found.items()],
        lambda: {"schema": "harness.explain/1", "words": found}, lambda: {"words": rows},
    )  # fmt: skip


def classes() -> dict[str, type[Spec]]:
    """All types by name; of two of one name the first family's."""
    from .. import spec

    return {name: cls for family in reversed(FAMILIES) for name, cls in spec.family(getattr(spec, family)).items()}


def located(topic: str) -> type[Spec]:
    """The type that another framework calls so.

    Raises:
        UsageError: nothing is called so.
    """
    from ..spec.reader import hints
    from .glossary import all_words

    known = classes()
    guess = hints.known(topic, {name: cls.also for name, cls in known.items()})
    if guess is None:
        near = hints.near(topic, {name: {} for name in (*known, *all_words())}, hints.KEY_LIKENESS)
        raise UsageError(f'nothing is called "{topic}"', near.hint if near else "python -m harness explain lists all words")
    notice(f'"{topic}": {guess.hint}')
    return known[guess.name]


def kind_of(cls: type[Spec]) -> str:
    """What family it is of."""
    from .. import spec

    name = next(name for name in FAMILIES if issubclass(cls, getattr(spec, name)))
    return {
        "ActivationFunction": "an activation",
        "Initializer": "an initializer",
        "Optimizer": "an optimizer",
        "Data": "a data set",
    }.get(name, f"a {name.lower()}")


def keys(cls: type[Spec]) -> list[dict[str, Any]]:
    """One row a key; those that every layer has are left out, but for `inputs` where it takes several."""
    from ..spec import Layer
    from ..spec.reader.keys import required

    common = {"name"} | ({"inputs"} if getattr(cls, "arity", ()) == (1, 1) else set()) if issubclass(cls, Layer) else set()
    rows = []
    for item in dataclasses.fields(cls):
        if item.name in common:
            continue
        also = item.metadata.get("also", {})
        rows.append({
            "key": item.name,
            "default": "needed" if required(item) else default_of(item),
            "meaning": item.metadata.get("description", ""),
            "frameworks": item.metadata.get("defaults", ""),
            "called": ", ".join(f"{name} ({owner})" for name, owner in also.items()),
        })  # fmt: skip
    return rows


def default_of(item: dataclasses.Field[Any]) -> str:
    """A key's default as it is written in an experiment; nothing where it has none."""
    value = (
        item.default
        if item.default is not dataclasses.MISSING
        else item.default_factory()
        if callable(item.default_factory)
        else None
    )
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "type", value))


def of_frameworks(cls: type[Spec], ask: bool, quiet: bool) -> list[dict[str, str]]:
    """One row a framework: its call, and what that defaults."""
    from ..execution.installed import signatures

    found: dict[str, Any] = {}
    failed: dict[str, str] = {}
    if ask:
        with Work("asking", quiet, telling=False) as work:
            found, failed = signatures({backend: [call.path] for backend, call in cls.calls.items() if "." in call.path}, work)
    rows = []
    for backend, call in cls.calls.items():
        parameters = found.get(backend, {}).get(call.path, {})
        absent = "not in the version that is installed" if parameters is None else failed.get(backend, "")
        defaults = [f"{name} = {parameters[name]}" for name in call.names.values() if parameters and parameters.get(name)]
        row = {"framework": backend, "call": call.path, "so that it is the same": call.note}
        rows.append({**row, "defaults": ", ".join(defaults) or absent})
    return rows


def forms(cls: type[Spec]) -> dict[str, dict[str, str]]:
    """The formulas that frameworks fix differently under this name."""
    from ..spec import FORMS

    return {
        name: dict(values)
        for name, values in FORMS.items()
        if name.partition(".")[0] in (cls.type, *(base.type for base in cls.__mro__ if hasattr(base, "type")))
    }
