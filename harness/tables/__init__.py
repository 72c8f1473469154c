"""Records as pandas tables."""

from .run import Run, final_metric, load, place

__all__ = ["Run", "final_metric", "load", "place"]
