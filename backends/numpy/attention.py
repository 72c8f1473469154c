"""Attention and positions."""

from __future__ import annotations

from typing import Any, Optional

import numpy

from harness.interface import rotations, sinusoids

from .core import Dense
from .layer import Layer

#: what is added where a step is not looked at: exp of it is 0, and it is a number in every format
AWAY = -1e30


class MultiHeadAttention(Layer):
    """y = b W_o, b = a v, a = softmax(q k^T / sqrt(key_dim)), head by head.

    The projections are dense layers; their outputs `(rows, steps, heads key_dim)` are seen as `(rows, kv_heads, sharing, steps, key_dim)`,
    with `sharing` heads of q for each of k and v, and 1 of k and v. Products read and write these views: no head is ever moved.
    """

    def setup(self) -> None:
        """The projections, and what is the same at every step."""
        shapes, spec = self.node.input_shapes, self.spec
        query, memory = shapes[0], shapes[spec.sources(len(shapes)) - 1]
        self.size, self.sharing = spec.head(query), spec.num_heads // spec.kv_heads
        self.query, self.key, self.value, self.output = map(self.dense, ("query", "key", "value", "output"))
        self.scale = numpy.reciprocal(numpy.sqrt(self.dtype.type(self.size)))
        self.earlier = numpy.tri(query[0], memory[0], dtype=bool) if spec.causal else None
        self.turns = [
            tuple(table.astype(self.dtype)[:, None] for table in rotations(steps, self.size, spec.rotary_base))
            for steps, _ in (query, memory)
            if spec.rotary_base is not None
        ]

    def dense(self, name: str) -> Dense:
        """A projection, which learns what begins with its name."""

        def own(arrays: Any) -> Any:
            return {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}_")}

        held = self.held
        return Dense(self.node, held._replace(parameters=own(held.parameters), gradients=own(held.gradients)))

    def heads(self, rows: Any, sharing: int = 1) -> Any:
        """Heads side by side, seen one by one: see above."""
        return rows.reshape(*rows.shape[:2], self.spec.kv_heads, sharing, self.size).transpose(0, 2, 3, 1, 4)

    def product(self, left: Any, right: Any, sharing: int = 1) -> Any:
        """left @ right of each head, side by side again."""
        rows, steps = len(left), left.shape[3]
        found = numpy.empty_like(left, shape=(rows, steps, self.spec.kv_heads * sharing * self.size))
        numpy.matmul(left, right, self.heads(found, sharing))
        return found

    def forward(self, *inputs: Any) -> Any:
        """Of one sequence, or of a query to a memory; the last input is the mask where there is one."""
        self.sources = self.spec.sources(len(inputs))
        query, memory = inputs[0], inputs[self.sources - 1]
        q, k, v = self.query.forward(query), self.key.forward(memory), self.value.forward(memory)
        if self.turns:
            q, k = turned(q, *self.turns[0]), turned(k, *self.turns[1])
        q *= self.scale
        self.q, self.k, self.v = self.heads(q, self.sharing), self.heads(k), self.heads(v)
        self.a = self.q @ self.k.swapaxes(3, 4)
        self.softmax(self.a, self.visible(inputs[-1] if self.spec.mask is not None else None))
        self.b = self.product(self.a, self.v, self.sharing)
        return self.output.forward(self.b)

    def visible(self, mask: Optional[Any]) -> Optional[Any]:
        """Which steps are looked at, `(query steps, memory steps)` or that for each row; None: all."""
        if mask is None:
            return self.earlier
        unpadded = numpy.not_equal(mask.real, 0)[:, None, None, None, :]
        return unpadded if self.earlier is None else unpadded & self.earlier

    def softmax(self, scores: Any, visible: Optional[Any]) -> None:
        """Along the last axis, in place. A replica that is `fused` computes the weights once more for `backward`, from the scores and the
        logarithms of sums, as kernels that keep no weights (FlashAttention-2, Dao 2023): their rounding grows with the scores."""
        if visible is not None:
            scores += numpy.where(visible, self.dtype.type(0), self.dtype.type(AWAY))
        kept = scores.copy() if getattr(scores, "fused", False) else None
        largest = numpy.maximum.reduce(scores, -1, keepdims=True)
        scores -= largest
        numpy.exp(scores, scores)
        sums = (scores @ numpy.ones(scores.shape[-1], self.dtype))[..., None]
        scores /= sums
        self.weights = scores if kept is None else numpy.exp(kept - (largest + numpy.log(sums)))

    def backward(self, dy: Any) -> Any:
        """Of the softmax, ds = a (da - sum(da a)), and that sum is the one of db b."""
        db = self.output.backward(dy)
        sums = (db * self.b).reshape(-1, self.size) @ numpy.ones(self.size, self.dtype)
        db = self.heads(db, self.sharing)
        ds = db @ self.v.swapaxes(3, 4)
        ds -= sums.reshape(len(dy), -1, *self.a.shape[1:3]).transpose(0, 2, 3, 1)[..., None]
        ds *= self.weights
        dq = self.product(ds, self.k, self.sharing)
        dq *= self.scale
        dk = self.product(together(ds).swapaxes(3, 4), together(self.q))
        dv = self.product(together(self.weights).swapaxes(3, 4), together(db))
        if self.turns:
            dq, dk = (turned(rows, cos, -sin) for rows, (cos, sin) in zip((dq, dk), self.turns))
        return self.at_inputs(dq, dk, dv)

    def at_inputs(self, dq: Any, dk: Any, dv: Any) -> Any:
        """Through the projections; a mask has no gradient."""
        for projection in (self.query, self.key, self.value):
            projection.inputs_too = self.inputs_too
        query, memory, value = self.query.backward(dq), self.key.backward(dk), self.value.backward(dv)
        if not self.inputs_too:
            return None
        memory += value
        found = (query, memory) if self.sources == 2 else (query + memory,)
        return found if self.spec.mask is None else (*found, None)


def together(heads: Any) -> Any:
    """The steps of all heads that share k and v, one head's behind the other's."""
    return heads.reshape(*heads.shape[:2], 1, -1, heads.shape[4])


def turned(rows: Any, cos: Any, sin: Any) -> Any:
    """The pairs (i, i + key_dim / 2) of every head turned; the tables are `(steps, 1, key_dim / 2)`."""
    pairs = rows.reshape(*rows.shape[:2], -1, 2, cos.shape[-1])
    found, first, second = numpy.empty_like(pairs), pairs[..., 0, :], pairs[..., 1, :]
    numpy.subtract(first * cos, second * sin, found[..., 0, :])
    numpy.add(second * cos, first * sin, found[..., 1, :])
    return found.reshape(rows.shape)


class PositionEmbedding(Layer):
    """y = x + P; dP = the sum of dy over the rows."""

    def forward(self, x: Any) -> Any:
        """See above."""
        return x + self.held.parameters["embeddings"]

    def backward(self, dy: Any) -> Any:
        """See above."""
        numpy.add.reduce(dy, 0, out=self.held.gradients["embeddings"])
        return dy


class SinusoidalPositions(Layer):
    """y = x + P, P a constant."""

    def setup(self) -> None:
        """The table."""
        steps, features = self.node.input_shape
        self.table = sinusoids(steps, features, self.spec.base).astype(self.dtype)

    def forward(self, x: Any) -> Any:
        """See above."""
        return x + self.table

    def backward(self, dy: Any) -> Any:
        """Unchanged."""
        return dy
