"""Arrays written out in an experiment: nested lists of numbers, every list of one depth equally long."""

from __future__ import annotations

from typing import Any

from harness.spec import SpecProblem, float32
from harness.spec.layers import by

from .places import Trail
from .problem import Finding
from .words import shown


def numbers(name: str, raw: object, trail: Trail) -> tuple[Any, list[Finding]]:
    """Nested lists as nested tuples of floats, or what is wrong with them."""
    if not isinstance(raw, list | tuple):
        return None, [Finding(trail, "wrong-type", f'"{name}" must be nested lists of numbers, not {shown(raw)}')]
    findings: list[Finding] = []
    value = nested(raw, trail, name, findings)
    if not findings:
        try:
            shape(value, trail)
        except SpecProblem as odd:
            findings.append(Finding(odd.path, odd.code, f'the lists in "{name}" must be equally long: {odd.message}'))  # type: ignore[arg-type]
    return value, findings


def nested(raw: object, trail: Trail, name: str, findings: list[Finding]) -> Any:
    """Nested lists as nested tuples of floats; adds a finding for each thing in them that is no number."""
    if isinstance(raw, list | tuple):
        return tuple(nested(part, (*trail, index), name, findings) for index, part in enumerate(raw))
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        findings.append(Finding(trail, "wrong-type", f'"{name}" must be nested lists of numbers, not {shown(raw)}'))
    elif not fits(raw):
        findings.append(Finding(trail, "out-of-range", f'"{name}" must hold numbers that float32 can hold, not {shown(raw)}'))
    else:
        return float(raw)
    return None


def fits(number: float) -> bool:
    """Whether a number is finite, in float32 too."""
    try:
        return abs(float32(number)) < float("inf")
    except OverflowError:
        return False


def shape(value: object, trail: Trail) -> tuple[int, ...]:
    """The shape of nested tuples.

    Raises:
        SpecProblem: at the first part of another shape than the part at its list's beginning.
    """
    if not isinstance(value, tuple):
        return ()
    shapes = [shape(part, (*trail, index)) for index, part in enumerate(value)]
    for index, found in enumerate(shapes):
        if found != shapes[0]:
            raise SpecProblem((*trail, index), f"{by(found)} here, {by(shapes[0])} before", code="ragged")
    return (len(value), *(shapes[0] if shapes else ()))
