"""Which function computes what: by type."""

from __future__ import annotations

from typing import Any, Dict, Sequence

from harness.spec import Activation, Node

from .activations import ACTIVATIONS
from .attention import ATTENTION
from .convolution import CONVOLUTION
from .core import CORE
from .normalization import NORMALIZATION
from .pooling import POOLING
from .recurrent import RECURRENT
from .run import Layer, Run

LAYERS: Dict[str, Layer] = {**CORE, **CONVOLUTION, **POOLING, **NORMALIZATION, **RECURRENT, **ATTENTION}


def apply(node: Node, inputs: Sequence[Any], own: Dict[str, Any], run: Run) -> Any:
    """The output of one node."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return ACTIVATIONS[node.layer.activation.type](node.layer.activation, inputs[0])
    return LAYERS[node.layer.type](node, inputs, own, run)
