"""PyTorch: a module, autograd and torch.optim; eager, or with forward and loss compiled by torch.compile."""

from .machine import compilations, supports, versions
from .program import FORMS, Program

REQUIRES = {"torch": "torch"}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}, "compile": {}}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "compilations", "supports", "versions"]
