"""Keras on tensorflow, torch or jax: a functional model, Keras' optimizers and losses, its own train step."""

from .optimizers import FORMS
from .program import Program, compilations, supports, versions

REQUIRES = {"keras": "keras"}
MODES = {
    "": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "loop": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "torch": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "jax": {"variables": {"KERAS_BACKEND": "jax"}, "requires": {"jax": "jax"}},
}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "compilations", "supports", "versions"]
