"""Scripts in TensorFlow: variables, tf.function, a gradient tape."""

from .body import body

__all__ = ["body"]
