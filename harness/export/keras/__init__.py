"""Scripts in Keras: a functional model and a Keras optimizer, on any of its engines."""

from .body import body, engine

__all__ = ["body", "engine"]
