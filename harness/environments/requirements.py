"""Requirements as pip takes them."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import UsageError


def check_requirements(whose: str, requirements: Iterable[str]) -> None:
    """Requirements have to be written as pip takes them.

    Raises:
        UsageError: one is not.
    """
    for text in requirements:
        try:
            Requirement(text)
        except InvalidRequirement as problem:
            message = f'{whose} has "{text}", which is no requirement: {str(problem).splitlines()[0]}'
            raise UsageError(message, 'write e.g. "jax==0.10.0", "numpy<2.4"') from None


def distribution(requirement: str) -> str:
    """The normalised name of what a requirement asks for."""
    return str(canonicalize_name(Requirement(requirement).name))
