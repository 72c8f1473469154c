"""Another constant, form, decay, clipping or count of an optimizer, or nothing at all."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Tuple

from ....interface import Arrays
from ....spec import FORMS, Optimizer, active_slots, family
from ..setting import Setting, WhatIf, WhatIfs
from .fields import said
from .layers import with_form

VALUES: Dict[str, Tuple[Any, ...]] = {
    "epsilon": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12),
    "beta_1": (0.0, 0.5, 0.8, 0.9, 0.95, 0.99),
    "beta_2": (0.9, 0.95, 0.98, 0.99, 0.999, 0.9999),
    "rho": (0.9, 0.95, 0.99),
    "momentum": (0.9, 0.99),
    "nesterov": (True, False),
}
CLIPS = ("clip_value", "clip_norm", "global_clip_norm")
#: updates after which corrections for moments that started at zero are 1
LATE = 10**6


def optimizers(setting: Setting) -> WhatIfs:
    """All of them, the simplest first."""
    yield WhatIf("no update: nothing is changed", lambda setting: setting, still)
    yield from constants(setting)
    yield from decays(setting)
    yield from clippings(setting)
    yield from counts(setting)
    yield from forms(setting)
    yield from others(setting)


def changed(**fields: Any) -> Any:
    """Other keys of the optimizer as it is then."""

    def change(setting: Setting) -> Setting:
        optimizer = dataclasses.replace(setting.spec.optimizer, **fields)
        return setting._replace(spec=dataclasses.replace(setting.spec, optimizer=optimizer))

    return change


def still(tensors: Arrays) -> Arrays:
    """Nothing moved."""
    return {name: array * 0 if name.partition("/")[0] in ("updates", "slots") else array for name, array in tensors.items()}


def constants(setting: Setting) -> WhatIfs:
    """Other values of one key."""
    spec: Any = setting.spec.optimizer
    for item in dataclasses.fields(spec):
        old = getattr(spec, item.name)
        options = list(VALUES.get(item.name, ()))
        if item.name == "learning_rate":
            options = [old * factor for factor in (2, 0.5, 10, 0.1, 100, 0.01)]
        elif item.name in ("momentum", "rho", "beta_1", "beta_2") and old:
            options.append(1 - old)
        for value in options:
            if value != old and not (item.name == "momentum" and not old):
                yield WhatIf(f"{item.name} {said(value)} instead of {said(old)}", changed(**{item.name: value}))


def decays(setting: Setting) -> WhatIfs:
    """Decay that is coupled instead of decoupled, or the other way round, or left out, or of another size."""
    spec: Any = setting.spec.optimizer
    if not spec.weight_decay:
        return
    if spec.type != "lamb":
        now, other = ("decoupled", "coupled") if spec.decoupled else ("coupled", "decoupled")
        yield WhatIf(f"weight decay {other} instead of {now}", changed(decoupled=not spec.decoupled))
    for text, factor in (("no weight decay", 0.0), ("half the weight decay", 0.5), ("twice the weight decay", 2.0)):
        yield WhatIf(text, changed(weight_decay=spec.weight_decay * factor))


def clippings(setting: Setting) -> WhatIfs:
    """Another way to clip, or none."""
    spec: Any = setting.spec.optimizer
    for name in CLIPS:
        limit = getattr(spec, name)
        if limit is not None:
            for other in CLIPS:
                if other != name:
                    yield WhatIf(f"{other} instead of {name}", changed(**{name: None, other: limit}))
            yield WhatIf("no clipping", changed(**{name: None}))


def counts(setting: Setting) -> WhatIfs:
    """Steps counted otherwise, a schedule left out."""
    spec: Any = setting.spec.optimizer
    every = spec.gradient_accumulation_steps
    if spec.schedule is not None:
        yield WhatIf("the schedule is left out", changed(schedule=None))
    what = "the schedule's count" if spec.schedule is not None else "the count of updates"
    for text, more in (("one ahead", every), ("one behind", -every)):
        if setting.state.step + more >= 0:
            yield WhatIf(f"{what} is {text}", counted(more))
    if spec.schedule is None:
        yield WhatIf("no correction of the moments for their start at zero", counted(LATE * every))


def counted(more: int) -> Any:
    """Other counts."""
    return lambda setting: setting._replace(state=dataclasses.replace(setting.state, step=setting.state.step + more))


def forms(setting: Setting) -> WhatIfs:
    """The formulas that frameworks fix differently."""
    kind = setting.spec.optimizer.type
    names = (*{"adamw": ("adam",)}.get(kind, ()), kind)
    for name, options in FORMS.items():
        if name.partition(".")[0] not in names:
            continue
        now = setting.spec.forms.get(name, next(iter(options)))
        for value, formula in options.items():
            if value != now:
                yield WhatIf(f"{name} is {value} instead of {now}: {formula}", with_form(name, value))


def others(setting: Setting) -> WhatIfs:
    """Another optimizer that keeps the same slots."""
    spec: Any = setting.spec.optimizer
    for name, cls in family(Optimizer).items():
        kept = {item.name: getattr(spec, item.name) for item in dataclasses.fields(cls) if hasattr(spec, item.name)}
        if name in (spec.type, "adamw"):
            continue
        other = cls(**kept)
        if active_slots(other) == active_slots(spec):
            yield WhatIf(
                f"{name} instead of {spec.type}",
                lambda setting, other=other: setting._replace(spec=dataclasses.replace(setting.spec, optimizer=other)),  # type: ignore[misc]
            )
