"""Keras, called plainly: what its adapter goes round or refuses is put back, a mode for each. All seen with Keras 3.15.1.

On the engine torch:

    average_pooling    repeats the border where padding "same" is uneven (https://github.com/keras-team/keras/pull/23233)
    moments            variances are the mean of squares less the square of the mean, which may be below 0
                       (https://github.com/keras-team/keras/pull/18795 mended the other engines)
    probabilities      cross-entropy of what a softmax gives, cut off at 1e-7; on tensorflow Keras looks for the logits
                       (https://github.com/keras-team/keras/issues/11801)
    torch              the last three at once
    torch_float64      float64, which is computed in float32 in parts (https://github.com/keras-team/keras/issues/23704)

On the engine jax:

    jax_float64        the same issue

On the engine tensorflow:

    tensorflow_float64 gelu is TensorFlow's, which takes the root of 2 in float32; Nadam takes its 0.96 through float32
    smoothing          label smoothing with `axis=1`, which divides by the size of the last axis
                       (https://github.com/keras-team/keras/issues/23451)
    slices             the gradient of an embedding stays rows of its table, the same row several times, and its rows are squared one by one
                       (https://github.com/keras-team/keras/pull/18692)
    tensorflow         the last two at once
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import activations, layers, losses, ops, optimizers

import backends.keras as right
from backends.keras.activations import ACTIVATIONS
from backends.keras.layers import LAYERS
from backends.keras.losses import LOSSES
from backends.keras.normalization import normal
from backends.keras.optimizers import OPTIMIZERS, betas
from backends.keras.part import ENGINE, Part
from backends.keras.pooling import AVERAGE, window
from harness.spec import Node, ProgramSpec

REQUIRES = {"keras": "keras"}
MODES: dict[str, dict[str, dict[str, str]]] = {
    "": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "average_pooling": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "moments": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "probabilities": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "torch": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "torch_float64": {"variables": {"KERAS_BACKEND": "torch"}, "requires": {"torch": "torch"}},
    "jax_float64": {"variables": {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}, "requires": {"jax": "jax"}},
    "tensorflow_float64": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "smoothing": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "slices": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
    "tensorflow": {"variables": {"KERAS_BACKEND": "tensorflow"}, "requires": {"tensorflow": "keras"}},
}
FORMS, versions = right.FORMS, right.versions

#: what a mode puts back, where that is several
PARTS = {"torch": ("average_pooling", "moments", "probabilities"), "tensorflow": ("smoothing", "slices")}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """The adapter's reasons why not, but that float64 is not all of it."""
    return right.supports(spec, "float32" if mode.endswith("_float64") else dtype, device, ENGINE)


def average_pooling(node: Node, activation: Any) -> Part:
    """Keras' own, whatever the padding."""
    layer: Any = node.layer
    return Part((AVERAGE[layer.rank](**window(layer, layer.padding)),))


def cut_off(spec: ProgramSpec) -> Callable[[Any, Any], Any]:
    """Cross-entropy of classes from probabilities."""
    return lambda y, z: losses.sparse_categorical_crossentropy(y, ops.softmax(z))


def over_axis_1(spec: ProgramSpec) -> Callable[[Any, Any], Any]:
    """Cross-entropy of a class at each step, with the classes where PyTorch has them."""
    smoothing = getattr(spec.loss, "label_smoothing", 0.0)

    def terms(y: Any, z: Any) -> Any:
        y, z = (ops.swapaxes(values, 1, 2) for values in (ops.one_hot(y, z.shape[-1], dtype=z.dtype), z))
        return losses.categorical_crossentropy(y, z, from_logits=True, label_smoothing=smoothing, axis=1)

    return terms


def put_back(part: str) -> None:
    """Change the adapter's tables. A worker builds programs of one mode only."""
    if part == "average_pooling":
        LAYERS.update(average_pooling1d=average_pooling, average_pooling2d=average_pooling)
    elif part == "moments":
        LAYERS["batch_normalization"] = normal(layers.BatchNormalization, "momentum")
        LAYERS["group_normalization"] = normal(layers.GroupNormalization, "groups")
    elif part == "probabilities":
        LOSSES["softmax_cross_entropy"] = cut_off
    elif part == "smoothing":
        LOSSES["softmax_cross_entropy"] = over_axis_1
    elif part == "tensorflow_float64":
        ACTIVATIONS["gelu"] = lambda spec: lambda z: activations.gelu(z, approximate=spec.approximate)
        OPTIMIZERS["nadam"] = lambda spec, **more: optimizers.Nadam(**betas(spec), **more)


class Program(right.Program):
    """The adapter's, with what a mode names put back."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        parts = PARTS.get(mode, (mode,))
        for part in parts:
            put_back(part)
        super().__init__(spec, dtype, device, ENGINE)
        if "slices" in parts:
            self.engine.sparse = True
