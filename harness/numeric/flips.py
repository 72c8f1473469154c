"""Units that stand on the other side of a kink: zero for one, not for the other."""

from __future__ import annotations

from typing import Any

import numpy

from ..interface import Arrays

#: units that are named
NAMED = 3


def flips(tensors: Arrays, reference: Arrays) -> list[dict[str, Any]]:
    """Where exactly one of an arm and the reference is zero, in the first output, or gradient at an output, in which that is so: a
    rectifier that is on for one and off for the other, another largest number. Rows of `node`, `index`, `found`, `right`, the smallest
    first."""
    for kind in ("outputs", "output_gradients"):
        for name, right in reference.items():
            if name.partition("/")[0] != kind or name not in tensors or numpy.shape(tensors[name]) != numpy.shape(right):
                continue
            found = tensors[name]
            rows = of_one(name.partition("/")[2], numpy.asarray(found, numpy.float64), numpy.asarray(right, numpy.float64))
            if rows:
                return rows
    return []


def of_one(node: str, found: Any, right: Any) -> list[dict[str, Any]]:
    """The units of one tensor."""
    places = numpy.argwhere((found == 0) != (right == 0))
    order = sorted(places.tolist(), key=lambda place: abs(found[tuple(place)]) + abs(right[tuple(place)]))
    return [
        {"node": node, "index": place, "found": float(found[tuple(place)]), "right": float(right[tuple(place)])}
        for place in order[:NAMED]
    ]
