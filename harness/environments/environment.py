"""What an environment is, and where it is created."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

#: a version of Python, as opposed to the path of an interpreter
VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
#: the harness's name among a user's folders: `harness` alone is another project's
APPLICATION = "framework-harness"
#: written last into a created environment
MARK = "environment.json"


@dataclass(frozen=True)
class Environment:
    """One environment, as its file says.

    Attributes:
        name: the file's name without `.toml`; an arm's name for one made for that arm alone.
        backend: whose it is; "" where any backend may use it.
        python: a version such as `3.9`, or the path of an interpreter; "" for the version that runs the harness.
        requirements: what is installed in it; empty where an interpreter is used as it is.
        build: constraints on what builds source distributions.
        variables: environment variables of its workers, and of its creation.
        notes: for people.
    """

    name: str
    backend: str = ""
    python: str = ""
    requirements: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""

    @property
    def key(self) -> str:
        """Fingerprint of what decides its content: a changed file makes a new environment."""
        import hashlib  # loads OpenSSL, which takes 8 ms

        content = [self.python or this_python(), sorted(self.requirements), sorted(self.build), sys.platform, platform.machine()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """Where it is created; those made for one arm go by its backend's name."""
        return created_folder() / f"{re.split(r'[:[]', self.name)[0]}-{self.key}"

    @property
    def created(self) -> bool:
        """Whether it is there, whole."""
        return (self.folder / MARK).is_file()

    @property
    def interpreter(self) -> str:
        """Its interpreter."""
        if self.requirements:
            return str(interpreter_of(self.folder))
        named = str(Path(self.python).expanduser())
        return (shutil.which(named) or named) if self.python else sys.executable

    @property
    def ready(self) -> bool:
        """Whether workers can be started in it."""
        return self.created if self.requirements else Path(self.interpreter).is_file()


def interpreter_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def this_python() -> str:
    """The version that runs the harness, `3.11`."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def cache_folder() -> Path:
    """Where things lie that can be made again: HARNESS_CACHE, or the user's cache folder."""
    given = os.environ.get("HARNESS_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path(APPLICATION)


def created_folder() -> Path:
    """Where environments are created."""
    return cache_folder() / "environments"
