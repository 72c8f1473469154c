"""All parameters of a program as one vector, in the order of its nodes."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ..spec import ProgramSpec
from .values import Arrays


def parameter_vector(spec: ProgramSpec, parameters: Arrays) -> Any:
    """Parameters by name as one float64 vector `(numbers,)`."""
    return numpy.concatenate([numpy.asarray(parameters[item.name], numpy.float64).reshape(-1) for item in spec.parameters])


def parameter_arrays(spec: ProgramSpec, vector: Any) -> Arrays:
    """A vector `(numbers,)` as parameters by name: views of it."""
    found: Arrays = {}
    start = 0
    for item in spec.parameters:
        stop = start + math.prod(item.shape)
        found[item.name] = vector[start:stop].reshape(item.shape)
        start = stop
    return found
