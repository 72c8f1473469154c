"""Records as pandas tables."""

from .run import Run, final_metric, load

__all__ = ["Run", "final_metric", "load"]
