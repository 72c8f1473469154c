"""The body of a script: the model, its loss, the first gradients, the training."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from ...spec import is_step
from ..draft import Draft
from .layers import statements
from .losses import loss_statements, loss_title
from .schedules import schedule_function
from .training import momentum_table, normalised, train_function

#: names that the functions of a script use for something else than a node
OWN = ("p", "q", "k", "v", "mean", "variance", "moments")

#: what a float32 script says first
EXACT = "tf.config.experimental.enable_tensor_float_32_execution(False)  # else GPUs multiply float32 in less"

#: what a script says where a constant has many digits
DIGITS = "# constants are those that float32 can hold, with all their digits: 0.9 is 0.8999999761581421"
MANY = re.compile(r"\d\.\d{9}")

VARIABLES = '''\
def variables(kind):
    """The first weights, or the first moving statistics."""
    return {name: tf.Variable(array, dtype=DTYPE) for name, array in group(kind).items()}'''

FIRST = '''\
def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    loss, gradients{more} = loss_and_gradients(variables("parameters"), *batch(0))
    return float(loss), {{name: gradient.numpy() for name, gradient in gradients.items()}}'''


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    draft = dataclasses.replace(draft, reserved=draft.reserved | {*OWN})
    more = ", _" if normalised(draft) else ""
    parts = [
        EXACT if draft.dtype == "float32" else "",
        momentum_table(draft),
        VARIABLES,
        batch_function(draft),
        forward_function(draft),
        loss_function(draft),
        gradients_function(draft),
        FIRST.format(more=more),
        schedule_function(draft),
        train_function(draft),
    ]
    text = "\n\n\n".join(part for part in parts if part)
    return f"{DIGITS}\n\n\n{text}" if MANY.search(text) else text


def function(name: str, arguments: Sequence[str], lines: Sequence[str]) -> str:
    """The text of a function."""
    return "\n    ".join([f"def {name}({', '.join(arguments)}):", *lines])


def extras(draft: Draft) -> list[str]:
    """What the model is given beside weights and inputs."""
    return [*(["masks"] if draft.spec.random_nodes else []), *(["moments"] if normalised(draft) else [])]


def batch_function(draft: Draft) -> str:
    """The function `batch`."""
    spec = draft.spec
    words = {"inputs": spec.integer_inputs, "targets": spec.targets == "integer"} | ({"weights": False} if spec.weighted else {})
    found = [f'tf.constant(FILE["{name}"][step], {"tf.int64" if whole else "DTYPE"})' for name, whole in words.items()]
    names = list(words)
    lines = []
    if spec.random_nodes:
        names.append("masks and noise by layer")
        lines.append('masks = {name: tf.constant(array[step], DTYPE) for name, array in group("masks").items()}')
        found.append("masks")
    title = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) == 2 else f"{', '.join(names[:-1])}, {names[-1]}"
    return function("batch", ["step"], [f'"""{title.capitalize()} of a step."""', *lines, f"return {', '.join(found)}"])


def forward_function(draft: Draft) -> str:
    """The function `forward`, up to what the loss reads."""
    spec = draft.spec
    last = spec.nodes[spec.loss_node]
    nodes = spec.nodes if last is spec.nodes[-1] else spec.nodes[:-1]
    title = "The model" if last is spec.nodes[-1] else "The model up to its last layer, a step: the loss reads what is before it"
    title += ". The batch's means and variances go to `moments`" if normalised(draft) else ""
    lines = [line for node in nodes for line in statements(draft, node)]
    return function("forward", ["p", "x", *extras(draft)], [f'"""{title}."""', *lines, f"return {draft.names[last.name]}"])


def loss_function(draft: Draft) -> str:
    """The function `loss_of`."""
    weights = ["weights"] if draft.spec.weighted else []
    more = extras(draft)
    lines = [f"z = forward({', '.join(['p', 'x', *more])})", *loss_statements(draft)]
    return function("loss_of", ["p", "x", "targets", *weights, *more], [f'"""{loss_title(draft)}"""', *lines])


def gradients_function(draft: Draft) -> str:
    """The function `loss_and_gradients`. Only a step on the way leaves parameters without a gradient; only tables have one of rows."""
    spec = draft.spec
    kept = bool(normalised(draft))
    stepped = any(is_step(node.layer) for node in spec.nodes[:-1])
    rows = any(node.layer.type == "embedding" for node in spec.nodes)
    zero = ", unconnected_gradients=tf.UnconnectedGradients.ZERO" if stepped else ""
    more = "its gradient at every parameter, and what moves the statistics" if kept else "and its gradient at every parameter"
    lines = [
        f'"""The loss of a batch, {more}."""',
        *(["moments = {}"] if kept else []),
        "with tf.GradientTape() as tape:",
        f"    loss = loss_of(p, *arrays{', moments' if kept else ''})",
        f"gradients = tape.gradient(loss, p{zero})",
    ]
    if rows:
        lines.append("# the gradient of a table is a list of rows, which training ops do not take")
        lines.append("gradients = {name: tf.convert_to_tensor(gradient) for name, gradient in gradients.items()}")
    return function("loss_and_gradients", ["p", "*arrays"], [*lines, f"return loss, gradients{', moments' if kept else ''}"])
