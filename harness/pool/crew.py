"""All workers of a run: started through one door, so that an interrupt can end every one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..environments import launch
from ..errors import ArmFailed
from ..records.store import file_name
from ..registry import Arm
from .path import import_path
from .worker import Worker


class Crew:
    """Starts and ends workers.

    Args:
        folder: an existing folder of the run's own; gets the workers' import path and their logs.
        device: cpu or gpu.
        threads: threads of each worker.
        time_limit: seconds that one answer may take.
    """

    def __init__(self, folder: Path, device: str, threads: int, time_limit: float) -> None:
        self.folder, self.device, self.threads, self.time_limit = folder, device, threads, time_limit
        self.path = import_path(folder)
        self.workers: set[Worker] = set()
        self.lock = threading.Lock()
        self.stopped = False

    def log(self, name: str) -> Path:
        """Where the worker of that name prints."""
        return self.folder / f"{file_name(name)}.log"

    @contextmanager
    def worker(self, arm: Arm, name: str = "", variables: Mapping[str, str] | None = None) -> Iterator[Worker]:
        """A running worker of an arm, ended when the block is left; `variables` of its environment on top of the arm's own.

        Raises:
            ArmFailed: it cannot be started, or the crew has been stopped.
        """
        settings = launch(arm, self.device, self.threads)
        settings = replace(settings, variables={**settings.variables, **(variables or {})})
        with self.lock:
            if self.stopped:
                raise ArmFailed("interrupted", "the run was interrupted")
            worker = Worker(settings, self.path, self.log(name or arm.name), self.time_limit)
            self.workers.add(worker)
        try:
            yield worker
        except ArmFailed:
            if self.stopped:
                raise ArmFailed("interrupted", "the run was interrupted") from None
            raise
        finally:
            with self.lock:
                self.workers.discard(worker)
            worker.close()

    def stop(self) -> None:
        """End all workers; none starts any more."""
        with self.lock:
            self.stopped = True
            for worker in self.workers:
                worker.kill()
