"""PyTorch: a module, autograd and torch.optim; eager, or with forward and loss compiled by torch.compile."""

from .program import FORMS, Program, supports, versions

REQUIRES = {"torch": "torch"}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}, "compile": {}}

__all__ = ["FORMS", "MODES", "REQUIRES", "Program", "supports", "versions"]
