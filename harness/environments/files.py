"""Environment files: another interpreter for an arm, and variables of its own, as one small TOML file each.

    backend = "jax"                                     # whose environment it is; any backend's when not given
    python = "3.11"                                     # a version, or the path of an interpreter; this one's version when not given
    requirements = ["jax==0.10.2", "jaxlib==0.10.2"]    # what `harness env create` installs; without them nothing is created
    build = ["setuptools<81"]                           # constraints on what builds a source distribution
    notes = "computes wrong results on CPU"
    [variables]
    OPENBLAS_CORETYPE = "Haswell"

Files are looked for in the folders of HARNESS_ENVIRONMENTS, in the user's configuration folder and in `backends/environments/`. An arm
`jax@0.10.2` uses `jax-0.10.2.toml` or `0.10.2.toml`; an arm `caffe2` whose framework is not installed here uses `caffe2.toml`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import UsageError
from ..registry import home, suggestion
from .environment import APPLICATION, VERSION, Environment

KEYS = ("backend", "python", "requirements", "build", "notes", "variables")


def folders() -> list[Path]:
    """Where environment files are looked for, in order."""
    own = [Path(part).expanduser() for part in os.environ.get("HARNESS_ENVIRONMENTS", "").split(os.pathsep) if part]
    return [*own, platformdirs.user_config_path(APPLICATION) / "environments", home() / "environments"]


def environment_files() -> dict[str, Path]:
    """All environment files by name."""
    found: dict[str, Path] = {}
    for folder in reversed(folders()):
        found.update({path.stem: path for path in sorted(folder.glob("*.toml"))})
    return found


def environment(name: str) -> Environment:
    """An environment by its file's name.

    Raises:
        UsageError: there is no such file, or it holds what it must not.
    """
    known = environment_files()
    if name not in known:
        raise UsageError(
            f'there is no environment "{name}"', f"{suggestion(name, list(known))}; or put {name}.toml into {folders()[0]}"
        )
    return read_environment(known[name])


def read_environment(path: Path) -> Environment:
    """An environment from its file.

    Raises:
        UsageError: it cannot be read, or holds what it must not.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {problem}") from None
    for key, value in settings.items():
        if key not in KEYS:
            raise UsageError(f'{path}: unknown key "{key}"', suggestion(key, list(KEYS)))
        problem_of_value = wrong(key, value)
        if problem_of_value:
            raise UsageError(f"{path}: {key} {problem_of_value}")
    python = settings.get("python", "")
    if VERSION.fullmatch(python) and not settings.get("requirements"):
        raise UsageError(f"{path}: python {python} without requirements", 'name what is installed, e.g. requirements = ["numpy"]')
    for key in ("requirements", "build"):
        settings[key] = tuple(settings.get(key, ()))
    return Environment(path.stem, **settings)


def wrong(key: str, value: Any) -> str:
    """What is wrong with the value of a key; "" if nothing."""
    if key == "variables":
        right = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
        return "" if right else "must be a table of strings"
    if key in ("requirements", "build"):
        right = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return "" if right else "must be a list of strings"
    return "" if isinstance(value, str) else "must be a string"
