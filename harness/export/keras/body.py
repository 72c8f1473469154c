"""The body of a script: the model, its loss, the optimizer, the first gradients, the training."""

from __future__ import annotations

from ..draft import Draft, NotWritten


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    raise NotWritten(f"{draft.name}: nothing is written for Keras yet")


def engine(name: str) -> str:
    """What chooses the engine; it has to stand before Keras is imported."""
    return f'import os\n\nos.environ["KERAS_BACKEND"] = "{name}"'
