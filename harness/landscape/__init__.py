"""The loss over a plane through the parameters, with every arm's path of descent."""

from .work import surface

__all__ = ["surface"]
