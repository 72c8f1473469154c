"""What a process can say of itself: memory and busy threads. Linux tells most; elsewhere what cannot be had is None."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, Optional


def peak_memory() -> Optional[float]:
    """Largest resident size so far, in MiB. ru_maxrss is no substitute on Linux: it includes the parent's peak."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def thread_times() -> Dict[str, int]:
    """CPU time of each thread in ns, by thread number; empty where the system does not tell."""
    found = {}
    for path in Path("/proc/self/task").glob("*/schedstat"):
        try:
            found[path.parent.name] = int(path.read_text().split()[0])
        except OSError:  # it ended meanwhile
            continue
    return found


def busy_threads(before: Dict[str, int], after: Dict[str, int], seconds: float) -> Optional[int]:
    """Threads that computed for more than 5 % of the time between; None where the system does not tell."""
    if not after:
        return None
    return sum(used - before.get(name, 0) > 0.05e9 * seconds for name, used in after.items())
