"""Which of a framework's own defaults differ from an experiment: what a port would change that passes what the experiment states and leaves
the rest to the framework.

What is stated is kept, but for the keys that have to be stated because frameworks default them differently (`defaults` in their
metadata): an epsilon that nobody could leave out here is left out there.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from ..spec import Activation, Call, Initializer, ProgramSpec, Shape, Spec
from ..spec.fields import Asked
from ..spec.graph import places
from ..spec.initializers import RandomNormal, RandomUniform
from ..spec.native import NoKey, in_our_words
from ..spec.reader import described, states
from .installed import Signatures
from .plan import Plan

Place = tuple[Any, ...]


class Part(NamedTuple):
    """One thing of a program that frameworks have defaults for.

    Attributes:
        name: of the node, or what it is.
        spec: the layer, activation, loss or optimizer.
        place: where it is in the ProgramSpec.
        trail: where it is described in the experiment's tree.
        inputs: shapes that a layer reads.
        output: shape that it gives.
    """

    name: str
    spec: Spec
    place: Place
    trail: tuple[str | int, ...]
    inputs: tuple[Shape, ...] = ()
    output: Shape | None = None


class Change(NamedTuple):
    """One key of one part with another value."""

    place: Place
    key: str
    value: Any


@dataclass(frozen=True)
class Default:
    """One default of a framework, wherever it applies in a program.

    Attributes:
        key: ours, e.g. "epsilon".
        names: the parts that it applies to.
        kind: what they are, e.g. "batch_normalization".
        theirs: what a port would have, in words.
        ours: what the experiment has.
        changes: of the program, to have it too.
        settings: the same as `--set` takes it.
        reason: why it cannot be computed here; "" where it can.
    """

    key: str
    names: tuple[str, ...]
    kind: str
    theirs: str
    ours: str
    changes: tuple[Change, ...] = ()
    settings: tuple[str, ...] = ()
    reason: str = ""

    @property
    def text(self) -> str:
        """In words, e.g. "batch_normalization_1 epsilon 0.001 instead of 1e-05"."""
        where = self.names[0] if len(self.names) == 1 else f"{len(self.names)} {self.kind}"
        return f"{where} {self.key} {self.theirs} instead of {self.ours}" if self.theirs else f"{where} {self.key}"


def parts(found: Plan) -> list[Part]:
    """All of a program that frameworks have defaults for."""
    tree, where = found.source.tree, places(found.experiment.model.layers, found.spec.input_shape)
    listed = []
    for index, node in enumerate(found.spec.nodes):
        trail = described(tree, tuple(part if isinstance(part, int) else str(part) for part in where[node.name]), node.layer)
        if isinstance(node.layer, Activation) and node.layer.activation is not None:
            listed.append(Part(node.name, node.layer.activation, ("nodes", index, "layer", "activation"), trail))
        else:
            listed.append(Part(node.name, node.layer, ("nodes", index, "layer"), trail, node.input_shapes, node.output_shape))
    return [
        *listed,
        Part("loss", found.spec.loss, ("loss",), ("train", "loss")),
        Part("optimizer", found.spec.optimizer, ("optimizer",), ("train", "optimizer")),
    ]


def calls(found: Plan, backend: str) -> list[tuple[Part, Call]]:
    """The parts that a framework has a call of its own for."""
    return [(part, part.spec.calls[backend]) for part in parts(found) if backend in part.spec.calls]


def differing(found: Plan, backend: str, read: Signatures) -> list[Default]:
    """The framework's defaults that differ, one for each key of each kind of layer, ...

    Args:
        found: the experiment.
        backend: whose defaults.
        read: signatures of its calls.
    """
    single = [item for part, call in calls(found, backend) for item in of_part(found.source.tree, part, call, read)]
    together: dict[tuple[str, str, str], list[Default]] = {}
    for item in single:
        together.setdefault((item.kind, item.key, item.reason), []).append(item)
    return [joined(items) for items in together.values()]


def joined(items: Sequence[Default]) -> Default:
    """One default of several parts of a kind."""
    return dataclasses.replace(
        items[0],
        names=tuple(name for item in items for name in item.names),
        theirs=shortened([item.theirs for item in items]),
        ours=shortened([item.ours for item in items]),
        changes=tuple(change for item in items for change in item.changes),
        settings=tuple(dict.fromkeys(text for item in items for text in item.settings)),
    )


def shortened(texts: Sequence[str]) -> str:
    """What several texts say: the first, and whether there are others."""
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ..."


def of_part(tree: Mapping[str, Any], part: Part, call: Call, read: Signatures) -> Iterator[Default]:
    """The defaults of one part that differ, or that no key of ours can say."""
    fields = {item.name: item for item in dataclasses.fields(part.spec)}
    for key in dict.fromkeys((*call.names, *call.native)):
        if key not in fields or (states(tree, part.trail, key) and not fields[key].metadata.get("defaults")):
            continue
        current = getattr(part.spec, key)
        try:
            values = meant(part, key, call, read)
            edited = fitting(part, dataclasses.replace(part.spec, **values))
        except NoKey as problem:
            yield Default(key, (part.name,), part.spec.type, "", words(current), reason=str(problem))
            continue
        if edited != part.spec:
            found = {name: getattr(edited, name) for name in values}
            yield Default(
                key, (part.name,), part.spec.type, words(found[key]), words(current),
                tuple(Change(part.place, name, value) for name, value in found.items()),
                tuple(f"{'.'.join(map(str, part.trail))}.{name}={toml(value)}" for name, value in found.items()),
            )  # fmt: skip


def meant(part: Part, key: str, call: Call, read: Signatures) -> dict[str, Any]:
    """What a framework's default of a key is here: values by key; none where the call leaves it open.

    Raises:
        NoKey: there is no such call in the installed version, or its default is nothing that we can write.
    """
    signature = read.get(call.path)
    if signature is None:
        raise NoKey(f"{call.path} is not in the version that is installed")
    default = literal(signature.get(call.names.get(key, ""), ""))
    if key in call.native:
        value = call.native[key](Asked(part.spec, part.inputs, default))
        return value if isinstance(value, dict) else {} if value is None else {key: value}
    return {} if default is None else {key: in_our_words(key, getattr(part.spec, key), default)}


def literal(text: str) -> Any:
    """A default by its text in a signature; None where it says nothing.

    Raises:
        NoKey: it is a name.
    """
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, SyntaxError):
        raise NoKey(f"its default {text} is no value") from None


def fitting(part: Part, edited: Spec) -> Spec:
    """A part that has another value, where it still fits.

    Raises:
        NoKey: the value is none that we have, or the layer would give another shape.
    """
    for item in dataclasses.fields(edited):
        value, choices = getattr(edited, item.name), item.metadata.get("choices")
        if choices and isinstance(value, str) and value not in choices:
            raise NoKey(f"{value} is none of {', '.join(choices)}")
    if part.output is not None:
        layer: Any = edited
        try:
            shape = layer.output_shape(*part.inputs)
        except ValueError as problem:
            raise NoKey(f"a port that leaves it out stops: {problem}") from None
        if shape != part.output:
            raise NoKey(f"a port that leaves it out has another shape here, {shape} instead of {part.output}")
    return edited


def changed(program: ProgramSpec, changes: Sequence[Change]) -> ProgramSpec:
    """A program with changes made."""
    for place, key, value in changes:
        program = put(program, place, key, value)
    return program


def put(target: Any, place: Place, key: str, value: Any) -> Any:
    """A tree of specs with one key of one of them changed."""
    if not place:
        return dataclasses.replace(target, **{key: value})
    step, *rest = place
    if isinstance(step, int):
        return (*target[:step], put(target[step], tuple(rest), key, value), *target[step + 1 :])
    return dataclasses.replace(target, **{step: put(getattr(target, step), tuple(rest), key, value)})


def words(value: Any) -> str:
    """A value in a few letters."""
    if isinstance(value, RandomUniform):
        return f"{value.minval:.3g}" if value.minval == value.maxval else f"U({value.minval:.3g}, {value.maxval:.3g})"
    if isinstance(value, RandomNormal):
        return f"N({value.mean:.3g}, {value.stddev:.3g}^2)"
    if isinstance(value, Spec):
        return value.type
    if isinstance(value, float):
        return f"{value:.6g}"
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def toml(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, Initializer):
        keys = [f"{item.name}={toml(getattr(value, item.name))}" for item in dataclasses.fields(value)]
        return f"{{{', '.join([f'type={toml(value.type)}', *keys])}}}"
    if isinstance(value, float):
        return str(numpy.float32(value))
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
