"""A node as statements: most are one assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...spec import Node
from ..draft import Draft, NotWritten
from .activations import activation
from .attention import POSITIONS, multi_head_attention
from .convolution import CONVOLUTION
from .core import CORE
from .normalization import NORMALIZATION, batch_normalization
from .pooling import POOLING
from .recurrent import RECURRENT
from .text import Writing

#: type -> the expression of a node's value
EXPRESSIONS: Mapping[str, Callable[[Writing], str]] = {
    "activation": activation, **CORE, **CONVOLUTION, **POOLING, **NORMALIZATION, **RECURRENT, **POSITIONS,
}  # fmt: skip
#: type -> the statements at whose end the node's value stands
STATEMENTS: Mapping[str, Callable[[Writing], list[str]]] = {
    "batch_normalization": batch_normalization, "multi_head_attention": multi_head_attention,
}  # fmt: skip


def statements(draft: Draft, node: Node) -> list[str]:
    """A node's statements.

    Raises:
        NotWritten: there is no text for its layer.
    """
    writing, kind = Writing(draft, node), node.layer.type
    if kind in STATEMENTS:
        return STATEMENTS[kind](writing)
    if kind not in EXPRESSIONS:
        raise NotWritten(f'"{node.name}": the layer "{kind}" is not written for TensorFlow')
    return [f"{writing.name} = {EXPRESSIONS[kind](writing)}"]
