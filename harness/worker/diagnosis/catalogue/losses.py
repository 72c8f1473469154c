"""Another loss, reduction or penalty; weights that are not looked at."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, Tuple

import numpy

from ....spec import Loss, Regularizer, family
from ....spec.losses import REDUCTIONS
from ..setting import Setting, WhatIf, WhatIfs
from .fields import said

VALUES: Dict[str, Tuple[Any, ...]] = {
    "reduction": REDUCTIONS,
    "label_smoothing": (0.0, 0.1, 0.01),
    "delta": (1.0, 0.5, 0.1),
}


def losses(setting: Setting) -> WhatIfs:
    """All of them."""
    loss: Any = setting.spec.loss
    for item in dataclasses.fields(loss):
        for value in VALUES.get(item.name, ()):
            old = getattr(loss, item.name)
            if value != old:
                text = f"{item.name} {said(value)} instead of {said(old)}"
                yield WhatIf(text, with_loss(item.name, value))
    for name, cls in family(Loss).items():
        if name != loss.type and setting.spec.targets in cls.targets:
            yield WhatIf(f"{name} instead of {loss.type}", other_loss(cls(reduction=loss.reduction)))
    if setting.batch.weights is not None:
        yield WhatIf("the sample weights are not looked at", unweighted)
    for text, factor in (("no penalty", 0.0), ("half the penalty", 0.5), ("twice the penalty", 2.0)):
        if setting.spec.penalties:
            yield WhatIf(text, penalised(factor))


def with_loss(name: str, value: Any) -> Any:
    """Another value of one key of the loss as it is then."""

    def change(setting: Setting) -> Setting:
        loss = dataclasses.replace(setting.spec.loss, **{name: value})
        return setting._replace(spec=dataclasses.replace(setting.spec, loss=loss))

    return change


def other_loss(loss: Loss) -> Any:
    """Another loss."""
    return lambda setting: setting._replace(spec=dataclasses.replace(setting.spec, loss=loss))


def unweighted(setting: Setting) -> Setting:
    """Every weight 1."""
    ones = numpy.ones_like(setting.batch.weights)
    return setting._replace(batch=dataclasses.replace(setting.batch, weights=ones))


def penalised(factor: float) -> Any:
    """Other sizes of all penalties."""

    def change(setting: Setting) -> Setting:
        nodes = tuple(dataclasses.replace(node, layer=lighter(node.layer, factor)) for node in setting.spec.nodes)
        return setting._replace(spec=dataclasses.replace(setting.spec, nodes=nodes))

    return change


def lighter(layer: Any, factor: float) -> Any:
    """A layer whose penalties are multiplied."""
    found = dict(regularizers(layer))
    return dataclasses.replace(layer, **{name: scaled(one, factor) for name, one in found.items()}) if found else layer


def regularizers(layer: Any) -> Iterator[Tuple[str, Any]]:
    """A layer's penalties by key."""
    for item in dataclasses.fields(layer):
        value = getattr(layer, item.name)
        if isinstance(value, Regularizer):
            yield item.name, value


def scaled(regularizer: Any, factor: float) -> Any:
    """A penalty times a factor."""
    return dataclasses.replace(
        regularizer, **{item.name: getattr(regularizer, item.name) * factor for item in dataclasses.fields(regularizer)}
    )
