"""The child's end of the pipes. Made before anything else is imported: what Python or C code prints then goes to the log."""

from __future__ import annotations

import json
import os
import sys
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

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        """The requests, until the parent closes its end."""
        for line in self.requests:
            yield json.loads(line.rpartition(SEPARATOR)[2])

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
