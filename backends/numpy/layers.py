"""Layers by hand: `forward` keeps what `backward` needs; buffers are made once for a number of rows and reused.

Every array is `(rows, ...)` in the program's dtype. The code holds for complex numbers too (no abs, max or conjugate of what
is differentiated), which is how its gradients are proved.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Type

import numpy

from harness.interface import Arrays
from harness.spec import Activation, Dropout, Node


class Layer:
    """One node. `forward(x)` gives its output, `backward(dy)` the gradient at its input; both own what they return until
    the next call."""

    def __init__(self, node: Node, parameters: Arrays, gradients: Arrays, ops: Any, dtype: str) -> None:
        self.name, self.node, self.ops, self.dtype = node.name, node, ops, numpy.dtype(dtype)
        self.rows = -1
        self.setup(parameters, gradients)

    def setup(self, parameters: Arrays, gradients: Arrays) -> None:
        """Bind the node's own parameters and gradients, views into the program's flat buffers."""

    def resize(self, rows: int) -> None:
        """Make buffers for so many rows."""
        self.rows = rows
        self.y = numpy.empty((rows, *self.node.output_shape), self.dtype)
        self.dx = numpy.empty((rows, *self.node.input_shape), self.dtype)

    def forward(self, x: Any) -> Any:
        raise NotImplementedError

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        raise NotImplementedError


class Dense(Layer):
    """y = x W + b; dW = x^T dy, db = sum of dy over rows, dx = dy W^T."""

    def setup(self, parameters: Arrays, gradients: Arrays) -> None:
        self.kernel, self.kernel_gradient = parameters["kernel"], gradients["kernel"]
        self.bias: Optional[Any] = parameters.get("bias")
        self.bias_gradient = gradients.get("bias")
        self.kernel_t = self.kernel.T

    def resize(self, rows: int) -> None:
        super().resize(rows)
        self.ones = numpy.ones(rows, self.dtype)

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        self.x = x
        self.ops.dot(x, self.kernel, out=self.y)
        if self.bias is not None:
            self.ops.add(self.y, self.bias, out=self.y)
        return self.y

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        self.ops.dot(self.x.T, dy, out=self.kernel_gradient)
        if self.bias is not None:
            self.ops.dot(self.ones, dy, out=self.bias_gradient)
        return self.ops.dot(dy, self.kernel_t, out=self.dx) if inputs_too else None


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)); dx = dy y (1 - y)."""

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        ops, y = self.ops, self.y
        ops.negative(x, out=y)
        ops.exp(y, out=y)
        ops.add(y, 1, out=y)
        return ops.reciprocal(y, out=y)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops, dx = self.ops, self.dx
        ops.subtract(1, self.y, out=dx)
        ops.multiply(dx, self.y, out=dx)
        return ops.multiply(dx, dy, out=dx)


class Tanh(Layer):
    """y = tanh(x); dx = dy (1 - y^2)."""

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        return self.ops.tanh(x, out=self.y)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops, dx = self.ops, self.dx
        ops.multiply(self.y, self.y, out=dx)
        ops.subtract(1, dx, out=dx)
        return ops.multiply(dx, dy, out=dx)


class Relu(Layer):
    """y = max(x, 0); dx = dy where y > 0, else 0."""

    def resize(self, rows: int) -> None:
        super().resize(rows)
        self.alive = numpy.empty(self.y.shape, bool)

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        return self.ops.maximum(x, 0, out=self.y)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        numpy.greater(self.y, 0, out=self.alive)
        return numpy.multiply(dy, self.alive, out=self.dx)


class Softmax(Layer):
    """y_i = exp(x_i - max) / sum; dx = y (dy - sum(dy y)), over the last axis."""

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        ops, y = self.ops, self.y
        ops.subtract(x, x.max(axis=-1, keepdims=True), out=y)
        ops.exp(y, out=y)
        return ops.divide(y, ops.dot(y, numpy.ones(y.shape[-1], self.dtype))[..., None], out=y)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops, dx, y = self.ops, self.dx, self.y
        ops.multiply(dy, y, out=dx)
        total = ops.dot(dx, numpy.ones(y.shape[-1], self.dtype))[..., None]
        ops.subtract(dy, total, out=dx)
        return ops.multiply(dx, y, out=dx)


class Step(Layer):
    """y = 1 where x > 0, else 0; its gradient is zero."""

    def forward(self, x: Any) -> Any:
        if len(x) != self.rows:
            self.resize(len(x))
        self.y[...] = x > 0
        return self.y

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        self.dx.fill(0)
        return self.dx


class Linear(Layer):
    """y = x."""

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return dy


class Flatten(Layer):
    """y = x with all axes but the rows made one."""

    def forward(self, x: Any) -> Any:
        return x.reshape(len(x), -1)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return dy.reshape(len(dy), *self.node.input_shape)


class Mask(Layer):
    """Dropout: y = x m; dx = dy m; the identity where `mask` is None."""

    mask: Optional[Any] = None

    def setup(self, parameters: Arrays, gradients: Arrays) -> None:
        if not isinstance(self.node.layer, Dropout):
            raise TypeError(f"{self.name} is no dropout")
        self.rate, self.scale = self.node.layer.rate, self.node.layer.scale
        self.random = numpy.random.Generator(numpy.random.SFC64(0))

    def draw(self, rows: int) -> None:
        """A mask of the program's own, for a batch that brings none."""
        keep = self.random.random((rows, *self.node.input_shape), numpy.float32) >= self.rate
        self.mask = numpy.multiply(keep, self.dtype.type(self.scale), dtype=self.dtype)

    def forward(self, x: Any) -> Any:
        if self.mask is None:
            return x
        if len(x) != self.rows:
            self.resize(len(x))
        return self.ops.multiply(x, self.mask, out=self.y)

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return dy if self.mask is None else self.ops.multiply(dy, self.mask, out=self.dx)


LAYERS: Dict[str, Type[Layer]] = {"dense": Dense, "flatten": Flatten, "dropout": Mask}
ACTIVATIONS: Dict[str, Type[Layer]] = {
    "linear": Linear, "step": Step, "sigmoid": Sigmoid, "tanh": Tanh, "relu": Relu, "softmax": Softmax,
}  # fmt: skip


def layer_class(node: Node) -> Type[Layer]:
    """The class that computes a node."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return ACTIVATIONS[node.layer.activation.type]
    return LAYERS[node.layer.type]
