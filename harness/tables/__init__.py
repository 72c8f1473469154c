"""Records as pandas tables."""

from .run import Run, final_metric, load, place
from .summaries import runs

__all__ = ["Run", "final_metric", "load", "place", "runs"]
