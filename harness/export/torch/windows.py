"""Zeros around windows, and what PyTorch pads itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .text import Part, one, unless

#: zeros before and behind each axis
Pads = Sequence[tuple[int, int]]


def sides(pads: Pads) -> tuple[int, ...]:
    """As functional.pad takes them: the last axis first."""
    return tuple(number for both in reversed(pads) for number in both)


def own_padding(pads: Pads, most: Sequence[int]) -> Part | None:
    """What an operation pads itself, where that is as much on both sides and at most so much an axis; None where it cannot."""
    fits = all(before == behind and before <= limit for (before, behind), limit in zip(pads, most, strict=False))
    return one([before for before, _ in pads]) if fits else None


def moving(layer: Any) -> dict[str, Part | None]:
    """Stride and dilation as options of a module, where they are not 1."""
    return {"stride": unless(1, one(layer.stride)), "dilation": unless(1, one(layer.dilation))}
