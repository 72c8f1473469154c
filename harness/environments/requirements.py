"""Requirements as pip takes them."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


def wrong_requirement(text: str) -> str:
    """What is wrong with a requirement as pip takes it; "" if nothing."""
    try:
        Requirement(text)
    except InvalidRequirement as problem:
        return f'has "{text}", which is no requirement: {str(problem).splitlines()[0]}'
    return ""


def distribution(requirement: str) -> str:
    """The normalised name of what a requirement asks for."""
    return str(canonicalize_name(Requirement(requirement).name))
