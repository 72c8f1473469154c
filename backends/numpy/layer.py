"""What a layer is here: `forward` from the values before it, `backward` from the gradient behind it. Plain numpy, a sample in each row,
channels last.

The code holds for complex numbers too (no abs or conjugate of what is differentiated, branches on the real part), which is how its
gradients are proved, and for long doubles; and it computes with ufuncs and `@` alone, so that replicas can round it otherwise
(see `replica`).
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple

import numpy

from harness.spec import Node


class Held(NamedTuple):
    """What the program gives to a layer.

    Attributes:
        parameters: short name -> view into the program's flat parameters, in canonical shape.
        gradients: the same of its gradients; `backward` writes there. For a shared table ("embeddings" of a tied_dense) it is an array
            of the layer's own, which the program adds to the table's gradient.
        statistics: short name -> array, changed in place by `keep`.
        forms: harness.spec.FORMS that the spec names.
        dtype: of everything.
    """

    parameters: Dict[str, Any]
    gradients: Dict[str, Any]
    statistics: Dict[str, Any]
    forms: Mapping[str, str]
    dtype: Any


class Layer:
    """One node. What it needs for `backward` it keeps on itself."""

    #: in training, or in inference; the program sets it
    training = True
    #: whether `backward` has to give the gradients at the inputs; the program sets it
    inputs_too = True

    def __init__(self, node: Node, held: Held) -> None:
        self.node, self.held = node, held
        self.spec: Any = node.layer
        self.dtype = numpy.dtype(held.dtype)
        self.setup()

    def setup(self) -> None:
        """What can be made once."""

    def forward(self, *inputs: Any) -> Any:
        """The output `(rows, *output_shape)` of inputs `(rows, *input_shape)`."""
        raise NotImplementedError

    def backward(self, dy: Any) -> Any:
        """From the gradient at the output, that at the input (or a tuple, one for each input; None where there is none); writes those of
        its parameters. It does not change `dy`."""
        raise NotImplementedError

    def keep(self) -> None:
        """After a training step: move the statistics. `forward` alone changes nothing."""
