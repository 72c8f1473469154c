"""What the frameworks that are installed here default, read from their own signatures by their own workers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ArmFailed
from ..pool import Crew
from ..registry import Arm

#: seconds that importing a framework and reading may take
TIME_LIMIT = 120.0
#: path of a call -> parameter -> default; None where the installed version has no such call
Signatures = dict[str, dict[str, str] | None]


def signatures(
    paths: Mapping[str, Sequence[str]], progress: Callable[[str], None]
) -> tuple[dict[str, Signatures], dict[str, str]]:
    """Ask each backend's own worker.

    Args:
        paths: backend -> dotted paths of its framework's calls.
        progress: told the backend that is being asked.

    Returns:
        Backend -> signatures; and, of those that could not be asked, backend -> why.
    """
    found: dict[str, Signatures] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        crew = Crew(Path(folder), "cpu", 1, TIME_LIMIT)

        def ask(backend: str) -> None:
            progress(backend)
            try:
                with crew.worker(Arm(backend)) as worker:
                    found[backend] = worker.ask("signatures", paths=list(paths[backend]))
            except ArmFailed as problem:
                failed[backend] = f"{problem.status}: {problem.reason}"

        with ThreadPoolExecutor(max_workers=2) as threads:
            list(threads.map(ask, paths))
    return found, failed
