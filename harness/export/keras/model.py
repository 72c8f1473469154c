"""The functions that make the model and name its variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...spec import INPUT, Node
from ...spec.layers import Activated, Activation
from ..draft import Draft, NotWritten, free, identifier
from . import convolution, core, normalization, pooling, resizing, sequences
from .activations import inside
from .text import Place, value

#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    **core.LAYERS, **convolution.LAYERS, **pooling.LAYERS, **resizing.LAYERS, **normalization.LAYERS, **sequences.LAYERS,
}  # fmt: skip


class Model:
    """The model of a draft, up to what the loss reads.

    Attributes:
        nodes: those up to there.
        layer_names: node with weights -> what Keras calls its layer.
        owned: activation -> the node whose layer applies it.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.nodes: Sequence[Node] = draft.spec.nodes[: draft.spec.loss_node + 1]
        self.layer_names: dict[str, str] = {}
        for node in self.nodes:
            if node.parameters or node.statistics or node.table:
                self.layer_names[node.name] = free(identifier(node.name), self.layer_names.values())
        self.owned = {node.name: node.inputs[0] for node in self.nodes if self.inside(node) is not None and self.behind(node)}

    def behind(self, node: Node) -> bool:
        """Whether a node is the activation of the layer before it, as in Keras' `activation=`."""
        before = next((other for other in self.nodes if other.name == node.inputs[0]), None)
        return before is not None and isinstance(before.layer, Activated) and node.name.startswith(f"{before.name}/")

    def inside(self, node: Node) -> str | None:
        """What a layer's `activation` is told, where the node is one."""
        function = node.layer.activation if isinstance(node.layer, Activation) else None
        return inside(function, self.draft.mode or "tensorflow", self.draft.dtype == "float64") if function else None

    def names(self) -> Mapping[str, str]:
        """Node -> what its value is called: that of an activation inside a layer is the layer's."""
        return {name: self.draft.names[self.owned.get(name, name)] for name in (INPUT, *(node.name for node in self.nodes))}

    def lines(self) -> list[str]:
        """The statements of `build`, from the inputs to the model."""
        spec, names = self.draft.spec, self.names()
        integers = ', dtype="int32"' if spec.integer_inputs else ""
        lines = [f"x = keras.Input({value(spec.input_shape)}{integers})"]
        if spec.random_nodes:
            lines.append('masks = {name: keras.Input(array.shape[2:]) for name, array in group("masks").items()}')
        for node in self.nodes:
            if node.name not in self.owned:
                lines += self.line(node, names)
        inputs = "[x, masks]" if spec.random_nodes else "x"
        return [*lines, f"model = keras.Model({inputs}, {names[self.nodes[-1].name]})"]

    def line(self, node: Node, names: Mapping[str, str]) -> list[str]:
        """A node as an assignment; an embedding whose table is shared is two.

        Raises:
            NotWritten: its layer is not written.
        """
        kind = node.layer.type
        if kind not in LAYERS:
            raise NotWritten(f'"{node.name}": the layer "{kind}" is not written for Keras')
        own = next((other for other in self.nodes if self.owned.get(other.name) == node.name), None)
        activation = None if own is None else self.inside(own)
        table = self.table(node.table.rpartition("/")[0]) if node.table else ""
        place = Place(self.draft, node, names, self.layer_names.get(node.name, ""), activation, table)
        name, (text, _, why) = names[node.name], LAYERS[kind](place).partition("  # ")
        if f"{node.name}/embeddings" not in {other.table for other in self.nodes}:
            return [*([f"# {why}"] if why else []), f"{name} = {text}"]
        layer, _, read = text.rpartition("(")
        return [f"{self.table(node.name)} = {layer}", f"{name} = {self.table(node.name)}({read}"]

    def table(self, embedding: str) -> str:
        """What the layer of an embedding is called, where another one shares its table."""
        return free(f"{self.draft.names[embedding]}_table", {*self.draft.reserved, *self.draft.names.values()})


def build(model: Model) -> str:
    """The function that makes the model."""
    kinds = [kind for kind, there in (("parameters", True), ("statistics", bool(model.draft.spec.statistics))) if there]
    loads = [
        f'for name, variable in {kind}(model).items():\n        variable.assign(FILE[f"{kind}/{{name}}"]{shaped(model)})'
        for kind in kinds
    ]
    lines = "\n    ".join([*model.lines(), *loads, "return model"])
    return f'def build():\n    """The model, with its first weights."""\n    {lines}'


def shaped(model: Model) -> str:
    """What Keras' shapes need where they are others than the file's."""
    return ".reshape(variable.shape)" if reshaped(model.draft) else ""


def reshaped(draft: Draft) -> bool:
    """Whether Keras keeps a parameter in another shape: heads have an axis of their own, and alphas of channels all axes."""
    return any(
        node.layer.type == "multi_head_attention" or (node.layer.type == "prelu" and len(node.input_shape) > 1)
        for node in draft.spec.nodes
    )


def variables(model: Model) -> str:
    """The functions that name the model's variables as the file does."""
    found = [named(model, "parameters", "trainable_weights")]
    if model.draft.spec.statistics:
        found.append(named(model, "statistics", "non_trainable_weights"))
    return "\n\n\n".join(found)


def named(model: Model, kind: str, weights: str) -> str:
    """One of them."""
    owner = 'name.rpartition("/")[0]'
    renamed = {node: name for node, name in model.layer_names.items() if name != node.replace("/", "_")}
    table = f"    layers_of = {renamed!r}\n".replace("'", '"') if renamed else ""
    layer = f'layers_of.get({owner}, {owner}.replace("/", "_"))' if renamed else f'{owner}.replace("/", "_")'
    return (
        f"def {kind}(model):\n"
        f'    """Variables by their names in the file, where those of a layer stand in Keras\' order."""\n'
        f"{table}"
        f"    kept = {{layer.name: iter(layer.{weights}) for layer in model.layers}}\n"
        f'    return {{name: next(kept[{layer}]) for name in group("{kind}")}}'
    )
