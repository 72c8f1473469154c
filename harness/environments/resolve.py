"""Which environment an arm runs in, and why it cannot be started where it cannot."""

from __future__ import annotations

from ..errors import UsageError
from ..registry import Arm, lacking, suggestion
from .environment import VERSION, Environment
from .files import environment_files, read_environment


def environment_of(arm: Arm) -> Environment | None:
    """The environment that an arm runs in; None for this interpreter.

    Raises:
        UsageError: it is unknown, another backend's, or its file is wrong.
    """
    if arm.requirements:
        from .adhoc import made_for  # knows requirements, which takes 20 ms to import

        return made_for(arm)
    if not arm.environment and not lacking(arm):
        return None
    known = environment_files()
    names = [f"{arm.backend}-{arm.environment}", arm.environment] if arm.environment else [arm.backend]
    name = next((name for name in names if name in known), None)
    if name is None:
        if arm.environment:
            raise unknown(arm, list(known))
        return None
    found = read_environment(known[name])
    if found.backend in ("", arm.backend):
        return found
    if not arm.environment:
        return None
    raise UsageError(f'the environment "{name}" is for {found.backend}, not for {arm.backend}', str(known[name]))


def unknown(arm: Arm, known: list[str]) -> UsageError:
    """That there is no environment of that name, and what may have been meant."""
    fitting = [name for name in known if name.startswith(f"{arm.backend}-")]
    there = f"there are {', '.join(fitting)}" if fitting else suggestion(arm.environment, known)
    adhoc = f'"{arm.family}[{arm.backend}=={arm.environment}]" makes one' if VERSION.fullmatch(arm.environment) else ""
    return UsageError(f'there is no environment "{arm.environment}" for {arm.backend}', "; ".join(filter(None, [there, adhoc])))


def why_missing(arm: Arm) -> str:
    """Why an arm cannot be started here and what would help; "" where it can.

    Raises:
        UsageError: its environment is unknown or its file is wrong.
    """
    return why_not_in(environment_of(arm), arm)


def why_not_in(found: Environment | None, arm: Arm) -> str:
    """Why an arm cannot be started in its environment; None is this interpreter."""
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
