"""Which node makes a tensor, when each is replayed from the numbers around it."""

from __future__ import annotations

from typing import Dict, Iterable, List, Set, Tuple

from ...interface import KINDS, LOSS, OPTIMIZER
from ...spec import ProgramSpec


def makers(spec: ProgramSpec, name: str) -> Tuple[str, ...]:
    """The nodes, or `loss` or `optimizer`, that a tensor is made by; several where it is a sum."""
    kind, _, rest = name.partition("/")
    owner = rest.rpartition("/")[0]
    if kind in ("updates", "slots"):
        return (OPTIMIZER,)
    if kind == "loss":
        return (LOSS,)
    if kind == "outputs":
        return (rest,)
    if kind == "statistics":
        return (owner,)
    if kind == "gradients":
        tied = [node.name for node in spec.nodes if node.table == rest]
        return (owner, *tied, *([LOSS] if rest in spec.penalties else []))
    readers = [node.name for node in spec.nodes[: spec.loss_node + 1] if rest in node.inputs]
    return (*readers, *([LOSS] if rest == spec.nodes[spec.loss_node].name else []))


def blamed(spec: ProgramSpec, bad: Iterable[str]) -> Dict[Tuple[str, ...], List[str]]:
    """Wrong tensors by who made them: where several may have, those that are known to be wrong from other tensors, else all of them."""
    names = list(bad)
    certain: Set[str] = {makers(spec, name)[0] for name in names if len(makers(spec, name)) == 1}
    found: Dict[Tuple[str, ...], List[str]] = {}
    for name in names:
        possible = makers(spec, name)
        found.setdefault(tuple(maker for maker in possible if maker in certain)[:1] or possible, []).append(name)
    return found


def place(spec: ProgramSpec, name: str) -> Tuple[int, int]:
    """When a step computes a tensor: forwards by the nodes' order, then the loss, then backwards."""
    kind, _, rest = name.partition("/")
    order = [node.name for node in spec.nodes]
    node = rest if rest in order else rest.rpartition("/")[0]
    position = order.index(node) if node in order else -1
    phase = KINDS.index(kind)
    return (min(phase, 2) if phase <= 3 else phase, position if kind == "outputs" else -position)
