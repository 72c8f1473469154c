"""How often JAX has traced, lowered or compiled something: it tells those who listen (https://docs.jax.dev/en/latest/jax.monitoring.html)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax.monitoring

#: what the events of tracing, lowering and compiling begin with
PREFIX = "/jax/core/compile/"

#: how often each was heard
heard: Counter[str] = Counter()


def listen(event: str, seconds: float, **_: Any) -> None:
    """Told of everything that JAX measures; calls of what is compiled are not among it."""
    if event.startswith(PREFIX):
        heard[event] += 1


def compilations() -> int:
    """See the contract."""
    return sum(heard.values())


jax.monitoring.register_event_duration_secs_listener(listen)
