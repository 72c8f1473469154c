"""Random data that suit a model: its inputs stay as they are, the targets take the shape of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..spec import INPUT, Node, SpecProblem, input_shape, known_facts, wired
from ..spec.datasets import Random
from ..spec.layers import Embedding
from ..spec.reader import SpecError, from_mapping
from .tree import Tree

#: the keys that follow from the model
FOLLOW = ("classes", "target_shape", "integer_inputs", "below")
#: what goes without saying
PLAIN: tuple[tuple[str, Any], ...] = (("shape", []), ("shape", [1]))


def fitted(tree: Tree) -> Iterator[Tree]:
    """The tree with data that suit its model, in every way there is, as it was first; as it is where its data are no random ones, and none
    where the model cannot be."""
    if tree["data"]["type"] != Random.type:
        yield tree
        return
    nodes = nodes_of(tree)
    if nodes:
        data = {key: value for key, value in tree["data"].items() if key not in FOLLOW and (key, value) not in PLAIN}
        for targets in suiting(nodes[-1].output_shape, "classes" in tree["data"]):
            yield {**tree, "data": {**data, **words(nodes), **targets}}


def nodes_of(tree: Tree) -> tuple[Node, ...]:
    """The graph of a tree's model; empty where it cannot be."""
    try:
        experiment = from_mapping(tree).experiment
        facts = known_facts(experiment.data)
        return wired(experiment.model.layers, input_shape(experiment.data, facts)) if facts else ()
    except (SpecError, SpecProblem):
        return ()


def words(nodes: tuple[Node, ...]) -> dict[str, Any]:
    """What an embedding asks of the data that it reads."""
    tables = [node.layer.input_dim for node in nodes if isinstance(node.layer, Embedding) and node.inputs[0] == INPUT]
    return {"integer_inputs": True, "below": min(tables)} if tables else {}


def suiting(shape: tuple[int, ...], classes: bool) -> list[dict[str, Any]]:
    """Targets for outputs of a shape: classes first if they were classes, values if not."""
    steps = {"target_shape": list(shape[:-1])} if shape[:-1] else {}
    values = {"target_shape": list(shape)} if shape != (1,) else {}
    return [{"classes": shape[-1], **steps}, {"classes": 2, **steps}, values] if classes else [values]
