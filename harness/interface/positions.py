"""Tables of positions, the same numbers for every framework."""

from __future__ import annotations

from typing import Any, Tuple

import numpy


def sinusoids(steps: int, features: int, base: float) -> Any:
    """P of sinusoidal_positions, float32 `(steps, features)`: sines in even columns, cosines in odd ones."""
    columns = numpy.arange(features)
    angles = numpy.arange(steps)[:, None] / base ** (2 * (columns // 2) / features)
    return numpy.where(columns % 2, numpy.cos(angles), numpy.sin(angles)).astype(numpy.float32)


def rotations(steps: int, size: int, base: float) -> Tuple[Any, Any]:
    """Cosines and sines of rotary positions, float64 `(steps, size / 2)` each: of t base^(-2 i / size) at step t for pair i."""
    angles = numpy.arange(steps)[:, None] * base ** (-2 * numpy.arange(size // 2) / size)
    return numpy.cos(angles), numpy.sin(angles)
