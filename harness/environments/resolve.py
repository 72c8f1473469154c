"""Which environment an arm runs in, and why it cannot be started where it cannot."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from packaging.requirements import Requirement

from ..errors import UsageError
from ..registry import Arm, backend, lacking, suggestion
from .environment import APPLICATION, VERSION, Environment
from .files import environment_files, read_environment
from .requirements import distribution, wrong_requirement


def environment_of(arm: Arm) -> Environment | None:
    """The environment that an arm runs in; None for this interpreter.

    Raises:
        UsageError: it is unknown, another backend's, or its file is wrong.
    """
    if arm.requirements:
        return made_for(arm)
    known = environment_files()
    if arm.environment:
        names = (f"{arm.backend}-{arm.environment}", arm.environment)
        name = next((name for name in names if name in known), None)
        if name is None:
            raise unknown(arm, list(known))
        found = read_environment(known[name])
        if found.backend not in ("", arm.backend):
            raise UsageError(f'the environment "{name}" is for {found.backend}, not for {arm.backend}', str(known[name]))
        return found
    if lacking(arm) and arm.backend in known:
        found = read_environment(known[arm.backend])
        return found if found.backend in ("", arm.backend) else None
    return None


def unknown(arm: Arm, known: list[str]) -> UsageError:
    """That there is no environment of that name, and what may have been meant."""
    fitting = [name for name in known if name.startswith(f"{arm.backend}-")]
    there = f"there are {', '.join(fitting)}" if fitting else suggestion(arm.environment, known)
    adhoc = f'"{arm.family}[{arm.backend}=={arm.environment}]" makes one' if VERSION.fullmatch(arm.environment) else ""
    return UsageError(f'there is no environment "{arm.environment}" for {arm.backend}', "; ".join(filter(None, [there, adhoc])))


def made_for(arm: Arm) -> Environment:
    """The environment of an arm that names requirements: what its backend usually takes, with these in the place of their like.

    Raises:
        UsageError: one of them is no requirement.
    """
    for text in arm.requirements:
        problem = wrong_requirement(text)
        if problem:
            raise UsageError(f'"{arm.name}" {problem}', 'write e.g. "jax[jax==0.10.0 jaxlib==0.10.0]"')
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


def why_missing(arm: Arm) -> str:
    """Why an arm cannot be started here and what would help; "" where it can.

    Raises:
        UsageError: its environment is unknown or its file is wrong.
    """
    found = environment_of(arm)
    if found is None:
        absent = lacking(arm)
        extra = next((extra for extra in absent.values() if extra), "")
        install = f"pip install -e '.[{extra}]'" if extra else f"pip install {' '.join(absent)}"
        return f"{', '.join(absent)} is not installed: {install}" if absent else ""
    if found.ready:
        return ""
    if found.requirements:
        quote = '"' if "[" in found.name else ""  # a shell would take it for a pattern
        return f"its environment is not created: python -m harness env create {quote}{found.name}{quote}"
    return f"environment {found.name}: no interpreter at {found.python}"
