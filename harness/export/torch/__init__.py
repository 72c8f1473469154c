"""Scripts in PyTorch: a module of torch.nn's, autograd, torch.optim."""

from .body import body

__all__ = ["body"]
