"""What a process can say of itself: memory, busy threads, and what disturbs it. Linux tells most; elsewhere what cannot be had is None."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Dict, Optional

STATUS, TASKS, CLEAR = Path("/proc/self/status"), Path("/proc/self/task"), Path("/proc/self/clear_refs")
PRESSURE, STAT = Path("/proc/pressure/cpu"), Path("/proc/stat")


def peak_memory() -> Optional[float]:
    """Largest resident size so far, or since `reset_peak`, in MiB. ru_maxrss is no substitute on Linux: it includes the parent's peak."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def reset_peak() -> None:
    """Let `peak_memory` begin anew, where the system can: proc(5), clear_refs."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return


def thread_times() -> Dict[str, int]:
    """CPU time of each thread in ns, by thread number; empty where the system does not tell."""
    return schedstat(0)


def schedstat(place: int) -> Dict[str, int]:
    """One number of each thread: 0 is CPU time, 1 is time that it waited for a CPU, ns."""
    found = {}
    for path in TASKS.glob("*/schedstat"):
        try:
            found[path.parent.name] = int(path.read_text().split()[place])
        except OSError:  # it ended meanwhile
            continue
    return found


def busy_threads(before: Dict[str, int], after: Dict[str, int], seconds: float) -> Optional[int]:
    """Threads that computed for more than 5 % of the time between; None where the system does not tell."""
    if not after:
        return None
    return sum(used - before.get(name, 0) > 0.05e9 * seconds for name, used in after.items())


def counters() -> Dict[str, int]:
    """Numbers that only rise; their differences say what happened to a block.

    Returns:
        `wall` and `cpu` ns; `wait`: ns that threads waited for a CPU; of the process `minor_faults`, `major_faults`, `switches`
        (involuntary); of the whole machine `pressure`: microseconds in which somebody waited for a CPU, and `steal`: hundredths of a
        second that went to other machines on this one. What the system does not tell is left out.
    """
    found = {"wait": sum(schedstat(1).values())} if TASKS.exists() else {}
    if sys.platform != "win32":
        import resource

        usage = resource.getrusage(resource.RUSAGE_SELF)
        found.update(minor_faults=usage.ru_minflt, major_faults=usage.ru_majflt, switches=usage.ru_nivcsw)
    with suppress(OSError, ValueError, IndexError):
        found["pressure"] = int(PRESSURE.read_text().splitlines()[0].rpartition("=")[2])
    with suppress(OSError, ValueError, IndexError):
        found["steal"] = int(STAT.read_text().split(None, 9)[8])
    found.update(cpu=time.process_time_ns(), wall=time.perf_counter_ns())
    return found
