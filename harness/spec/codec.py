"""Specs as JSON, for the pipe to a worker and for records: `{"is": "Dense", "units": 10, ...}`. Nothing is executed: only
classes of this package are made, by name."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any, Dict, Mapping

from .datasets import Data
from .experiment import Compare, Experiment, Model, Train
from .fields import family
from .graph import Node
from .initializers import Initializer
from .layers import ActivationFunction, Layer
from .losses import Loss
from .optimizers import Optimizer
from .program import ProgramSpec
from .regularizers import Regularizer
from .schedules import Schedule


@lru_cache(maxsize=None)
def classes() -> Dict[str, Any]:
    """Every class that can stand in a file, by name."""
    plain = (Experiment, Model, Train, Compare, Node, ProgramSpec)
    families = (Data, Initializer, ActivationFunction, Layer, Loss, Optimizer, Regularizer, Schedule)
    found: Dict[str, Any] = {cls.__name__: cls for cls in plain}
    for base in families:
        found.update({cls.__name__: cls for cls in family(base).values()})
    return found


def encode(value: Any) -> Any:
    """A spec as dicts, lists, strings and numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {item.name: encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return {"is": type(value).__name__, **items}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(value: Any) -> Any:
    """The spec that `encode` wrote.

    Raises:
        ValueError: a class is named that is none of ours.
    """
    if isinstance(value, dict):
        items = {key: decode(item) for key, item in value.items() if key != "is"}
        if "is" not in value:
            return items
        known = classes()
        if value["is"] not in known:
            raise ValueError(f"unknown spec class {value['is']!r}")
        return known[value["is"]](**items)
    if isinstance(value, list):
        return tuple(decode(item) for item in value)
    return value
