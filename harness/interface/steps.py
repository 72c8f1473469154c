"""What a training step changed."""

from __future__ import annotations

from typing import Any

import numpy

from .values import Arrays, State

#: kinds of tensors, the first word of their names, in the order in which a step computes them
KINDS = ("outputs", "loss", "output_gradients", "gradients", "statistics", "updates", "slots")
#: less is nothing: float32 may flush it, where float64 has a number
ZERO = 2.0**-100
#: who makes a tensor, where it is no node
LOSS, OPTIMIZER = "loss", "optimizer"


def changes(before: State, after: State) -> Arrays:
    """The difference of two states: `updates/<parameter>`, `slots/<slot>/<parameter>`, `statistics/<name>`, float64. Of differences, since
    what is stored hides them: a parameter's last place may be larger than its update's error."""

    def moved(new: Any, old: Any) -> Any:
        return numpy.asarray(new, numpy.float64) - old

    found = {f"updates/{name}": moved(array, before.parameters[name]) for name, array in after.parameters.items()}
    for slot, arrays in after.slots.items():
        found.update({f"slots/{slot}/{name}": moved(array, before.slots[slot][name]) for name, array in arrays.items()})
    found.update({f"statistics/{name}": moved(array, before.statistics[name]) for name, array in after.statistics.items()})
    return found
