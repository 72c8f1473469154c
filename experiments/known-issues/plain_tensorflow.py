"""TensorFlow, called plainly: what its adapter goes round is put back, a mode for each. All seen with TensorFlow 2.21.0.

    elu    tf.nn.elu and tf.nn.selu, which are exp(z) - 1 and have few digits of a small z
           (https://github.com/tensorflow/tensorflow/issues/116943)
    gelu   tf.nn.gelu, which takes the root of 2 in float32, in float64 too

Adam's epsilon, which stands beside another root than the paper's (https://github.com/tensorflow/tensorflow/issues/9047), is not declared in
FORMS.
"""

from __future__ import annotations

import tensorflow as tf

import backends.tensorflow as right
from backends.tensorflow.activations import ACTIVATIONS
from harness.spec import ProgramSpec

REQUIRES = {"tensorflow": "tensorflow"}
MODES: dict[str, dict[str, dict[str, str]]] = {"": {}, "elu": {}, "gelu": {}}
FORMS: dict[str, str] = {}
versions = right.versions

#: mode -> activations as TensorFlow has them
PLAIN = {
    "elu": {"elu": lambda spec, z: tf.nn.elu(z), "selu": lambda spec, z: tf.nn.selu(z)},
    "gelu": {"gelu": lambda spec, z: tf.nn.gelu(z, spec.approximate)},
}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """The adapter's reasons why not."""
    return right.supports(spec, dtype, device, "")


class Program(right.Program):
    """The adapter's, with what a mode names put back."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        ACTIVATIONS.update(PLAIN.get(mode, {}))
        super().__init__(spec, dtype, device, "")
