"""Which Python interpreters of a version there are on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LOOK = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


def find_python(version: str, uv: str | None = None) -> str | None:
    """An interpreter of a version, `3.9` or `3.9.18`, that really runs; None where there is none.

    Args:
        version: as in an environment's file.
        uv: path of uv, which knows the interpreters that it has installed.
    """
    return next((python for python in candidates(version, uv) if fits(python, version)), None)


def candidates(version: str, uv: str | None) -> Iterator[str]:
    """Where an interpreter of that version may be: this one's own, on the PATH, pyenv's, uv's, the Windows launcher's."""
    yield getattr(sys, "_base_executable", sys.executable)
    yield from filter(None, [shutil.which(f"python{version}"), shutil.which(f"python{'.'.join(version.split('.')[:2])}")])
    home = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for folder in sorted([*home.glob(version), *home.glob(f"{version}.*")], key=numbers, reverse=True):
        yield str(folder / ("python.exe" if os.name == "nt" else "bin/python"))
    if uv is not None:
        yield said([uv, "python", "find", "--managed-python", "--no-python-downloads", version])
    if os.name == "nt":
        yield said(["py", f"-{version}", "-c", "import sys; print(sys.executable)"])


def numbers(folder: Path) -> list[int]:
    """A version as numbers, to sort by."""
    return [int(part) for part in folder.name.split(".") if part.isdigit()]


def fits(python: str, version: str) -> bool:
    """Whether an interpreter runs and is of that version; a shim may be there and not run."""
    return bool(python) and f"{said([python, '-c', LOOK])}.".startswith(f"{version}.")


def said(command: list[str]) -> str:
    """What a command prints; "" where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
