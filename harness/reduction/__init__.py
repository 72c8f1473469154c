"""A difference cut down to the smallest experiment that still shows it."""

from .reduce import Reduced, reduce

__all__ = ["Reduced", "reduce"]
