"""Ctrl-C while a run lasts: the first ends it, a second must not lose what is being saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def one_interrupt() -> Iterator[Callable[[], None]]:
    """Within, only the first interrupt goes through to its handler, and none once the function that is yielded was called."""
    spent = threading.current_thread() is not threading.main_thread()
    before = {} if spent else {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in before.items() if callable(handler)}

    def close() -> None:
        nonlocal spent
        spent = True

    def once(number: int, frame: FrameType | None) -> Any:
        if not spent:
            close()
            handlers[signal.Signals(number)](number, frame)

    for number in handlers:
        signal.signal(number, once)
    try:
        yield close
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
