"""Floating-point operations of a program, counted from its spec alone: one number for all backends, whatever their kernels do.

The convention is the usual one, of PaLM's model FLOPs (Chowdhery et al. 2022, appendix B) and of PyTorch's
`torch.utils.flop_counter.FlopCounterMode`, which a test holds these counts against:

- a multiply-add of a matrix product, a convolution or an attention counts 2; all else (biases, activations, normalisations, pooling,
  merges, look-ups, the loss, penalties, the optimizer) counts 0;
- zeros that padding adds are multiplied like other numbers, and a causal or masked attention counts the whole square, as frameworks compute
  it by default;
- going back, a product counts once more for each of its factors that a gradient is wanted of: the backward pass costs twice the forward
  one, but once where the left factor is the data, or made of data alone (behind a flatten, say), or the zeros that a recurrence starts
  from;
- nothing counts twice that a kernel computes again to save memory.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Container, Dict, NamedTuple, Sequence, Set, Tuple

from .graph import Node
from .layers import MultiHeadAttention
from .program import ProgramSpec

#: what the left factor of a product is made of, where that is none of the node's inputs: a parameter has a part in it, or none ever has
LEARNED, CONSTANT = -1, -2


class Product(NamedTuple):
    """A product in the forward pass of one row.

    Attributes:
        flops: 2 for each multiply-add.
        left: which of the node's inputs the left factor is made of, by number; or LEARNED, or CONSTANT. In the right one a parameter
            always has a part.
    """

    flops: int
    left: int


Products = Tuple[Product, ...]


def forward_flops(node: Node) -> int:
    """FLOPs of one node's forward pass of one row (one sample, all its steps or places)."""
    return sum(product.flops for product in products(node))


def backward_flops(node: Node, learned: Container[str]) -> int:
    """FLOPs of one node's backward pass of one row.

    Args:
        node: that a gradient comes back to.
        learned: names of the nodes whose outputs a gradient is wanted of.
    """
    wanted = {LEARNED, *(place for place, name in enumerate(node.inputs) if name in learned)}
    return sum(product.flops * (2 if product.left in wanted else 1) for product in products(node))


def predict_flops(spec: ProgramSpec, rows: int) -> int:
    """FLOPs of the predictions for so many rows."""
    return rows * sum(map(forward_flops, spec.nodes))


def step_flops(spec: ProgramSpec, rows: int) -> int:
    """FLOPs of one training step on so many rows: forward to the loss, and back to all parameters.

    The convention is PaLM's (Chowdhery et al. 2022, appendix B) and that of torch.utils.flop_counter.FlopCounterMode: only products
    count, a multiply-add 2; the backward pass costs twice the forward one, and once where the inputs need no gradient. See this module's
    head.
    """
    trained = spec.nodes[: spec.loss_node + 1]
    learned, back = with_parameters(trained), reached(trained)
    return rows * sum(forward_flops(node) + (backward_flops(node, learned) if node.name in back else 0) for node in trained)


# which way gradients go -----------------------------------------------------------------------------------------------------


def differentiated(node: Node) -> Tuple[str, ...]:
    """The inputs that a gradient goes back to: not an attention's mask."""
    layer = node.layer
    return node.inputs[: layer.sources(len(node.inputs))] if isinstance(layer, MultiHeadAttention) else node.inputs


def with_parameters(nodes: Sequence[Node]) -> Set[str]:
    """The nodes whose outputs parameters have a part in, by name: a gradient is wanted of those."""
    found: Set[str] = set()
    for node in nodes:
        if node.parameters or node.table or found.intersection(differentiated(node)):
            found.add(node.name)
    return found


def reached(nodes: Sequence[Node]) -> Set[str]:
    """The nodes that a gradient comes back to from the output of the last one, by name."""
    found = {nodes[-1].name}
    for node in reversed(nodes):
        if node.name in found:
            found.update(differentiated(node))
    return found


# the products of each layer -------------------------------------------------------------------------------------------------


def products(node: Node) -> Products:
    """All products in a node's forward pass of one row. A type that is not in the table is a KeyError, not 0."""
    return PRODUCTS[node.layer.type](node)


