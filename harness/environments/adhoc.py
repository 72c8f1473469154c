"""The environment of an arm that names what it requires, `jax[jax==0.10.0 jaxlib==0.10.0]`."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from packaging.requirements import Requirement

from ..registry import Arm, backend
from .environment import APPLICATION, Environment
from .files import environment_files, read_environment
from .requirements import check_requirements, distribution


def made_for(arm: Arm) -> Environment:
    """The environment of an arm that names requirements: what its backend usually takes, with these in the place of their like.

    Raises:
        UsageError: one of them is no requirement.
    """
    check_requirements(f'"{arm.name}"', arm.requirements)
    files = environment_files()
    usual = (
        read_environment(files[arm.backend]) if arm.backend in files else Environment("", requirements=usual_requirements(arm))
    )
    named = {distribution(text) for text in arm.requirements}
    kept = tuple(text for text in usual.requirements if distribution(text) not in named)
    return replace(usual, name=arm.name, backend=arm.backend, requirements=(*arm.requirements, *kept))


def usual_requirements(arm: Arm) -> tuple[str, ...]:
    """What an arm's extras of this project say, else the import names that its adapter needs."""
    needs = backend(arm).needs(arm.mode)
    try:
        declared = [Requirement(text) for text in metadata.requires(APPLICATION) or []]
    except metadata.PackageNotFoundError:
        declared = []
    found = [name for name, extra in needs.items() if not extra]
    for extra in dict.fromkeys(filter(None, needs.values())):
        fitting = [item for item in declared if item.marker is not None and item.marker.evaluate({"extra": extra})]
        found += [f"{item.name}{item.specifier}" for item in fitting] or [extra]
    return tuple(dict.fromkeys(found))
