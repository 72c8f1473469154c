"""What a case is: a small program, the things that it is about, and the states and data that it is tried on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, Iterator, Optional, Tuple, Type, Union

from ...interface import OPTIONS, Batch, State, shared
from ...spec import (
    SGD,
    ActivationFunction,
    Layer,
    Loss,
    Optimizer,
    ProgramSpec,
    Regularizer,
    Schedule,
    Shape,
    Spec,
    family,
    wired,
)
from ...spec.losses import MeanSquaredError

#: what an experiment chooses by `type`: word in the names of items -> base class
FAMILIES: Dict[str, Type[Spec]] = {
    "layer": Layer, "activation": ActivationFunction, "loss": Loss, "optimizer": Optimizer, "schedule": Schedule,
    "regularizer": Regularizer,
}  # fmt: skip
#: changes a state and a batch in place, with a random generator at hand
Prepare = Callable[[State, Batch, Any], None]


@dataclass(frozen=True)
class Case:
    """One small program that all laws are tried on.

    Attributes:
        name: unique.
        about: items that it is there for, e.g. `layer/conv2d`, and all options of its program, e.g. `option/clipping`; it may use other
            layers and rules besides.
        layers: as an experiment has them.
        spec: the program.
        steps: steps already taken at the states that are tried.
        rows: of a batch.
        prepare: puts state and batch where the case wants them.
        smooth: whether a little rounding moves results a little only. On a kink it does not: only one step from there is compared.
        exact: whether it computes with small whole numbers on the way to a kink: whoever rounds there, as replicas do, misses it.
    """

    name: str
    about: Tuple[str, ...]
    layers: Tuple[Layer, ...]
    spec: ProgramSpec
    steps: Tuple[int, ...] = (0,)
    rows: int = 7
    prepare: Optional[Prepare] = None
    smooth: bool = True
    exact: bool = False

    @property
    def uses(self) -> FrozenSet[str]:
        """All items in it."""
        chosen = (*self.layers, self.spec.loss, self.spec.optimizer, *(node.layer for node in self.spec.nodes))
        return frozenset(item for value in chosen for item in items_in(value)).union(options_of(self.spec))


def case(
    name: str,
    about: Union[str, Tuple[str, ...]],
    *layers: Layer,
    shape: Shape = (4,),
    loss: Optional[Loss] = None,
    targets: str = "value",
    optimizer: Optional[Optimizer] = None,
    weighted: bool = False,
    steps: Tuple[int, ...] = (0,),
    rows: int = 7,
    prepare: Optional[Prepare] = None,
    smooth: bool = True,
    exact: bool = False,
) -> Case:
    """A case from its parts: mean squared error and plain gradient descent when nothing else is named.

    Raises:
        ValueError: it does not use what it is about.
    """
    optimizer = optimizer or SGD(learning_rate=0.1)
    problems = optimizer.problems()
    spec = ProgramSpec(wired(layers, shape), loss or MeanSquaredError(), optimizer, targets, weighted=weighted)
    about = (*((about,) if isinstance(about, str) else about), *options_of(spec))
    found = Case(name, about, layers, spec, steps, rows, prepare, smooth, exact)
    if problems or not found.uses.issuperset(found.about):
        raise ValueError(f'the case "{name}" does not use {sorted(set(found.about) - found.uses)}, or is no program: {problems}')
    return found


def options_of(spec: ProgramSpec) -> Tuple[str, ...]:
    """What a program asks for beside its types, as `option/weight_decay`."""
    return tuple(option_item(option) for option in shared.used(spec))


def option_item(option: str) -> str:
    """One of interface.OPTIONS as an item."""
    return f"option/{option.replace(' ', '_')}"


def all_items() -> Tuple[str, ...]:
    """Every type of every family, as `layer/dense`, and every option."""
    types = [f"{word}/{name}" for word, base in FAMILIES.items() for name in family(base)]
    return (*types, *map(option_item, OPTIONS))


def specs_in(value: Any) -> Iterator[Spec]:
    """A spec and all specs inside it."""
    if isinstance(value, Spec):
        yield value
        for item in dataclasses.fields(value):
            yield from specs_in(getattr(value, item.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from specs_in(part)


def items_in(value: Any) -> Iterator[str]:
    """The items of a spec and of all specs inside it."""
    for spec in specs_in(value):
        yield from (f"{word}/{spec.type}" for word, base in FAMILIES.items() if isinstance(spec, base))
