"""The body of a script: the model, its loss, the optimizer, the first gradients, the training."""

from __future__ import annotations

from ..draft import Draft, NotWritten


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    raise NotWritten(f"{draft.name}: nothing is written for PyTorch yet")
