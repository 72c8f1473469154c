"""`harness explain`."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..report.formats import words
from . import console, options
from .console import notice, result

if TYPE_CHECKING:
    from ..spec import Spec

#: families, in the order in which they are listed
FAMILIES = ("Layer", "ActivationFunction", "Loss", "Optimizer", "Schedule", "Regularizer", "Initializer", "Data")
HEADINGS = {"ActivationFunction": "activations", "Data": "data sets"}


@click.command("explain")
@click.argument("topic", required=False)
@click.option("--defaults/--no-defaults", default=True, show_default=True, help="Whether frameworks are asked what they default.")
@options.results
@options.as_json
@options.quiet
def command(topic: str | None, defaults: bool, results: Path, as_json: bool, quiet: bool) -> None:
    """Explain a layer, activation, loss, optimizer, schedule, regularizer, initializer or data set: its formula and where it is from, its
    keys, and each framework's own call of it, with what that defaults, read from the installed library. Or explain a column or a verdict
    of the tables. Or a saved run: where each arm goes wrong, and why.

    \b
    Examples:
      python -m harness explain batch_normalization
      python -m harness explain Linear
      python -m harness explain step_us
      python -m harness explain latest
    """
    if topic is None:
        overview()
        return
    if explained_word(topic, as_json):
        return
    cls = None if names_run(topic) else located(topic)
    if cls is None:
        from ..tables import load
        from .explain_run import explain_run

        explain_run(load(topic, results), as_json)
        return
    rows, calls = keys(cls), of_frameworks(cls, defaults and bool(cls.calls), quiet)
    if as_json:
        facts = {"type": cls.type, "about": inspect.getdoc(cls), "keys": rows, "calls": calls, "forms": forms(cls)}
        console.document({"schema": "harness.explain/1", **facts})
        return
    result(f"{cls.type}: {kind_of(cls)}")
    result()
    result(textwrap.fill(" ".join((inspect.getdoc(cls) or "").split()), 100, initial_indent="  ", subsequent_indent="  "))
    result()
    names = {"called": "called elsewhere"}
    console.table("Keys", rows, dict.fromkeys(("key", "default", "meaning", "frameworks", "called"), words), names)
    console.table("In each framework", calls, dict.fromkeys(("framework", "call", "defaults", "so that it is the same"), words))
    for name, values in forms(cls).items():
        result(f"Form {name}, each arm is judged in its own:")
        for value, formula in values.items():
            result(f"  {value}: {formula}")
        result()


def explained_word(topic: str, as_json: bool) -> bool:
    """Explain a column or a verdict, if the topic is one."""
    from .glossary import meanings

    found = meanings(topic)
    if as_json and found:
        console.document({"schema": "harness.explain/1", "type": topic, "meanings": [{"is": kind, "about": text} for kind, text in found]})
        return True
    for kind, text in found:
        result(f"{topic}: {kind}")
        result()
        result(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  "))
    return bool(found)


def names_run(topic: str) -> bool:
    """Whether a topic is a run: the last, an id with its time in it, or a folder."""
    return topic.startswith("latest") or re.search(r"\d{8}T\d{6}Z", topic) is not None or (Path(topic) / "arms").is_dir()


def overview() -> None:
    """Everything that can be explained."""
    from .. import spec
    from .glossary import TERMS

    for name in FAMILIES:
        names = ", ".join(sorted(spec.family(getattr(spec, name))))
        result(f"{HEADINGS.get(name, name.lower() + 's')}:")
        result(textwrap.fill(names, 100, initial_indent="  ", subsequent_indent="  "))
    for kind, terms in TERMS.items():
        result(f"{kind.partition(' ')[2]}:")
        result(textwrap.fill(", ".join(terms), 100, initial_indent="  ", subsequent_indent="  "))
    notice("python -m harness explain NAME says more")


def located(topic: str) -> type[Spec]:
    """What a name means: a type, or another framework's name of one.

    Raises:
        UsageError: nothing is called so.
    """
    from .. import spec
    from ..errors import UsageError
    from ..spec.reader import hints

    classes: dict[str, type[Spec]] = {}
    for name in reversed(FAMILIES):
        classes.update(spec.family(getattr(spec, name)))
    guess = None if topic in classes else hints.known(topic, {name: cls.also for name, cls in classes.items()})
    if guess is not None:
        notice(f'"{topic}": {guess.hint}')
    found = classes.get(guess.name if guess else topic)
    if found is None:
        near = hints.near(topic, {name: {} for name in classes}, hints.KEY_LIKENESS)
        raise UsageError(f'nothing is called "{topic}"', near.hint if near else "python -m harness explain lists all names")
    return found


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
        with console.Work("asking ", quiet or not sys.stderr.isatty()) as work:
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
