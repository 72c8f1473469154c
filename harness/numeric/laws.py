"""The laws of harness.worker.conformance, tried on one arm in a worker of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..pool import Crew
from ..registry import Arm, backend, suggestion

Progress = Callable[[str], None]
#: seconds that one case may take
TIME_LIMIT = 300.0


def try_laws(
    arm: Arm, dtype: str, names: Sequence[str] = (), *, device: str = "cpu", seed: int = 1, progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Try the laws.

    Args:
        arm: whose adapter is tried.
        dtype: float32 or float64.
        names: cases; all of them when empty.
        device: cpu or gpu.
        seed: of the random states and batches.
        progress: told the case that is being tried.

    Returns:
        Case -> `unsupported` (reasons), or `broken` (what does not hold), the largest `ratio` to the ceiling and `error`.

    Raises:
        ArmFailed: the arm cannot be started, or its process ended.
        UsageError: there is no such case.
    """
    adapter, found = backend(arm), {}
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        crew = Crew(Path(folder), device, 1, TIME_LIMIT)
        with crew.worker(arm) as worker:
            worker.ask("open", module=adapter.module, place=adapter.place)
            known = worker.ask("cases")
            for name in names:
                if name not in known:
                    raise UsageError(f'there is no case "{name}"', suggestion(name, known))
            for name in names or known:
                if progress is not None:
                    progress(name)
                found[name] = worker.ask("conformance", name=name, dtype=dtype, device=device, mode=arm.mode, seed=seed)
    return found
