"""Few conformance cases that use everything."""

from __future__ import annotations

from functools import cache

from harness.worker.conformance import cases, items


@cache
def covering() -> tuple[str, ...]:
    """Few cases that use every item that there is, each time the one that uses most of what is left."""
    used = {name: {*case.about, *case.uses} for name, case in cases().items()}
    left, chosen = set(items()), []
    while left:
        chosen.append(max(used, key=lambda name: len(left & used[name])))
        left -= used[chosen[-1]]
    return tuple(chosen)
