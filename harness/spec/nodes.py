"""The nodes of a program as rows of a table."""

from __future__ import annotations

import math
from typing import Any, Dict, List

from .layers import Activation, by
from .program import ProgramSpec


def node_rows(spec: ProgramSpec) -> List[Dict[str, Any]]:
    """Each node with what it reads, its shape, and how many numbers it learns and keeps: layer, type, reads, output, parameters,
    statistics."""
    return [
        {
            "layer": node.name,
            "type": node.layer.activation.type if isinstance(node.layer, Activation) and node.layer.activation else node.layer.type,
            "reads": list(node.inputs),
            "output": by(node.output_shape),
            "parameters": sum(math.prod(parameter.shape) for parameter in node.parameters),
            "statistics": sum(math.prod(statistic.shape) for statistic in node.statistics),
        }
        for node in spec.nodes
    ]
