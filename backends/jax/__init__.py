"""JAX: pure functions, one jitted step with donated state, and optax; or several such steps in one call, by lax.scan."""

from .compilations import compilations
from .faults import faults
from .optimizers import FORMS
from .program import Program, supports, versions

REQUIRES = {"jax": "jax", "optax": "jax"}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}, "scan": {}}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "compilations", "faults", "supports", "versions"]
