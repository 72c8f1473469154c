"""Several branches made one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..fields import Call, Shape, about
from .base import Layer, by


@dataclass(frozen=True)
class Merge(Layer):
    """A number for each place, from the same place of all inputs."""

    arity = (2, None)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The inputs'."""
        if len(set(shapes)) > 1:
            raise ValueError(f'"{self.type}" needs inputs of one shape, but gets {" and ".join(map(by, shapes))}')
        return shapes[0]


@dataclass(frozen=True)
class Add(Merge):
    """y = a + b + ..., from left to right."""

    type = "add"
    calls = {
        "torch": Call("torch.add"),
        "keras": Call("keras.layers.Add"),
        "tensorflow": Call("tensorflow.add"),
        "jax": Call("jax.numpy.add"),
    }
    also = {"sum": "other tools"}


@dataclass(frozen=True)
class Multiply(Merge):
    """y = a b ..., from left to right."""

    type = "multiply"
    calls = {
        "torch": Call("torch.mul"),
        "keras": Call("keras.layers.Multiply"),
        "tensorflow": Call("tensorflow.multiply"),
        "jax": Call("jax.numpy.multiply"),
    }
    also = {"mul": "PyTorch"}


@dataclass(frozen=True)
class Average(Merge):
    """y = (a + b + ...) / count."""

    type = "average"
    calls = {
        "torch": Call("torch.mean", note="the sum, divided"),
        "keras": Call("keras.layers.Average"),
        "tensorflow": Call("tensorflow.add_n", note="the sum, divided"),
        "jax": Call("jax.numpy.mean", note="the sum, divided"),
    }
    also = {"mean": "other tools"}


@dataclass(frozen=True)
class Maximum(Merge):
    """y = max(a, b, ...), from left to right; the gradient goes to the first of equal ones."""

    type = "maximum"
    calls = {
        "torch": Call("torch.where", note="torch.maximum splits the gradient where both are equal"),
        "keras": Call("keras.layers.Maximum", note="its gradient where both are equal depends on the engine"),
        "tensorflow": Call("tensorflow.maximum"),
        "jax": Call("jax.numpy.where", note="jnp.maximum splits the gradient where both are equal"),
    }
    also = {"max": "other tools"}


@dataclass(frozen=True)
class Concatenate(Layer):
    """Inputs one behind the other along an axis."""

    axis: int = field(
        default=-1, metadata=about("the axis: -1 is the last, 1 the first behind the batch", also={"dim": "PyTorch"})
    )
    type = "concatenate"
    calls = {
        "torch": Call("torch.cat", {"axis": "dim"}),
        "keras": Call("keras.layers.Concatenate", {"axis": "axis"}),
        "tensorflow": Call("tensorflow.concat"),
        "jax": Call("jax.numpy.concatenate", {"axis": "axis"}),
    }
    also = {"cat": "PyTorch", "concat": "TensorFlow"}
    arity = (2, None)

    def place(self, shape: Shape) -> int:
        """The axis, counted from 1 behind the batch."""
        if self.axis != -1 and not 1 <= self.axis <= len(shape):
            raise ValueError(f"axis {self.axis}: there are axes 1 to {len(shape)} behind the batch, and -1")
        return len(shape) if self.axis == -1 else self.axis

    def output_shape(self, *shapes: Shape) -> Shape:
        """Lengths added up along the axis."""
        at = self.place(shapes[0]) - 1
        if len({(len(shape), shape[:at], shape[at + 1 :]) for shape in shapes}) > 1:
            raise ValueError(
                f'"concatenate" needs inputs that are alike but for axis {at + 1}, but gets {" and ".join(map(by, shapes))}'
            )
        return (*shapes[0][:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :])
