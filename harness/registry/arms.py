"""Arms: `backend[:mode][@environment]`, one thing that is compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UsageError

PATTERN = re.compile(r"(?P<backend>[a-z][a-z0-9_]*)(:(?P<mode>[a-z0-9_-]+))?(@(?P<environment>[A-Za-z0-9][A-Za-z0-9._-]*))?")


@dataclass(frozen=True)
class Arm:
    """One arm by its parts; `mode` and `environment` are "" where none is named."""

    backend: str
    mode: str = ""
    environment: str = ""

    @property
    def name(self) -> str:
        """As it is written in experiments and tables."""
        mode = f":{self.mode}" if self.mode else ""
        return f"{self.backend}{mode}{'@' + self.environment if self.environment else ''}"

    @property
    def folder(self) -> str:
        """A name for its folder that every file system takes."""
        return self.name.replace(":", "-")


def parse(text: str) -> Arm:
    """An arm from its name.

    Raises:
        UsageError: it is not of the form `backend[:mode][@environment]`.
    """
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f'"{text}" is no arm', "write backend[:mode][@environment], e.g. torch, torch:compile, keras:jax, jax@0.10.2"
        )
    return Arm(match["backend"], match["mode"] or "", match["environment"] or "")
