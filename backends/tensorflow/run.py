"""What a layer's function is given beside its inputs."""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Sequence

from harness.spec import Node


class Run(NamedTuple):
    """One pass over the nodes.

    Attributes:
        training: in training, or in inference.
        compiled: by XLA.
        random: what a random node makes of its input.
        moved: statistics after this step, by name; layers add to it in training.
    """

    training: bool
    compiled: bool
    random: Callable[[Node, Any], Any]
    moved: Dict[str, Any]


#: a node, its inputs, its variables by short name, the run -> its output
Layer = Callable[[Node, Sequence[Any], Dict[str, Any], Run], Any]
