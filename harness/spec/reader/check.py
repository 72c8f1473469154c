"""From an experiment's tree (dicts, lists, numbers, words) to its dataclasses, or to everything that is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from harness.spec import Activation, ActivationFunction, Experiment, Layer, Spec, Train, family

from . import hints, keys, rules, values
from .places import Trail
from .problem import Finding
from .words import kind, quoted, shown, thing

Tree = Mapping[str, Any]


def check(tree: Tree) -> tuple[Experiment | None, list[Finding]]:
    """The experiment that a tree describes, or all that is wrong with it."""
    checker = Checker()
    experiment = checker.table(Experiment, tree, ())
    findings = checker.all_findings()
    return (None, findings) if findings else (experiment, [])


@dataclass
class Checker:
    """Walks over one tree and collects what is wrong. What is made of a wrong part is None and never used."""

    findings: list[Finding] = field(default_factory=list)
    #: missing keys; for each, those of which one would do
    missing: list[tuple[Finding, set[str]]] = field(default_factory=list)
    #: keys for which a misspelt or misplaced one stands in
    stand_ins: set[Trail] = field(default_factory=set)

    def all_findings(self) -> list[Finding]:
        """What is wrong; a missing key is left out where another one stands in for it."""
        missing = [found for found, keys in self.missing if self.stand_ins.isdisjoint((*found.trail, key) for key in keys)]
        return self.findings + missing

    def wrong(self, trail: Trail, code: str, message: str, hint: str = "", at_key: bool = False) -> None:
        """Note one finding."""
        self.findings.append(Finding(trail, code, message, hint, at_key))

    def table(self, cls: type[Spec], tree: Tree, trail: Trail, made: Tree | None = None) -> Any:
        """One thing from its parameters; `made` are those that are ready."""
        before = len(self.findings) + len(self.missing)
        fields = {item.name: item for item in dataclasses.fields(cls)}
        given: dict[str, Any] = dict(made or {})
        for key, raw in tree.items():
            if key not in fields:
                self.unknown_key(cls, str(key), tree, trail)
            elif raw is not None:  # how Python leaves a key out
                given[key] = self.value(cls, fields[key], raw, (*trail, key))
        for item in fields.values():
            if keys.required(item) and item.name not in given:
                self.missing_key(cls, item, trail)
        if cls is Train:
            self.length(tree, trail)
        return cls(**given) if len(self.findings) + len(self.missing) == before else None

    def value(self, cls: type[Spec], item: values.Field, raw: object, trail: Trail) -> Any:
        """The value of one field: a thing, several things, or numbers and words."""
        hint = values.types(cls)[item.name]
        if is_spec(hint):
            return self.one(hint, raw, trail)
        if get_origin(hint) is tuple and is_spec(get_args(hint)[0]):
            return self.several(get_args(hint)[0], item, raw, trail)
        value, findings = values.check(cls, item, raw, trail)
        self.findings += findings + rules.of_field(cls, item.name, raw, trail)
        return value

    def several(self, base: type[Spec], item: values.Field, raw: object, trail: Trail) -> Any:
        """A list of things."""
        meaning = item.metadata.get("description", "")
        if not isinstance(raw, list | tuple):
            return self.wrong(trail, "wrong-type", f'"{item.name}" must be a list, not {shown(raw)}', meaning)
        if not raw:
            return self.wrong(trail, "out-of-range", f'"{item.name}" must not be empty', meaning)
        return tuple(self.one(base, part, (*trail, index)) for index, part in enumerate(raw))

    def one(self, base: type[Spec], raw: Any, trail: Trail) -> Any:
        """One thing: made already, a section, a type alone, or a table with a type."""
        if isinstance(raw, base):
            return raw
        if not members(base):
            return self.section(base, raw, trail)
        if isinstance(raw, str):
            return self.typed(base, raw, {}, trail, trail)
        if isinstance(raw, Mapping) and isinstance(name := raw.get("type"), str):
            return self.typed(base, name, without(raw, "type"), trail, (*trail, "type"))
        return self.untyped(base, raw, trail)

    def section(self, cls: type[Spec], raw: Any, trail: Trail) -> Any:
        """A table of which there is one kind."""
        if isinstance(raw, Mapping):
            return self.table(cls, raw, trail)
        return self.wrong(trail, "wrong-type", f"{label(trail)} must be a table, not {shown(raw)}", f"write [{trail[-1]}]")

    def typed(self, base: type[Spec], name: str, tree: Tree, trail: Trail, place: Trail) -> Any:
        """A thing of a family by the name of its type, which stands at `place`."""
        kinds, functions = members(base), members(ActivationFunction) if base is Layer else {}
        if name in kinds:
            return self.table(kinds[name], tree, trail)
        if name in functions:
            return self.activation(functions[name], tree, trail, place)
        also = {key: cls.also for key, cls in (kinds | functions).items()}
        guess = hints.guess(name, also, hints.TYPE_LIKENESS)
        hint = guess.hint if guess else f"types are {quoted(also)}"
        return self.wrong(place, "unknown-type", f"unknown {kind(base)} {shown(name)}", hint)

    def activation(self, function: type[Spec], tree: Tree, trail: Trail, place: Trail) -> Any:
        """An activation as a layer: `"relu"` or `{ type = "relu" }`; but "linear" with units was meant to be a dense layer."""
        parts = without(tree, "name")
        strange = sorted(parts.keys() - values.types(function))
        meant = hints.known(function.type, {key: cls.also for key, cls in members(Layer).items()})
        if strange and meant:
            message = f'"{function.type}" is an activation and takes no {quoted(strange)}'
            return self.wrong(place, "unknown-type", message, meant.hint)
        made = self.table(function, parts, trail)
        return self.table(Activation, {key: tree[key] for key in tree if key == "name"}, trail, {"activation": made})

    def untyped(self, base: type[Spec], raw: Any, trail: Trail) -> None:
        """Something without a type that could be read."""
        types = f"types are {quoted(members(base))}"
        if not isinstance(raw, Mapping):
            message = f"{label(trail)} must be a type in quotes or a table with a type, not {shown(raw)}"
            return self.wrong(trail, "wrong-type", message, types)
        if "type" in raw:
            return self.wrong((*trail, "type"), "wrong-type", f'"type" must be text in quotes, not {shown(raw["type"])}', types)
        for key in raw:
            if guess := hints.guess(str(key), {"type": {"kind": "other tools", "class_name": "Keras"}}, hints.KEY_LIKENESS):
                return self.wrong(
                    (*trail, key), "unknown-key", f"unknown key {shown(key)} in {label(trail)}", guess.hint, at_key=True
                )
        return self.wrong(trail, "missing-key", f'"type" is missing in {label(trail)}', types)

    def missing_key(self, cls: type[Spec], item: values.Field, trail: Trail) -> None:
        """A key that must be given."""
        hint = item.metadata.get("defaults") or item.metadata.get("description", "")
        section = not trail and is_spec(values.types(cls)[item.name])
        message = f"[{item.name}] is missing" if section else f'"{item.name}" is missing in {thing(cls, trail)}'
        self.missing.append((Finding(trail, "missing-key", message, hint), {item.name}))

    def unknown_key(self, cls: type[Spec], key: str, tree: Tree, trail: Trail) -> None:
        """A key that is not known here."""
        meant, hint = keys.meant(cls, key, trail)
        if meant and (meant[:-1] != trail or meant[-1] not in tree):
            self.stand_ins.add(meant)
        self.wrong((*trail, key), "unknown-key", f"unknown key {shown(key)} in {thing(cls, trail)}", hint, at_key=True)

    def length(self, tree: Tree, trail: Trail) -> None:
        """Exactly one of epochs and steps."""
        self.findings += rules.both(tree, trail)
        if not any(key in tree for key in rules.EITHER):
            message, hint = '"epochs" or "steps" is missing in [train]', "passes over the training rows, or optimizer steps"
            self.missing.append((Finding(trail, "missing-key", message, hint), set(rules.EITHER)))


def is_spec(hint: object) -> bool:
    """Whether a type is one of ours."""
    return isinstance(hint, type) and issubclass(hint, Spec)


def members(base: type[Spec]) -> dict[str, type[Spec]]:
    """The types that can stand where a family is asked for; none for a section, which has no type."""
    return {**family(base), **({base.type: base} if base.type else {})}


def without(tree: Tree, name: str) -> dict[str, Any]:
    """A table less one key."""
    return {key: raw for key, raw in tree.items() if key != name}


def label(trail: Trail) -> str:
    """What stands at a trail, as long as its type is not known."""
    last = trail[-1]
    return f'number {last + 1} of "{trail[-2]}"' if isinstance(last, int) else f'"{last}"'
