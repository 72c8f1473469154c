"""The body of a script: loss and gradients in one function, forward and back; the first gradients; the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ...spec import INPUT, Node, ProgramSpec
from ..draft import Draft
from .layers import lines
from .losses import Outputs, loss_lines
from .optimizers import training
from .place import LOCAL, Lines, Names, Place, gradient, number, parameter
from .wrapping import wrapped

BODY = '''\
def parameters():
    """The first weights."""
    return {{name: array.astype(DTYPE) for name, array in group("parameters").items()}}


def batch(step):
    """{batch}"""
    {batch_lines}


def loss_and_gradients({arguments}):
    """The loss of a batch, and its gradient at every parameter.{docstring}"""
    {text}


def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    return loss_and_gradients(parameters(), *batch(0))


'''


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    draft = dataclasses.replace(draft, reserved=draft.reserved | LOCAL)
    spec = draft.spec
    values = arguments(spec)
    text = BODY.format(
        batch=f"{sentence(list(values))} of a step{classes(spec)}.",
        batch_lines="\n    ".join(batch_lines(values)),
        arguments=", ".join(["p", *values]),
        docstring=remark(spec),
        text="\n".join(part for line in function(draft) for part in wrapped(line, 4)).lstrip(),
    )
    return text + training(spec.optimizer, draft.dtype)


def arguments(spec: ProgramSpec) -> Mapping[str, str]:
    """What a batch is made of: name -> expression."""
    found = {"x": 'FILE["inputs"][step]', "targets": 'FILE["targets"][step]'}
    if not spec.integer_inputs:
        found["x"] += ".astype(DTYPE)"
    if spec.targets != "integer":
        found["targets"] += ".astype(DTYPE)"
    if spec.weighted:
        found["weights"] = 'FILE["weights"][step].astype(DTYPE)'
    if spec.random_nodes:
        found["masks"] = '{name: array[step].astype(DTYPE) for name, array in group("masks").items()}'
    return found


def sentence(names: Sequence[str]) -> str:
    """Names as they stand in a sentence: `Inputs, targets and masks`."""
    titles = ["Inputs", *names[1:]]
    return f"{', '.join(titles[:-1])} and {titles[-1]}"


def classes(spec: ProgramSpec) -> str:
    """What has to be said of the weights."""
    return "; the weights of classes are in those of their rows" if getattr(spec.loss, "class_weights", None) else ""


def batch_lines(values: Mapping[str, str]) -> list[str]:
    """The lines of `batch`."""
    if "masks" not in values:
        return [f"return {', '.join(values.values())}"]
    others = {name: value for name, value in values.items() if name != "masks"}
    return [f"masks = {values['masks']}", f"return {', '.join([*others.values(), 'masks'])}"]


def remark(spec: ProgramSpec) -> str:
    """What has to be said of the function."""
    return " Moving means and variances, which only inference reads, are not kept." if spec.statistics else ""


def function(draft: Draft) -> list[str]:
    """The lines of `loss_and_gradients`."""
    spec, names = draft.spec, Names(draft)
    learns = learning(spec.nodes)
    read = spec.nodes[: spec.loss_node + 1]
    places = [Place(node, names, any(learns[name] for name in node.inputs)) for node in read]
    written = [lines(at) for at in places]
    last = places[-1]
    return [
        "# forward",
        *(line for found in written for line in found.forward),
        *unread(spec, draft),
        "",
        f"# loss: {spec.loss.type.replace('_', ' ')}",
        *loss_lines(Outputs(last.y, last.d, spec, draft.dtype)),
        "",
        "# backward",
        "g = {}",
        *backward(places, written, learns),
        *penalties(spec, draft.dtype),
        "return float(loss), {name: g[name] for name in p}",
    ]


def learning(nodes: Sequence[Node]) -> Mapping[str, bool]:
    """Node, or "input" -> whether it or something before it learns."""
    found = {INPUT: False}
    for node in nodes:
        found[node.name] = bool(node.parameters or node.table) or any(found[name] for name in node.inputs)
    return found


def unread(spec: ProgramSpec, draft: Draft) -> list[str]:
    """A last step, which the loss does not read."""
    if spec.loss_node == len(spec.nodes) - 1:
        return []
    value = draft.names[spec.nodes[spec.loss_node].name]
    return [f"# the answer is {value} > 0; the loss reads what stands before that step"]


def backward(places: Sequence[Place], written: Sequence[Lines], learns: Mapping[str, bool]) -> list[str]:
    """The same nodes from the last to the first. A gradient that comes from several of them is added up."""
    there = {places[-1].node.name}
    parameters: set[str] = set()
    found: list[str] = []
    for at, text in zip(reversed(places), reversed(written), strict=True):
        if not learns[at.node.name]:
            continue
        if at.node.name not in there:
            found += [f"{gradient(item.name)} = np.zeros_like({parameter(item.name)})" for item in at.node.parameters]
            continue
        found += text.back
        for name, value in text.gradients.items():
            found.append(f"{gradient(name)} {'+=' if name in parameters else '='} {value}")
            parameters.add(name)
        for name, value in zip(at.node.inputs, text.inputs, strict=True):
            if learns[name] and value:
                d = at.names.gradients[name]
                found.append(f"{d} = {d} + {value}" if name in there else f"{d} = {value}")
                there.add(name)
    return found


def penalties(spec: ProgramSpec, dtype: str) -> list[str]:
    """What they add to the loss and to the gradients."""
    found: list[str] = []
    for name, (l1, l2) in spec.penalties.items():
        w, g = parameter(name), gradient(name)
        if l1:
            found += [f"loss += {number(l1, dtype)} * np.sum(np.abs({w}))", f"{g} += {number(l1, dtype)} * np.sign({w})"]
        if l2:
            found += [f"loss += {number(l2, dtype)} * np.sum({w} ** 2)", f"{g} += 2 * {number(l2, dtype)} * {w}"]
    return ["", "# penalties", *found, ""] if found else []
