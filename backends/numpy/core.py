"""Dense layers, embeddings, and what only moves numbers about."""

from __future__ import annotations

from typing import Any

import numpy

from .layer import Layer
from .replica import product_of


class Dense(Layer):
    """y = x W + b; dW = x^T dy, db = sum of dy, dx = dy W^T."""

    def setup(self) -> None:
        """The parameters."""
        self.kernel, self.bias = self.held.parameters["kernel"], self.held.parameters.get("bias")
        self.d_kernel, self.d_bias = self.held.gradients["kernel"], self.held.gradients.get("bias")
        self.product, self.ones = product_of(self.kernel), numpy.ones(0, self.dtype)

    def forward(self, x: Any) -> Any:
        """All axes but the last are rows."""
        self.rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        y = self.product(self.rows, self.kernel)
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], -1) if x.ndim > 2 else y

    def backward(self, dy: Any) -> Any:
        """See above."""
        rows = dy if dy.ndim == 2 else dy.reshape(-1, dy.shape[-1])
        self.product(self.rows.T, rows, self.d_kernel)
        if self.bias is not None:
            if len(self.ones) != len(rows):
                self.ones = numpy.ones(len(rows), self.dtype)
            self.product(self.ones, rows, self.d_bias)
        if not self.inputs_too:
            return None
        dx = self.product(rows, self.kernel.T)
        return dx.reshape(*dy.shape[:-1], -1) if dy.ndim > 2 else dx


class TiedDense(Layer):
    """y = x E^T + b; dE = dy^T x, db = sum of dy, dx = dy E."""

    def setup(self) -> None:
        """The shared table, and the bias."""
        self.table, self.bias = self.held.parameters["embeddings"], self.held.parameters.get("bias")

    def forward(self, x: Any) -> Any:
        """All axes but the last are rows."""
        self.rows = x.reshape(-1, x.shape[-1])
        y = self.rows @ self.table.T
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], -1)

    def backward(self, dy: Any) -> Any:
        """See above."""
        rows = dy.reshape(-1, dy.shape[-1])
        numpy.matmul(rows.T, self.rows, self.held.gradients["embeddings"])
        if self.bias is not None:
            numpy.matmul(numpy.ones(len(rows), self.dtype), rows, self.held.gradients["bias"])
        return (rows @ self.table).reshape(*dy.shape[:-1], -1) if self.inputs_too else None


class Embedding(Layer):
    """y = E_x; dE_w = the sum of dy over all places where x is w."""

    def setup(self) -> None:
        """The table."""
        self.table = self.held.parameters["embeddings"]

    def forward(self, x: Any) -> Any:
        """Rows of the table."""
        self.words = x.reshape(-1)
        return self.table[x]

    def backward(self, dy: Any) -> None:
        """Places of one word stand side by side once they are sorted; their sum is one reduction each."""
        rows, gradient = dy.reshape(-1, dy.shape[-1]), self.held.gradients["embeddings"]
        order = numpy.argsort(self.words, kind="stable")
        words, starts = numpy.unique(self.words[order], return_index=True)
        gradient[...] = 0
        gradient[words] = numpy.add.reduceat(rows[order], starts, 0)


class Shape(Layer):
    """The same numbers in another shape: flatten and reshape."""

    def forward(self, x: Any) -> Any:
        """Row by row."""
        return x.reshape(len(x), *self.node.output_shape)

    def backward(self, dy: Any) -> Any:
        """Back."""
        return dy.reshape(len(dy), *self.node.input_shape)


class Permute(Layer):
    """Axes in another order."""

    def setup(self) -> None:
        """The order, and the one that leads back."""
        self.order = (0, *self.spec.dims)
        self.back = tuple(numpy.argsort(self.order))

    def forward(self, x: Any) -> Any:
        """A view."""
        return x.transpose(self.order)

    def backward(self, dy: Any) -> Any:
        """A view."""
        return dy.transpose(self.back)


class Take(Layer):
    """Some places along an axis; all others get no gradient."""

    def setup(self) -> None:
        """Which part of the input it is."""
        places = self.spec.places(self.node.input_shape)
        chosen = places[0] if isinstance(self.spec.indices, int) else list(places)
        self.part: Any = (*(slice(None) for _ in range(self.spec.axis)), chosen)

    def forward(self, x: Any) -> Any:
        """The part."""
        self.shape = x.shape
        return x[self.part]

    def backward(self, dy: Any) -> Any:
        """The part, zeros elsewhere."""
        dx = numpy.zeros_like(dy, shape=self.shape)
        dx[self.part] = dy
        return dx
