"""Scripts in PyTorch: nn.Module and torch.optim."""

from .body import body

__all__ = ["body"]
