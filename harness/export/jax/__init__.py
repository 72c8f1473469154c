"""Scripts in JAX: pure functions over a dictionary of arrays, jit, optax."""

from .body import body

__all__ = ["body"]
