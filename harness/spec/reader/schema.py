"""A JSON-Schema (draft 7) of experiment files, made of the spec classes: for editors, which then complete and check while one types. The
program's own checker is the judge."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_origin

from harness.spec import ActivationFunction, Experiment, Layer, Spec, family

from . import keys, values
from .words import UNIONS

#: what a type is in JSON
PLAIN = {int: "integer", float: "number", bool: "boolean", str: "string"}
#: limits, and what JSON-Schema calls them
LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of an experiment file."""
    definitions: dict[str, Schema] = {}
    whole = table(Experiment, definitions)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "harness experiment",
        **whole,
        "definitions": definitions,
    }


def table(cls: type[Spec], definitions: dict[str, Schema]) -> Schema:
    """The keys of one thing."""
    fields = dataclasses.fields(cls)
    types = values.types(cls)
    found: Schema = {
        "type": "object",
        "description": first_paragraph(cls),
        "properties": {item.name: described(item, types[item.name], definitions) for item in fields},
        "additionalProperties": False,
    }
    required = [item.name for item in fields if keys.required(item)]
    return {**found, "required": required} if required else found


def described(item: values.Field, hint: Any, definitions: dict[str, Schema]) -> Schema:
    """One key: its type, limits, meaning and default."""
    found = typed(hint, item.metadata, definitions)
    if "$ref" in found:  # draft 7 ignores whatever stands beside a reference
        found = {"allOf": [found]}
    meaning = item.metadata.get("description", "")
    default = item.default
    shown = {"default": default} if type(default) in PLAIN and not keys.required(item) else {}
    return {**found, "description": meaning, **shown}


def typed(hint: Any, limits: Any, definitions: dict[str, Schema]) -> Schema:
    """What a type looks like in JSON."""
    if get_origin(hint) in UNIONS:
        return {"anyOf": [typed(part, limits, definitions) for part in get_args(hint)]}
    if get_origin(hint) is tuple:
        items = get_args(hint)[0]
        least = {"minItems": limits["min_length"]} if limits.get("min_length") else {}
        return {"type": "array", "items": {} if items is Any else typed(items, limits, definitions), **least}
    if isinstance(hint, type) and issubclass(hint, Spec):
        return reference(hint, definitions)
    choices = {"enum": list(limits["choices"])} if hint is str and limits.get("choices") else {}
    bounds = {name: limits[key] for key, name in LIMITS.items() if key in limits and hint in (int, float)}
    return {"type": PLAIN[hint], **choices, **bounds}


def reference(base: type[Spec], definitions: dict[str, Schema]) -> Schema:
    """A section, or a member of a family, by reference to its definition."""
    if base.__name__ not in definitions:
        definitions[base.__name__] = {}  # families may hold themselves: a residual has layers
        members = {**family(base), **(family(ActivationFunction) if base is Layer else {})}
        definitions[base.__name__] = of_family(members, definitions) if members else table(base, definitions)
    return {"$ref": f"#/definitions/{base.__name__}"}


def of_family(members: dict[str, type[Spec]], definitions: dict[str, Schema]) -> Schema:
    """A type in quotes, or a table with a type. One condition a type, not one `anyOf`: an editor then says what is wrong with the type that
    is there, instead of "valid under none"."""
    alone = [name for name, cls in members.items() if not any(keys.required(item) for item in dataclasses.fields(cls))]
    for name, cls in members.items():
        definitions.setdefault(cls.__name__, with_type(name, table(cls, definitions)))
    cases = [
        {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": {"$ref": f"#/definitions/{cls.__name__}"}}
        for name, cls in members.items()
    ]
    as_table = {"type": "object", "required": ["type"], "properties": {"type": {"enum": list(members)}}, "allOf": cases}
    return {"if": {"type": "string"}, "then": {"enum": alone}, "else": as_table}


def with_type(name: str, found: Schema) -> Schema:
    """A member's keys, its type among them."""
    return {**found, "properties": {"type": {"const": name}, **found["properties"]}}


def first_paragraph(cls: type[Spec]) -> str:
    """What a class says of itself."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())
