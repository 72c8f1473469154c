"""Records as pandas tables."""

from .run import Run, load

__all__ = ["Run", "load"]
