"""The child's end of the pipes. Made before anything else is imported: what Python or C code prints then goes to the log."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any, Dict, Iterator

SEPARATOR = "\x1e"


class Channel:
    """Requests in, answers out, each one JSON line behind a record separator."""

    def __init__(self) -> None:
        self.requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        self.answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        quiet = os.open(os.devnull, os.O_RDONLY)
        os.dup2(quiet, 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self.last_progress = 0.0
        self.waiting: "queue.Queue[Dict[str, Any]]" = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Take requests as they come; leave when the parent is gone, whatever is being computed. Runs in a thread of its own."""
        for line in self.requests:
            self.waiting.put(json.loads(line.rpartition(SEPARATOR)[2]))
        leave()

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """The requests; they end with the process."""
        while True:
            yield self.waiting.get()

    def send(self, **answer: Any) -> None:
        """One answer."""
        self.answers.write(SEPARATOR + json.dumps(answer) + "\n")
        self.answers.flush()

    def progress(self, **facts: Any) -> None:
        """How far it is, at most four times a second."""
        now = time.monotonic()
        if now - self.last_progress > 0.25:
            self.last_progress = now
            self.send(progress=facts)


def leave() -> None:
    """End this process and what it started, without unloading its framework, which would take seconds."""
    if os.name != "nt" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
