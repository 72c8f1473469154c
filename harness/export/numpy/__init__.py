"""Scripts in NumPy: forward and backward by hand."""

from .body import body

__all__ = ["body"]
