"""Attention and positions, over `(steps, features)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Optional

from ..fields import Call, Shape, about
from ..initializers import GlorotUniform, Initializer, RandomUniform, Zeros
from .base import Layer, Weight, by, need_axes
from .core import FROM_INPUTS, KERAS_STARTS


@dataclass(frozen=True)
class MultiHeadAttention(Layer):
    """Each head: softmax(q k^T / sqrt(key_dim)) v with q = x W_q + b_q from the first input, k and v from the last (the same one, or a
    second: cross attention); the heads side by side times W_o + b_o (Vaswani et al. 2017). With fewer num_kv_heads than num_heads,
    neighbouring heads share k and v (Ainslie et al. 2023). `rotary_base` turns the pairs (i, i + key_dim / 2) of q and k at step t by
    t rotary_base^(-2 i / key_dim) (Su et al. 2021, in GPT-NeoX's order)."""

    num_heads: int = field(
        default=0, metadata=about("number of heads", gt=0, required=True, also={"heads": "short", "nhead": "PyTorch"})
    )
    key_dim: Optional[int] = field(
        default=None,
        metadata=about("length of a head; features / num_heads when not given", gt=0, also={"head_dim": "other tools"}),
    )
    num_kv_heads: Optional[int] = field(
        default=None, metadata=about("heads of k and v; num_heads when not given", gt=0, also={"num_key_value_heads": "Keras"})
    )  # fmt: skip
    causal: bool = field(
        default=False, metadata=about("no step sees later ones", also={"is_causal": "PyTorch", "use_causal_mask": "Keras"})
    )
    mask: Optional[str] = field(
        default=None,
        metadata=about(
            'name of the layer, or "input", whose zeros mark padding: steps that are not looked at',
            min_length=1,
            also={"key_padding_mask": "PyTorch"},
        ),
    )
    rotary_base: Optional[float] = field(
        default=None,
        metadata=about("turn q and k by their positions; 10000 in the paper", gt=1, also={"rope_theta": "other tools"}),
    )
    use_bias: bool = field(default=True, metadata=about("whether biases are added", also={"bias": "PyTorch"}))
    kernel_initializer: Initializer = field(default_factory=GlorotUniform, metadata=about("how the four W start"))
    bias_initializer: Initializer = field(default_factory=Zeros, metadata=about("how the four b start"))
    type = "multi_head_attention"
    calls = {
        "torch": Call(
            "torch.nn.functional.scaled_dot_product_attention",
            note="True in its mask means: look; in nn.MultiheadAttention's it means: do not",
            native=FROM_INPUTS,
        ),
        "keras": Call(
            "keras.layers.MultiHeadAttention",
            {"value_dim": "value_dim", "use_bias": "use_bias", "dropout": "dropout", **KERAS_STARTS},
            "grouped heads and rotary positions are written out",
        ),
        "tensorflow": Call("tensorflow.matmul", note="written out"),
        "jax": Call("jax.nn.dot_product_attention", {"scale": "scale", "causal": "is_causal"}),
        "flax": Call("flax.linen.MultiHeadDotProductAttention", {"use_bias": "use_bias"}),
    }
    also = {"attention": "short", "MultiheadAttention": "PyTorch", "self_attention": "other tools", "mha": "short"}
    arity = (1, 3)  # x, or query and memory; then the mask, which the graph puts last

    def head(self, shape: Shape) -> int:
        """Length of a head."""
        return self.key_dim or shape[-1] // self.num_heads

    @property
    def kv_heads(self) -> int:
        """Heads of k and v."""
        return self.num_kv_heads or self.num_heads

    def sources(self, count: int) -> int:
        """How many of `count` inputs are sequences; the mask is none."""
        return count - (self.mask is not None)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The query's."""
        sequences = shapes[: self.sources(len(shapes))]
        if len(sequences) > 2:
            raise ValueError("multi_head_attention reads one sequence, or a query and a memory")
        for shape in sequences:
            need_axes(self, shape, 2, "steps x features")
        query, memory = sequences[0], sequences[-1]
        if self.key_dim is None and query[-1] % self.num_heads:
            raise ValueError(f"{self.num_heads} heads do not divide {query[-1]} features")
        if self.num_heads % self.kv_heads:
            raise ValueError(f"{self.kv_heads} heads of k and v do not divide {self.num_heads} heads")
        if self.rotary_base is not None and self.head(query) % 2:
            raise ValueError(f"rotary positions turn pairs, but a head has {self.head(query)} features")
        if self.causal and query[0] != memory[0]:
            raise ValueError(f"a causal mask needs as many steps in the memory ({memory[0]}) as in the query ({query[0]})")
        if self.mask is not None and shapes[-1] != memory[:1]:
            raise ValueError(f"the mask needs one number a step ({memory[0]}), but is {by(shapes[-1])}")
        return query

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """query_kernel `(features, num_heads key_dim)`, key_kernel and value_kernel `(memory features, num_kv_heads key_dim)`,
        output_kernel `(num_heads key_dim, features)`, head by head; a bias behind each."""
        query, memory = shapes[0], shapes[self.sources(len(shapes)) - 1]
        size = self.head(query)
        inner, narrow = self.num_heads * size, self.kv_heads * size
        kernels = {
            "query": (query[-1], inner),
            "key": (memory[-1], narrow),
            "value": (memory[-1], narrow),
            "output": (inner, query[-1]),
        }
        found: Dict[str, Weight] = {}
        for name, shape in kernels.items():
            found[f"{name}_kernel"] = Weight(shape, self.kernel_initializer)
            if self.use_bias:
                found[f"{name}_bias"] = Weight(shape[1:], self.bias_initializer)
        return found


@dataclass(frozen=True)
class PositionEmbedding(Layer):
    """y = x + P, one learned vector a step: P `(steps, features)` (Gehring et al. 2017)."""

    embeddings_initializer: Initializer = field(default_factory=RandomUniform, metadata=about("how P starts"))
    type = "position_embedding"
    calls = {
        "torch": Call("torch.add", note="x + P"),
        "keras": Call("keras.ops.add", note="x + P"),
        "tensorflow": Call("tensorflow.add", note="x + P"),
        "jax": Call("jax.numpy.add", note="x + P"),
    }
    also = {"learned_positions": "other tools", "positions": "short"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_axes(self, shapes[0], 2, "steps x features")
        return shapes[0]

    def weights(self, *shapes: Shape) -> Dict[str, Weight]:
        """embeddings `(steps, features)`."""
        return {"embeddings": Weight(shapes[0], self.embeddings_initializer)}


@dataclass(frozen=True)
class SinusoidalPositions(Layer):
    """y = x + P, P[t, 2 i] = sin(t / base^(2 i / features)), P[t, 2 i + 1] = cos of the same (Vaswani et al. 2017). P is rounded to
    float32 once, the same for all."""

    base: float = field(default=10000.0, metadata=about("base of the wave lengths", gt=1, also={"max_wavelength": "Keras Hub"}))
    type = "sinusoidal_positions"
    calls = {
        "torch": Call("torch.add", note="x + P"),
        "keras": Call("keras.ops.add", note="x + P"),
        "tensorflow": Call("tensorflow.add", note="x + P"),
        "jax": Call("jax.numpy.add", note="x + P"),
    }
    also = {"sine_position_encoding": "Keras Hub", "positional_encoding": "other tools"}

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's."""
        need_axes(self, shapes[0], 2, "steps x features")
        return shapes[0]
