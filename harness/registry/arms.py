"""Arms: `backend[:mode][@environment]` or `backend[:mode][requirements]`, one thing that is compared; `#2` behind it for a second time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Tuple

from ..errors import UsageError

PATTERN = re.compile(
    r"(?P<backend>[a-z][a-z0-9_]*)(:(?P<mode>[a-z0-9_-]+))?"
    r"(@(?P<environment>[A-Za-z0-9][A-Za-z0-9._-]*)|\[(?P<requirements>.+)\])?(#(?P<copy>[1-9][0-9]?))?"
)


@dataclass(frozen=True)
class Arm:
    """One arm by its parts; those that are not named are empty.

    Attributes:
        backend: the framework's adapter.
        mode: one of its modes.
        environment: a file's name, without `.toml`.
        requirements: what is to be installed in an environment made for the purpose, e.g. `("jax==0.10.0",)`.
        copy: 1, or more where the same is compared several times: `numpy#2`.
    """

    backend: str
    mode: str = ""
    environment: str = ""
    requirements: Tuple[str, ...] = ()
    copy: int = 1

    @property
    def name(self) -> str:
        """As it is written in experiments and tables."""
        world = f"@{self.environment}" if self.environment else f"[{' '.join(self.requirements)}]" if self.requirements else ""
        return f"{self.family}{world}{f'#{self.copy}' if self.copy > 1 else ''}"

    @property
    def family(self) -> str:
        """Backend and mode: what stays the same from version to version."""
        return f"{self.backend}:{self.mode}" if self.mode else self.backend


def parse(text: str) -> Arm:
    """An arm from its name.

    Raises:
        UsageError: it is not of that form.
    """
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f'"{text}" is no arm',
            'write backend[:mode][@environment], e.g. torch, torch:compile, keras:jax, jax@0.10.2, or "jax[jax==0.10.0]"',
        )
    requirements = tuple((match["requirements"] or "").split())
    return Arm(match["backend"], match["mode"] or "", match["environment"] or "", requirements, int(match["copy"] or 1))


def split(text: str) -> List[str]:
    """Names between commas; commas in brackets belong to requirements."""
    names, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            names.append("")
        else:
            names[-1] += character
    return [name.strip() for name in names if name.strip()]
