"""Records as pandas tables."""

from .run import Run, load, place

__all__ = ["Run", "load", "place"]
