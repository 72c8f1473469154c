"""The two that can make an environment: uv, or venv and pip. Both end in a folder with an interpreter and the requirements."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import interpreter_of

#: pip's settings of an index -> uv's, which does not read pip's configuration
INDEX = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}


@dataclass(frozen=True)
class Step:
    """One command of a creation.

    Attributes:
        command: with its arguments.
        variables: environment variables besides the parent's.
    """

    command: Sequence[str]
    variables: dict[str, str]


def find_uv() -> str | None:
    """Path of uv: beside this interpreter, or on the PATH."""
    return shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")


def with_uv(uv: str, python: str, folder: Path, requirements: Sequence[str], constraints: Path | None) -> Iterator[Step]:
    """Make an environment with uv.

    Args:
        uv: its path.
        python: an interpreter, or a version for uv to download.
        folder: the environment's.
        requirements: as pip takes them.
        constraints: file with constraints on what builds source distributions.
    """
    build = [] if constraints is None else ["--build-constraints", str(constraints)]
    quiet = {"UV_NO_PROGRESS": "1"}
    yield Step([uv, "venv", "--quiet", "--no-project", "--no-config", "--python", python, str(folder)], quiet)
    # compiled now, as pip does it: a framework's first import would else take many times as long as its later ones
    install = [uv, "pip", "install", "--compile-bytecode", "--python", str(interpreter_of(folder)), *build, *requirements]
    yield Step(install, {**quiet, **index_settings()})


def with_pip(python: str, folder: Path, requirements: Sequence[str], constraints: Path | None) -> Iterator[Step]:
    """Make an environment with venv and pip; arguments as in `with_uv`, but for a version, which has to be installed."""
    yield Step([python, "-m", "venv", str(folder)], {})
    # older pips hand PIP_CONSTRAINT on to what builds a distribution, newer ones have a setting for it
    build = {} if constraints is None else {"PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}
    pip = [str(interpreter_of(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    yield Step([*pip, "install", "--progress-bar=off", *requirements], build)


def index_settings() -> dict[str, str]:
    """Where pip looks for packages, as variables of uv, unless uv has been told itself. So both installers see the same index."""
    told = any(name in os.environ for name in (*INDEX.values(), "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_CONFIG_FILE"))
    listing = "" if told else listed([sys.executable, "-m", "pip", "config", "list"])
    found = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        variable = INDEX.get(name.rpartition(".")[2])
        if variable:
            several = value.strip("'\"").replace("\\n", " ").split()
            found[variable] = ("," if variable == "UV_FIND_LINKS" else " ").join(several)
    # pip takes the best version of all indexes, uv those of the first that knows the name
    return {**found, "UV_INDEX_STRATEGY": "unsafe-best-match"} if "UV_INDEX" in found else found


def listed(command: Sequence[str]) -> str:
    """What a command prints; "" where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
