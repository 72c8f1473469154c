"""One experiment through many frameworks: do they agree, what does each cost, does it still hold?

import harness
run = harness.run("experiments/xor.toml")
run.losses, run.gradients, run.timings, run.memory      # tidy pandas DataFrames
harness.runs()                                          # all that is saved, a row each
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "load", "run", "runs"]


def __getattr__(name: str) -> Any:
    """Import `run`, `load`, `runs`, `Run` and what displays one when they are first used: `import harness` itself costs nothing."""
    if name == "run":
        from .execution.run import run

        return run
    if name in ("Run", "load", "runs"):
        from . import tables

        return getattr(tables, name)
    if name == "display":
        from .report.notebook import bundle

        return bundle
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
