"""How much of a run's wall time is its own: `python -m benchmarks.walltime [RUN ARGUMENTS]`.

The aim is at most 1.3 times (timed sections + remaining CPU time / cores). Timed sections are the start-up of the timing lane's
workers, which run alone, and its interleaved blocks; the rest may use all cores.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DRIVER = """
import json, sys, time
import harness
marks = []
def progress(arm, facts):
    marks.append((time.perf_counter(), time.process_time(), arm, facts.get("phase", "")))
run = harness.run(sys.argv[1], results=sys.argv[2], progress=progress)
from harness.cli.answer import write
from harness.cli.show import answer
write(answer(run), None)
first = next(at for at, _, _, phase in marks if phase == "starting alone")
print(json.dumps({"timed": time.perf_counter() - first}), file=sys.stderr)
"""


def main() -> None:
    """Run it once and print the account."""
    experiment = sys.argv[1] if len(sys.argv) > 1 else "experiments/digits-mlp.toml"
    with tempfile.TemporaryDirectory() as folder:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        found = subprocess.run(
            [sys.executable, "-c", DRIVER, experiment, folder], cwd=ROOT, capture_output=True, text=True, check=True
        )
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    import json

    timed = json.loads(found.stderr.strip().splitlines()[-1])["timed"]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cores = os.cpu_count() or 1
    # what the timed sections burn is in `cpu` too: one worker at a time, so about as many CPU seconds as seconds
    rest = max(0.0, cpu - timed)
    bound = timed + rest / cores
    print(
        f"wall {wall:.1f} s; timed sections {timed:.1f} s; CPU {cpu:.1f} s, of which about {rest:.1f} s outside them on {cores} cores"
    )
    print(f"wall / (timed + rest / cores) = {wall:.1f} / {bound:.1f} = {wall / bound:.2f}")


if __name__ == "__main__":
    main()
