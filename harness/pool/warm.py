"""Workers that are kept: whoever tries many programs in one arm starts it once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import ArmFailed
from ..registry import Arm
from .crew import Crew
from .worker import Worker


class WarmCrew(Crew):
    """A crew whose workers are started when they are first asked for, and end with it: `with WarmCrew(...) as crew`."""

    def __init__(self, folder: Path, device: str, threads: int, time_limit: float) -> None:
        super().__init__(folder, device, threads, time_limit)
        self.kept: dict[str, Worker] = {}
        self.stack = ExitStack()

    def __enter__(self) -> WarmCrew:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @contextmanager
    def worker(self, arm: Arm, name: str = "", variables: Mapping[str, str] | None = None) -> Iterator[Worker]:
        """The running worker of that name; one that has ended is started anew the next time.

        Raises:
            ArmFailed: it cannot be started, or the crew has been stopped.
        """
        key = name or arm.name
        if key not in self.kept:
            self.kept[key] = self.stack.enter_context(super().worker(arm, name, variables))
        worker = self.kept[key]
        try:
            yield worker
        except ArmFailed:
            if worker.process.poll() is not None:
                del self.kept[key]
            raise
