"""TensorFlow without Keras: variables, a traced step with a gradient tape, the library's own training ops."""

from .program import FORMS, Program, supports, versions
from .traces import compilations

REQUIRES = {"tensorflow": "tensorflow"}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}, "xla": {}, "loop": {}}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "compilations", "supports", "versions"]