def nothing(node: Node) -> Products:
    """Only elementwise work, or none."""
    return ()


def dense(node: Node) -> Products:
    """`(..., inputs) (inputs, units)`."""
    return (Product(2 * math.prod(node.output_shape) * node.input_shape[-1], 0),)


def convolution(node: Node) -> Products:
    """Every output reads its window in the channels of its group."""
    layer: Any = node.layer
    read = math.prod(layer.kernel) * (node.input_shape[-1] // layer.groups)
    return (Product(2 * math.prod(node.output_shape) * read, 0),)


def depthwise(node: Node) -> Products:
    """Every output reads its window in one channel."""
    layer: Any = node.layer
    return (Product(2 * math.prod(node.output_shape) * math.prod(layer.kernel), 0),)


def transposed(node: Node) -> Products:
    """Every input goes to its window in all filters, also where that is cut off."""
    layer: Any = node.layer
    return (Product(2 * math.prod(node.input_shape) * math.prod(layer.kernel) * layer.filters, 0),)


def recurrence(node: Node) -> Products:
    """x W and h U at every step, all gates side by side."""
    layer: Any = node.layer
    return (read(node), *carried(node, layer.gates * layer.units))


def gru(node: Node) -> Products:
    """As above; without reset_after the candidate's product is (r h) U_h instead of h U_h, and r is learned at the first step too."""
    layer: Any = node.layer
    if layer.reset_after:
        return recurrence(node)
    candidate = Product(2 * node.input_shape[0] * layer.units * layer.units, LEARNED)
    return (read(node), *carried(node, 2 * layer.units), candidate)


def read(node: Node) -> Product:
    """A recurrence's x W of all steps."""
    layer: Any = node.layer
    return Product(2 * math.prod(node.input_shape) * layer.gates * layer.units, 0)


def carried(node: Node, width: int) -> Products:
    """A recurrence's h U of all steps, U of shape `(units, width)`: the first h is zeros."""
    layer: Any = node.layer
    once = 2 * layer.units * width
    return (Product(once, CONSTANT), Product((node.input_shape[0] - 1) * once, LEARNED))


def attention(node: Node) -> Products:
    """The projections to q, and to k and v, whose heads may be fewer; scores and weighted sum of every head of q; the output's."""
    layer: Any = node.layer
    last = layer.sources(len(node.inputs)) - 1
    (steps, features), (seen, width) = node.input_shape, node.input_shapes[last]
    size = layer.head(node.input_shape)
    inner, narrow = layer.num_heads * size, layer.kv_heads * size
    return (
        Product(2 * steps * features * inner, 0),
        Product(2 * seen * width * 2 * narrow, last),
        Product(2 * steps * seen * 2 * inner, LEARNED),
        Product(2 * steps * inner * features, LEARNED),
    )


#: layers without a product: what they do is elementwise, a sum, a comparison, a look-up, or moves numbers about
WITHOUT = (
    "activation", "add", "average", "average_pooling1d", "average_pooling2d", "batch_normalization", "concatenate", "cropping1d",
    "cropping2d", "dropout", "embedding", "flatten", "gaussian_noise", "global_average_pooling1d", "global_average_pooling2d",
    "global_max_pooling1d", "global_max_pooling2d", "group_normalization", "instance_normalization", "layer_normalization",
    "max_pooling1d", "max_pooling2d", "maximum", "multiply", "permute", "position_embedding", "prelu", "reshape", "rms_normalization",
    "sinusoidal_positions", "spatial_dropout", "take", "up_sampling1d", "up_sampling2d", "zero_padding1d", "zero_padding2d",
)  # fmt: skip

#: type of every layer that can be a node (composite ones are their parts) -> its products
PRODUCTS: Dict[str, Callable[[Node], Products]] = {
    **dict.fromkeys(WITHOUT, nothing),
    "dense": dense,
    "tied_dense": dense,
    "conv1d": convolution,
    "conv2d": convolution,
    "depthwise_conv2d": depthwise,
    "conv2d_transpose": transposed,
    "simple_rnn": recurrence,
    "lstm": recurrence,
    "gru": gru,
    "multi_head_attention": attention,
}
