"""What the harness itself costs in a grid: `python -m benchmarks.sweeps`. 200 trivial programs in one arm on workers that are kept.

Each cell's wall time is split into what the workers took to answer, and what is left: the parent's own work (reading, drawing, laying out,
comparing, saving). What the workers' own code takes beside the adapters' calls is in their answers.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.execution import sweep as sweeps
from harness.pool.worker import Worker

ROOT = Path(__file__).parents[1]
GRID = ["model.width=" + ",".join(str(width) for width in range(2, 52)), "train.optimizer.learning_rate=0.1,0.2,0.3,0.4"]


def main() -> None:
    """Run the grid with a clock around every question to a worker."""
    spent: dict[str, float] = {}
    ask = Worker.ask

    def clocked(self: Worker, command: str, **arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return ask(self, command, **arguments)
        finally:
            spent[command] = spent.get(command, 0.0) + time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder, patch.object(Worker, "ask", clocked):
        start = time.perf_counter()
        found = sweeps.sweep(ROOT / "experiments" / "xor.toml", GRID, arms=["numpy"], results=folder)
        wall = time.perf_counter() - start
    cells = len(found.cells)
    assert set(found.cells["status"]) == {"ok"}
    print(f"{cells} cells in {wall:.1f} s: {1e3 * wall / cells:.1f} ms a cell")
    print(f"outside the workers' answers: {1e3 * (wall - sum(spent.values())) / cells:.2f} ms a cell")
    for command, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {command}: {1e3 * seconds / cells:.2f} ms a cell")


if __name__ == "__main__":
    main()
