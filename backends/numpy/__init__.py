"""NumPy: forward and backward by hand. In float64 it is the reference; in float32 it is an arm like any other."""

from .program import FORMS, Program, supports, versions
from .replay import replay

REQUIRES = {"numpy": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "replay", "supports", "versions"]
