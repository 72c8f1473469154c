"""Numbers, words and lists of them: checked by pydantic's core, its findings told in our words.

Not by a `TypeAdapter` over the dataclasses: in strict mode that takes no mapping, it cannot hold `gt` against one half of
`int | "full"`, a union of its models knows no plug-in's types, and it costs 75 ms of start where the core costs 13.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic_core import CoreSchema, SchemaValidator, ValidationError
from pydantic_core import core_schema as core

from harness.spec import Spec, float32

from . import hints
from .arrays import fits, numbers
from .places import Trail
from .problem import Finding
from .words import UNIONS, shown, wanted

BOUNDS = {
    "greater_than": ("gt", "greater than"), "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"), "less_than_equal": ("le", "at most"),
}  # fmt: skip
EMPTY = ("too_short", "string_too_short")
FINITE = "finite_number"

Field = dataclasses.Field[Any]


#: made once each; by hand, since mypy thinks that classes of dataclasses have no hash
TYPES: dict[type[Spec], dict[str, Any]] = {}
VALIDATORS: dict[tuple[type[Spec], str], SchemaValidator] = {}


def types(cls: type[Spec]) -> dict[str, Any]:
    """The type of each field. `Optional[X]` counts as X: TOML says nothing by leaving a key out."""
    if cls not in TYPES:
        found = get_type_hints(cls)
        TYPES[cls] = {item.name: present(found[item.name]) for item in dataclasses.fields(cls)}
    return TYPES[cls]


def present(hint: Any) -> Any:
    """A type without its None."""
    if get_origin(hint) not in UNIONS:
        return hint
    return Union[tuple(part for part in get_args(hint) if part is not type(None))]


def check(cls: type[Spec], item: Field, raw: object, trail: Trail) -> tuple[Any, list[Finding]]:
    """The value of a field as its class wants it, or what is wrong with it."""
    if get_args(types(cls)[item.name])[:1] == (Any,):
        return numbers(item.name, raw, trail)
    value, findings = validated(cls, item, raw, trail)
    if findings or not isinstance(value, float):
        return value, findings
    return value, after_rounding(cls, item, value, trail)


def after_rounding(cls: type[Spec], item: Field, value: float, trail: Trail) -> list[Finding]:
    """A number's limits must hold for what becomes of it in float32, too."""
    if not fits(value):
        return [Finding(trail, "out-of-range", f'"{item.name}" must be a number that float32 can hold, not {shown(value)}')]
    rounded = float32(value)
    findings = validated(cls, item, rounded, trail)[1]
    return [finding._replace(hint=f"float32 rounds {shown(value)} to {shown(rounded)}") for finding in findings]


def validated(cls: type[Spec], item: Field, raw: object, trail: Trail) -> tuple[Any, list[Finding]]:
    """A value that pydantic's core accepts, its lists made tuples; or what is wrong with it."""
    raw = list(raw) if isinstance(raw, tuple) else raw
    try:
        value = validator(cls, item).validate_python(raw)
    except ValidationError as problem:
        return None, told(item, types(cls)[item.name], raw, trail, problem.errors(include_url=False))
    return tuple(value) if isinstance(value, list) else value, []


def validator(cls: type[Spec], item: Field) -> SchemaValidator:
    """What checks one field."""
    key = (cls, item.name)
    if key not in VALIDATORS:
        VALIDATORS[key] = SchemaValidator(schema(types(cls)[item.name], item.metadata))
    return VALIDATORS[key]


def schema(hint: Any, limits: Mapping[str, Any]) -> CoreSchema:
    """The schema of a field. Of a list, the limits on numbers and the choices hold for its items."""
    least, choices = limits.get("min_length"), limits.get("choices")
    if get_origin(hint) in UNIONS:
        return core.union_schema([schema(part, limits) for part in get_args(hint)])
    if get_origin(hint) is tuple:
        items = schema(get_args(hint)[0], {**limits, "min_length": None})
        return core.list_schema(items, min_length=least, strict=True)
    if hint is str:
        return core.literal_schema(list(choices)) if choices else core.str_schema(strict=True, min_length=least)
    bounds = {name: limits[name] for name in ("gt", "ge", "lt", "le") if name in limits}
    if hint is int:
        return core.int_schema(strict=True, **{"ge": -(2**63), "le": 2**63 - 1, **bounds})  # as TOML has it
    if hint is float:
        return core.float_schema(strict=True, allow_inf_nan=False, **bounds)
    return core.bool_schema(strict=True) if hint is bool else other(hint)


def other(hint: Any) -> CoreSchema:
    """The schema of a type that only a plug-in uses."""
    from pydantic import ConfigDict, TypeAdapter  # 40 ms that only a plug-in pays

    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False)).core_schema


def told(item: Field, hint: Any, raw: object, trail: Trail, errors: Iterable[Any]) -> list[Finding]:
    """What pydantic found, in our words: of a union's branches only the one that was meant, and one finding for each place."""
    found = [(tuple(part for part in error["loc"] if isinstance(part, int)), error) for error in errors]
    deepest = max(len(inner) for inner, _ in found)
    found.sort(key=lambda pair: (pair[0], pair[1]["type"] in (*BOUNDS, *EMPTY, FINITE)))
    meant = {inner: error for inner, error in found if len(inner) == deepest}  # a limit rather than a wrong type
    return [
        Finding(trail + inner, *one(item, wanted(hint, choices(item), bool(inner)), inner, at(raw, inner), error))
        for inner, error in meant.items()
    ]


def choices(item: Field) -> tuple[str, ...]:
    """The words that a field can be."""
    return tuple(item.metadata.get("choices", ()))


def one(item: Field, right: str, inner: Trail, value: object, error: Mapping[str, Any]) -> tuple[str, str, str]:
    """Code, message and hint of one finding: a limit that does not hold, or not what is wanted at all."""
    what = f'"{item.name}"' if not inner else f'number {int(inner[0]) + 1} of "{item.name}"'
    meaning = str(item.metadata.get("description", ""))
    if error["type"] in EMPTY:
        return "out-of-range", f"{what} must not be empty", meaning
    if error["type"] == FINITE:
        return "out-of-range", f"{what} must be finite, not {shown(value)}", meaning
    if error["type"] in BOUNDS:
        limit, words = BOUNDS[error["type"]]
        return "out-of-range", f"{what} must be {words} {error['ctx'][limit]:g}, not {shown(value)}", meaning
    message = f"{what} must be {right}, not {shown(value)}"
    if not choices(item) or not isinstance(value, str):
        return "wrong-type", message, meaning
    guess = hints.guess(value, {name: {} for name in choices(item)}, hints.CHOICE_LIKENESS)
    return "unknown-choice", message, guess.hint if guess else meaning


def at(raw: Any, trail: Trail) -> object:
    """The item of a value that a trail leads to."""
    for step in trail:
        raw = raw[step]
    return raw
