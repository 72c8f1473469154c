"""Layers by hand. A sample is a column: values are `(features, rows)`, so that `z = W^T x + b` reads as in a textbook.

Every layer's output stands in a buffer with one more row, of ones: a dense layer's bias is the last row of its kernel, and one
contraction gives W^T x + b, another the gradients of both. `forward(x)` takes and returns such a buffer, `(features + 1, rows)`;
`backward(dy)` takes and returns gradients, `(features, rows)`. Buffers are made when the first batch of a size comes, and reused.

The code holds for complex numbers too (no abs or conjugate of what is differentiated), which is how its gradients are proved.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Type

import numpy

from harness.spec import Activation, Dropout, Node


class Layer:
    """One node. What `forward` and `backward` return is theirs until the next call."""

    seen: Any = None

    def __init__(self, node: Node, kernel: Any, gradient: Any, ops: Any, dtype: str) -> None:
        """`kernel` and `gradient` are views into the program's flat buffers, `(inputs + 1, units)`, `(inputs, units)` without bias;
        None where there is nothing to learn."""
        self.name, self.node, self.ops, self.dtype = node.name, node, ops, numpy.dtype(dtype)
        self.kernel, self.gradient = kernel, gradient
        self.one, self.zero = numpy.ones((), dtype), numpy.zeros((), dtype)  # arrays: a Python number is converted at every call

    def bind(self, x: Any) -> None:
        """Make ready for another input buffer; the layer's own are kept while the number of rows is the same."""
        if self.seen is None or self.seen.shape != x.shape:
            size, rows = int(numpy.prod(self.node.output_shape)), x.shape[1]
            self.whole = numpy.ones((size + 1, rows), self.dtype)
            self.y = self.whole[:-1]
            self.dx = numpy.empty((len(x) - 1, rows), self.dtype)
        self.seen, self.x = x, x[:-1]

    def forward(self, x: Any) -> Any:
        raise NotImplementedError

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        raise NotImplementedError


class Dense(Layer):
    """y = W^T x + b; dW = x dy^T, db = sum of dy over rows, dx = W dy."""

    def bind(self, x: Any) -> None:
        super().bind(x)
        self.left, self.kernel_t, self.weights = x, self.kernel.T, self.kernel[: len(x) - 1]
        if len(self.kernel) < len(x):  # no bias: the row of ones is left out
            self.left = self.x

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        self.ops.dot(self.kernel_t, self.left, self.y)
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        dot = self.ops.dot
        dot(self.left, dy.T, self.gradient)
        return dot(self.weights, dy, self.dx) if inputs_too else None


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)); dx = dy y (1 - y)."""

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        ops, y = self.ops, self.y
        ops.reciprocal(ops.add(ops.exp(ops.negative(self.x, y), y), self.one, y), y)
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops, y, dx = self.ops, self.y, self.dx
        return ops.multiply(ops.multiply(ops.subtract(self.one, y, dx), y, dx), dy, dx)


class Tanh(Layer):
    """y = tanh(x); dx = dy (1 - y^2)."""

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        self.ops.tanh(self.x, self.y)
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops, y, dx = self.ops, self.y, self.dx
        return ops.multiply(ops.subtract(self.one, ops.multiply(y, y, dx), dx), dy, dx)


class Relu(Layer):
    """y = max(x, 0); dx = dy where y > 0, else 0."""

    def bind(self, x: Any) -> None:
        super().bind(x)
        self.alive = numpy.empty(self.y.shape, bool)

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        self.ops.maximum(self.x, self.zero, out=self.y)  # maximum alone wants `out` by name, since numpy 2.4
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return numpy.multiply(dy, self.ops.greater(self.y, self.zero, self.alive), self.dx)


class Softmax(Layer):
    """y_i = exp(x_i - max) / sum; dx = y (dy - sum(dy y)), over the last axis of a sample: each `part` of the features."""

    def bind(self, x: Any) -> None:
        super().bind(x)
        length = self.node.output_shape[-1]
        self.ones = numpy.ones(length, self.dtype)
        self.parts = [slice(start, start + length) for start in range(0, len(self.y), length)]

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        ops = self.ops
        for part in self.parts:
            x, y = self.x[part], self.y[part]
            ops.exp(ops.subtract(x, x.max(0), y), y)
            ops.divide(y, ops.dot(self.ones, y), y)
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        ops = self.ops
        for part in self.parts:
            y, dx = self.y[part], self.dx[part]
            total = ops.dot(self.ones, ops.multiply(dy[part], y, dx))
            ops.multiply(ops.subtract(dy[part], total, dx), y, dx)
        return self.dx


class Step(Layer):
    """y = 1 where x > 0, else 0; its gradient is zero."""

    def forward(self, x: Any) -> Any:
        if x is not self.seen:
            self.bind(x)
        self.y[...] = self.x > 0
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        self.dx.fill(0)
        return self.dx


class Identity(Layer):
    """y = x: linear, and flatten, since features stand one below the other whatever their shape."""

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return dy


class Mask(Layer):
    """Dropout: y = x m; dx = dy m; the identity where `mask` is None."""

    mask: Optional[Any] = None

    def __init__(self, node: Node, kernel: Any, gradient: Any, ops: Any, dtype: str) -> None:
        super().__init__(node, kernel, gradient, ops, dtype)
        if not isinstance(node.layer, Dropout):
            raise TypeError(f"{self.name} is no dropout")
        self.rate, self.scale = node.layer.rate, node.layer.scale
        self.random = numpy.random.Generator(numpy.random.SFC64(0))

    def draw(self, rows: int) -> None:
        """A mask of the program's own, for a batch that brings none."""
        size = int(numpy.prod(self.node.input_shape))
        keep = self.random.random((size, rows), numpy.float32) >= self.rate
        self.mask = numpy.multiply(keep, self.dtype.type(self.scale), dtype=self.dtype)

    def forward(self, x: Any) -> Any:
        if self.mask is None:
            return x
        if x is not self.seen:
            self.bind(x)
        self.ops.multiply(self.x, self.mask, self.y)
        return self.whole

    def backward(self, dy: Any, inputs_too: bool = True) -> Any:
        return dy if self.mask is None else self.ops.multiply(dy, self.mask, self.dx)


LAYERS: Dict[str, Type[Layer]] = {"dense": Dense, "flatten": Identity, "dropout": Mask}
ACTIVATIONS: Dict[str, Type[Layer]] = {
    "linear": Identity, "step": Step, "sigmoid": Sigmoid, "tanh": Tanh, "relu": Relu, "softmax": Softmax,
}  # fmt: skip


def layer_class(node: Node) -> Type[Layer]:
    """The class that computes a node."""
    if isinstance(node.layer, Activation) and node.layer.activation:
        return ACTIVATIONS[node.layer.activation.type]
    return LAYERS[node.layer.type]
