"""Where and with what a run was made. Left out on purpose: host name, user, absolute paths."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from .. import __version__


def environment() -> dict[str, Any]:
    """The machine and the parent's software, as JSON."""
    return {
        "harness": __version__,
        "commit": commit(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cpu": cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": load(),
    }


def load() -> float | None:
    """Load of the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cpu_name() -> str:
    """The processor's name."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():  # py-cpuinfo needs a second for what is one line here
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    import cpuinfo

    return str(cpuinfo.get_cpu_info().get("brand_raw", platform.processor()))


def commit(folder: Path) -> str | None:
    """The git commit that the harness runs from, `+` behind it where files were changed; None outside a checkout."""
    if not (folder / ".git").exists():
        return None

    def git(*words: str) -> str:
        found = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
        return found.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "harness", "backends")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def command() -> str:
    """The command line, without the path of the interpreter."""
    return " ".join(["python -m harness", *sys.argv[1:]]) if "harness" in Path(sys.argv[0]).parts else "harness.run"
