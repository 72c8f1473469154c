"""An experiment as the tree that it is read from: dicts and lists, without what is a default anyway."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict

from .experiment import Experiment
from .fields import Spec, float32

#: digits with which every float32 can be written
DIGITS = 9


def tree_of(experiment: Experiment) -> Dict[str, Any]:
    """The tree that is read as this experiment."""
    tree: Dict[str, Any] = plain(experiment)
    if isinstance(tree["data"], str):
        tree["data"] = {"type": tree["data"]}
    return tree


def plain(value: Any, item: bool = False) -> Any:
    """A spec as a table of what is no default, or as its type alone where that says all; an item of a list is always a table."""
    if isinstance(value, Spec):
        table = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if told(value, field)}
        if not value.type:
            return table
        return {"type": value.type, **table} if table or item else value.type
    if isinstance(value, tuple):
        return [plain(part, True) for part in value]
    return short(value) if isinstance(value, float) else value


def told(spec: Spec, field: "dataclasses.Field[Any]") -> bool:
    """Whether a field has to be written down."""
    value = getattr(spec, field.name)
    default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    default = float32(default) if isinstance(default, float) else default  # as the value was, when it was read
    return value is not None and (bool(field.metadata.get("required")) or value != default)


def short(number: float) -> float:
    """The number with the fewest digits that float32 rounds to the same."""
    texts = (f"{number:.{digits}g}" for digits in range(1, DIGITS))
    return next((float(text) for text in texts if float32(float(text)) == number), number)
