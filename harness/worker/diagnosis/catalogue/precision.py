"""Products of fewer bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy

from ....spec import INPUT, Node
from ..setting import Setting, WhatIf, WhatIfs

#: bits of the mantissa, the hidden one counted
FORMATS = {24: "float32", 11: "float16 or TF32", 8: "bfloat16"}


def precision(setting: Setting, node: Node) -> WhatIfs:
    """Inputs and parameters of a node rounded, on the way forwards or both ways."""
    if not node.parameters:
        return
    for bits, name in FORMATS.items():
        yield WhatIf(f"its inputs and parameters have {bits} bits ({name})", rounded_around(node, bits, False))
        yield WhatIf(f"its inputs, parameters and gradients have {bits} bits ({name})", rounded_around(node, bits, True))


def rounded_around(node: Node, bits: int, gradients_too: bool) -> Any:
    """The change of a setting."""

    def change(setting: Setting) -> Setting:
        state, batch, tensors = setting.state, setting.batch, dict(setting.tensors)
        kernels = [item.name for item in node.parameters if "bias" not in item.name]
        parameters = {**state.parameters, **{name: rounded(state.parameters[name], bits) for name in kernels}}
        for name in node.inputs:
            if name != INPUT:
                tensors[f"outputs/{name}"] = rounded(tensors[f"outputs/{name}"], bits)
            elif numpy.asarray(batch.inputs).dtype.kind == "f":
                batch = dataclasses.replace(batch, inputs=rounded(batch.inputs, bits))
        if gradients_too:
            tensors[f"output_gradients/{node.name}"] = rounded(tensors[f"output_gradients/{node.name}"], bits)
        return setting._replace(state=dataclasses.replace(state, parameters=parameters), batch=batch, tensors=tensors)

    return change


def rounded(values: Any, bits: int) -> Any:
    """To the nearest number with so many bits, ties to even."""
    mantissa, exponent = numpy.frexp(numpy.asarray(values, numpy.float64))
    return numpy.ldexp(numpy.rint(mantissa * 2.0**bits) / 2.0**bits, exponent)
