"""A node as lines of JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...spec import Node
from ..draft import Draft, NotWritten
from .activations import activation
from .core import CORE
from .images import IMAGES
from .normalization import NORMALIZATION, batch_normalization
from .sequences import SEQUENCES, multi_head_attention
from .text import INDENT, Values, Written, assigned

#: type -> the expression of a node's value
EXPRESSIONS: Mapping[str, Callable[[Written], str]] = {
    **CORE, **IMAGES, **NORMALIZATION, **SEQUENCES, "activation": activation,
}  # fmt: skip
#: type -> several names with their values, the node's own among them
STATEMENTS: Mapping[str, Callable[[Written], Values]] = {
    "batch_normalization": batch_normalization,
    "multi_head_attention": multi_head_attention,
}
#: names that these lines use besides
USED = frozenset({"p", "s", "moved", "mean", "variance", "normal", "q", "k", "v"})


def lines(draft: Draft, node: Node) -> list[str]:
    """A node's value assigned to its name.

    Raises:
        NotWritten: there is no such layer here.
    """
    at = Written.of(draft, node)
    kind = node.layer.type
    if kind in STATEMENTS:
        values = STATEMENTS[kind](at)
    elif kind in EXPRESSIONS:
        values = [(at.name, EXPRESSIONS[kind](at))]
    else:
        raise NotWritten(f'"{node.name}": the layer "{kind}" is not written for JAX')
    return [line for name, value in values for line in assigned(name, value, INDENT)]
