"""Which keys an experiment states, and which it leaves to their defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from harness.spec import Activation, Layer, Spec

from .places import Trail


def described(tree: Mapping[str, Any], path: Trail, layer: Layer) -> Trail:
    """Where in an experiment's tree a node's keys stand: at the path of the layer that it is a part of, or one step further in.

    Args:
        tree: the experiment as it was written.
        path: of the layer.
        layer: of the node; an activation may stand in its layer's table, or be a layer itself (`"relu"`).
    """
    for key, wanted in (("activation", isinstance(layer, Activation)), ("layer", True)):
        if wanted and states(tree, path, key):
            return (*path, key)
    return path


def states(tree: Mapping[str, Any], trail: Trail, key: str) -> bool:
    """Whether the thing at a trail states a key. Of a spec object nobody knows what was written: it states what is not the default."""
    found: Any = tree
    for step in trail:
        found = getattr(found, str(step)) if isinstance(found, Spec) else found[step]
    if isinstance(found, Spec):
        item = next((item for item in dataclasses.fields(found) if item.name == key), None)
        return item is not None and getattr(found, key) != default(item)
    return isinstance(found, Mapping) and found.get(key) is not None


def default(item: dataclasses.Field[Any]) -> Any:
    """The default of a field; None where it has none."""
    if callable(item.default_factory):
        return item.default_factory()
    return None if item.default is dataclasses.MISSING else item.default
