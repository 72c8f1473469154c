"""PyTensor: a symbolic graph over shared variables; a step is one function with updates, compiled by Numba."""

from __future__ import annotations

import math
import time
from functools import lru_cache, reduce
from importlib.metadata import version
from itertools import product
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy
import pytensor
import pytensor.tensor as pt

from harness.interface import OPTIONS, Arrays, Batch, Probe, State, Trace, flat_state, nested_state, positions, rules, shared
from harness.spec import INPUT, SGD, Node, ProgramSpec, active_slots

REQUIRES = {"pytensor": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

#: of SELU: its factor and its alpha
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
#: functions of a layer's node, of its own arrays by short name, and of its inputs `(rows, ...)`
Layer = Callable[..., Any]


def larger(a: Any, b: Any) -> Any:
    """The larger one, the gradient to the first of equal ones: that of pt.maximum is 1 for both."""
    return pt.switch(a >= b, a, b)


def relu(z: Any) -> Any:
    """max(z, 0), its gradient at 0 being 0: that of pt.maximum is 1 there."""
    return pt.switch(z > 0, z, 0)


def relu6(z: Any) -> Any:
    """min(max(z, 0), 6), its gradients at 0 and 6 being 0."""
    return pt.switch(z < 6, relu(z), 6)


def elu(z: Any, alpha: float) -> Any:
    """The exponential never sees a large z: its overflow times a gradient of 0 would be NaN."""
    return pt.switch(z > 0, z, alpha * pt.expm1(pt.switch(z > 0, 0, z)))


def gelu(f: Any, z: Any) -> Any:
    """The exact form, or the one with tanh."""
    if f.approximate:
        return z * (1 + pt.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2
    return z * pt.erfc(-z / math.sqrt(2)) / 2


#: type -> function of its spec and of z
ACTIVATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda f, z: z,
    "step": lambda f, z: pt.gt(z, 0).astype(z.dtype),
    "sigmoid": lambda f, z: pt.sigmoid(z),
    "tanh": lambda f, z: pt.tanh(z),
    "relu": lambda f, z: relu(z),
    "relu6": lambda f, z: relu6(z),
    "leaky_relu": lambda f, z: pt.switch(z > 0, z, f.negative_slope * z),
    "elu": lambda f, z: elu(z, f.alpha),
    "selu": lambda f, z: SCALE * elu(z, ALPHA),
    "gelu": gelu,
    "silu": lambda f, z: z * pt.sigmoid(z),
    "softplus": lambda f, z: pt.softplus(z),
    "softsign": lambda f, z: z / (1 + pt.abs(z)),
    "hard_sigmoid": lambda f, z: relu6(z + 3) / 6,
    "hard_silu": lambda f, z: z * relu6(z + 3) / 6,
    "mish": lambda f, z: z * pt.tanh(pt.softplus(z)),
    "softmax": lambda f, z: pt.special.softmax(z, axis=f.axis),
    "log_softmax": lambda f, z: pt.special.log_softmax(z, axis=f.axis),
}


def affine(x: Any, kernel: Any, bias: Any = 0) -> Any:
    """y = x W + b along the last axis, as one product of two matrices."""
    if x.ndim == 2:
        return pt.dot(x, kernel) + bias
    return (pt.dot(x.reshape((-1, x.shape[-1])), kernel) + bias).reshape((*x.shape[:-1], kernel.shape[-1]))


def take(node: Node, own: Arrays, x: Any) -> Any:
    """One place of an axis, or several."""
    layer: Any = node.layer
    places = layer.places(node.input_shape)
    return x[(slice(None),) * layer.axis + (places[0] if isinstance(layer.indices, int) else list(places),)]


def merge(function: Callable[[Any, Any], Any]) -> Layer:
    """All inputs by one function of two, from left to right."""
    return lambda node, own, *inputs: reduce(function, inputs)


CORE: Dict[str, Layer] = {
    "dense": lambda node, own, x: affine(x, own["kernel"], own.get("bias", 0)),
    "tied_dense": lambda node, own, x: affine(x, own["table"].T, own.get("bias", 0)),
    "embedding": lambda node, own, x: own["embeddings"][x],
    "activation": lambda node, own, z: ACTIVATIONS[node.layer.activation.type](node.layer.activation, z),
    "prelu": lambda node, own, z: pt.switch(z > 0, z, own["alpha"] * z),
    "flatten": lambda node, own, x: x.flatten(2),
    "reshape": lambda node, own, x: x.reshape((x.shape[0], *node.output_shape)),
    "permute": lambda node, own, x: x.transpose(0, *node.layer.dims),
    "take": take,
    "concatenate": lambda node, own, *inputs: pt.concatenate(inputs, node.layer.axis),
    "add": merge(lambda a, b: a + b),
    "multiply": merge(lambda a, b: a * b),
    "maximum": merge(larger),
    "average": lambda node, own, *inputs: sum(inputs[1:], inputs[0]) / len(inputs),
    **{name: lambda node, own, x: x for name in ("dropout", "spatial_dropout", "gaussian_noise")},
}


def padded(x: Any, pads: Any, value: float = 0.0) -> Any:
    """x with places around, whose number is known: after pt.pad it is not."""
    if not any(map(sum, pads)):
        return x
    sizes = [size + before + after for size, (before, after) in zip(x.type.shape[1:], pads)]
    inside = [slice(before, size - after) for size, (before, after) in zip(sizes, pads)]
    around = pt.full((x.shape[0], *sizes, x.type.shape[-1]), numpy.asarray(value, x.dtype))
    return around[(slice(None), *inside)].set(x)


def windows(window: Any, stride: Any, dilation: Any, counts: Any) -> List[Tuple[slice, ...]]:
    """Where the first place of all windows lies, the second, and so on: slices of `(rows, *places, channels)`."""
    return [
        (slice(None), *(slice(at * rate, at * rate + (count - 1) * step + 1, step)
                        for at, rate, count, step in zip(place, dilation, counts, stride)))
        for place in product(*map(range, window))
    ]  # fmt: skip


def patches(node: Node, x: Any) -> List[Any]:
    """What each place of a convolution's kernel is multiplied with, `(rows, *places, channels)` each."""
    layer: Any = node.layer
    around = padded(x, layer.pads(node.input_shape))
    return [around[at] for at in windows(layer.kernel, layer.stride, layer.dilation, node.output_shape)]


def convolution(node: Node, own: Arrays, x: Any) -> Any:
    """Patches times the kernel as one matrix, group by group: pt.signal's convolutions know neither channels nor strides."""
    layer: Any = node.layer
    seen, kernel = patches(node, x), own["kernel"]
    each, filters = kernel.type.shape[-2], layer.filters // layer.groups
    parts = []
    for group in range(layer.groups):
        columns = pt.concatenate([patch[..., group * each : (group + 1) * each] for patch in seen], -1)
        matrix = kernel[..., group * filters : (group + 1) * filters].reshape((len(seen) * each, filters))
        parts.append(affine(columns, matrix))
    return pt.concatenate(parts, -1) + own.get("bias", 0)


def depthwise(node: Node, own: Arrays, x: Any) -> Any:
    """Each channel alone, place by place of the kernel."""
    kernel = own["kernel"].reshape((-1, *own["kernel"].type.shape[2:]))
    y = sum(patch[..., None] * kernel[at] for at, patch in enumerate(patches(node, x)))
    return y.reshape((x.shape[0], *node.output_shape)) + own.get("bias", 0)


def transposed(node: Node, own: Arrays, x: Any) -> Any:
    """Each place of the kernel adds what it makes of x to where it reaches; then the padding is cut off."""
    layer: Any = node.layer
    sizes, places, kernel = node.input_shape[:-1], node.output_shape[:-1], own["kernel"]
    starts = [before for before, _ in layer.pads(node.input_shape)]
    whole = [
        max((size - 1) * stride + reach, before + count)
        for size, stride, reach, before, count in zip(sizes, layer.stride, layer.reach, starts, places)
    ]
    y = pt.zeros((x.shape[0], *whole, layer.filters), x.dtype) + own.get("bias", 0)  # behind .inc a rewrite of 3.0.7 fails
    for at, part in zip(windows(layer.kernel, layer.stride, layer.dilation, sizes), product(*map(range, layer.kernel))):
        y = y[at].inc(affine(x, kernel[part].T))
    cut = [slice(before, before + count) for before, count in zip(starts, places)]
    return y[(slice(None), *cut)]


def pooled(node: Node, x: Any, value: float = 0.0) -> List[Any]:
    """The first place of all pooling windows, the second, and so on, with `value` around."""
    layer: Any = node.layer
    around = padded(x, layer.pads(node.input_shape), value)
    return [around[at] for at in windows(layer.window, layer.stride, (1,) * layer.rank, node.output_shape)]


def average_pooling(node: Node, own: Arrays, x: Any) -> Any:
    """The mean of each window; padding counts or not."""
    layer: Any = node.layer
    if layer.count_padding or not any(map(sum, layer.pads(node.input_shape))):
        return sum(pooled(node, x)) / math.prod(layer.window)
    ones = numpy.pad(numpy.ones((1, *node.input_shape), x.dtype), ((0, 0), *layer.pads(node.input_shape), (0, 0)))
    counts = sum(ones[at] for at in windows(layer.window, layer.stride, (1,) * layer.rank, node.output_shape))
    return sum(pooled(node, x)) / counts


def global_average(node: Node, own: Arrays, x: Any) -> Any:
    """The mean of each channel."""
    return x.mean(tuple(range(1, x.ndim - 1)))


def global_max(node: Node, own: Arrays, x: Any) -> Any:
    """The largest value of each channel, the gradient to the first of equal ones: that of pt.max is 1 for each."""
    places = x.reshape((x.shape[0], math.prod(node.input_shape[:-1]), node.input_shape[-1]))
    first = pt.eq(numpy.arange(places.type.shape[1])[:, None], pt.argmax(places, 1)[:, None])
    return pt.switch(first, places, 0).sum(1)


def line(size: int, factor: int) -> Any:
    """Of bilinear interpolation along one axis the shares of the old places in the new ones, `(size, size factor)`."""
    at = numpy.clip((numpy.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    return numpy.maximum(1 - numpy.abs(at - numpy.arange(size)[:, None]), 0)


def up_sampling(node: Node, own: Arrays, x: Any) -> Any:
    """Every place several times, or lines between the centres of pixels."""
    layer: Any = node.layer
    for axis, factor in enumerate(layer.factors, 1):
        if getattr(layer, "interpolation", "nearest") == "nearest":
            x = pt.repeat(x, factor, axis)
        else:
            shares = line(node.input_shape[axis - 1], factor).astype(x.dtype)
            x = pt.moveaxis(affine(pt.moveaxis(x, axis, -1), pt.as_tensor(shares)), -1, axis)
    return x


def cropping(node: Node, own: Arrays, x: Any) -> Any:
    """Places cut off."""
    layer: Any = node.layer
    cuts = zip(node.input_shape, layer.cuts(node.input_shape))
    return x[(slice(None), *(slice(before, size - after) for size, (before, after) in cuts))]


IMAGES: Dict[str, Layer] = {
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": depthwise, "conv2d_transpose": transposed,
    **{f"max_pooling{rank}d": lambda node, own, x: reduce(larger, pooled(node, x, -math.inf)) for rank in (1, 2)},
    **{f"average_pooling{rank}d": average_pooling for rank in (1, 2)},
    **{f"global_average_pooling{rank}d": global_average for rank in (1, 2)},
    **{f"global_max_pooling{rank}d": global_max for rank in (1, 2)},
    **{f"up_sampling{rank}d": up_sampling for rank in (1, 2)},
    **{f"zero_padding{rank}d": lambda node, own, x: padded(x, node.layer.pads(node.input_shape)) for rank in (1, 2)},
    **{f"cropping{rank}d": cropping for rank in (1, 2)},
}  # fmt: skip


def moments(x: Any, axes: Sequence[int]) -> Tuple[Any, Any, Any]:
    """Mean, differences to it, and the mean of their squares; the axes are kept."""
    mean = x.mean(axes, keepdims=True)
    centred = x - mean
    return mean, centred, pt.sqr(centred).mean(axes, keepdims=True)


def standardized(x: Any, axes: Sequence[int], epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon)."""
    _, centred, variance = moments(x, axes)
    return centred / pt.sqrt(variance + epsilon)


def scaled(y: Any, own: Arrays) -> Any:
    """gamma y + beta, where there are such."""
    return y * own.get("gamma", 1) + own.get("beta", 0)


def batch_training(node: Node, own: Arrays, x: Any) -> Tuple[Any, Arrays]:
    """By the batch's own mean and variance; also the moving ones after it, by canonical name."""
    layer: Any = node.layer
    mean, centred, variance = moments(x, tuple(range(x.ndim - 1)))
    moved = {
        f"{node.name}/{short}": layer.momentum * own[short] + (1 - layer.momentum) * found.flatten()
        for short, found in (("moving_mean", mean), ("moving_variance", variance))
    }
    return scaled(centred / pt.sqrt(variance + layer.epsilon), own), moved


def batch_inference(node: Node, own: Arrays, x: Any) -> Any:
    """By the moving mean and variance."""
    layer: Any = node.layer
    return scaled((x - own["moving_mean"]) / pt.sqrt(own["moving_variance"] + layer.epsilon), own)


def group_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """Over all places and the channels of a group."""
    layer: Any = node.layer
    channels = node.input_shape[-1]
    grouped = x.reshape((x.shape[0], math.prod(node.input_shape[:-1]), layer.groups, channels // layer.groups))
    return scaled(standardized(grouped, (1, 3), layer.epsilon).reshape((x.shape[0], *node.input_shape)), own)


def rms_normalization(node: Node, own: Arrays, x: Any) -> Any:
    """x / sqrt(mean(x^2) + epsilon) over the last axis."""
    layer: Any = node.layer
    return scaled(x / pt.sqrt(pt.sqr(x).mean(-1, keepdims=True) + layer.epsilon), own)


NORMALIZATION: Dict[str, Layer] = {
    "batch_normalization": batch_inference,
    "layer_normalization": lambda node, own, x: scaled(standardized(x, (-1,), node.layer.epsilon), own),
    "group_normalization": group_normalization,
    "instance_normalization": lambda node, own, x: scaled(standardized(x, tuple(range(1, x.ndim - 1)), node.layer.epsilon), own),
    "rms_normalization": rms_normalization,
}


def recurrence(node: Node, x: Any, own: Arrays, cell: Callable[..., Any], bias: Any, states: int = 1) -> Any:
    """A cell from step to step: all its h `(rows, steps, units)` or the last `(rows, units)`.

    Args:
        node: of the recurrence.
        x: inputs `(rows, steps, features)`.
        own: its arrays.
        cell: one step, of what comes from the inputs and of `states` states; h is the first.
        bias: added to what comes from the inputs.
        states: how many.
    """
    layer: Any = node.layer
    z = affine(x, own["kernel"], bias).swapaxes(0, 1)
    start = pt.zeros((x.shape[0], layer.units), x.dtype)
    outputs = pytensor.scan(
        cell, [z], [start] * states, go_backwards=layer.go_backwards, return_list=True, return_updates=False, strict=False
    )
    if not layer.return_sequences:
        return outputs[0][-1]
    return (outputs[0][::-1] if layer.go_backwards else outputs[0]).swapaxes(0, 1)


def simple_rnn(node: Node, own: Arrays, x: Any) -> Any:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    function = {"tanh": pt.tanh, "relu": relu}[layer.activation]
    return recurrence(node, x, own, lambda z, h: function(z + pt.dot(h, own["recurrent_kernel"])), own.get("bias", 0))


def lstm(node: Node, own: Arrays, x: Any) -> Any:
    """Gates in the order i, f, g, o."""

    def cell(z: Any, h: Any, c: Any) -> Any:
        i, f, g, o = parts(z + pt.dot(h, own["recurrent_kernel"]), 4)
        c = pt.sigmoid(f) * c + pt.sigmoid(i) * pt.tanh(g)
        return pt.sigmoid(o) * pt.tanh(c), c

    return recurrence(node, x, own, cell, own.get("bias", 0), states=2)


def parts(z: Any, count: int) -> List[Any]:
    """The last axis in parts of one length, which is known."""
    size = z.type.shape[-1] // count
    return [z[..., at * size : (at + 1) * size] for at in range(count)]


def gru(node: Node, own: Arrays, x: Any) -> Any:
    """Gates in the order z, r, h; the reset acts on h U or on h."""
    layer: Any = node.layer
    kernel, bias = own["recurrent_kernel"], own.get("bias")
    beside = bias[1] if layer.reset_after and bias is not None else 0

    def after(z: Any, h: Any) -> Any:
        (z_update, z_reset, z_new), (update, reset, new) = parts(z, 3), parts(pt.dot(h, kernel) + beside, 3)
        update, reset = pt.sigmoid(z_update + update), pt.sigmoid(z_reset + reset)
        return update * h + (1 - update) * pt.tanh(z_new + reset * new)

    def before(z: Any, h: Any) -> Any:
        (z_update, z_reset, z_new), (to_update, to_reset, to_new) = parts(z, 3), parts(kernel, 3)
        update, reset = pt.sigmoid(z_update + pt.dot(h, to_update)), pt.sigmoid(z_reset + pt.dot(h, to_reset))
        return update * h + (1 - update) * pt.tanh(z_new + pt.dot(reset * h, to_new))

    if layer.reset_after:
        return recurrence(node, x, own, after, 0 if bias is None else bias[0])
    return recurrence(node, x, own, before, 0 if bias is None else bias)


def attention(node: Node, own: Arrays, *inputs: Any) -> Any:
    """Heads side by side; each of k and v serves neighbouring ones of q: `(rows, kv_heads, group, steps, size)`."""
    layer: Any = node.layer
    size, query, memory = layer.head(node.input_shape), inputs[0], inputs[layer.sources(len(inputs)) - 1]

    def heads(name: str, x: Any, group: int) -> Any:
        y = affine(x, own[f"{name}_kernel"], own.get(f"{name}_bias", 0))
        y = y.reshape((x.shape[0], x.type.shape[1], layer.kv_heads, group, size)).transpose(0, 2, 3, 1, 4)
        return y if layer.rotary_base is None or name == "value" else turned(y, layer.rotary_base)

    q, k, v = heads("query", query, layer.num_heads // layer.kv_heads), heads("key", memory, 1), heads("value", memory, 1)
    scores = pt.matmul(q, k.swapaxes(-1, -2)) / math.sqrt(size)
    lowest = numpy.finfo(scores.dtype).min
    if layer.causal:
        scores = pt.switch(numpy.tri(query.type.shape[1], dtype=bool), scores, lowest)
    if layer.mask is not None:
        scores = pt.switch(pt.neq(inputs[-1], 0)[:, None, None, None, :], scores, lowest)
    found = pt.matmul(pt.special.softmax(scores, axis=-1), v).transpose(0, 3, 1, 2, 4)
    joined = found.reshape((query.shape[0], query.type.shape[1], layer.num_heads * size))
    return affine(joined, own["output_kernel"], own.get("output_bias", 0))


def turned(x: Any, base: float) -> Any:
    """The pairs (i, i + size / 2) of x `(..., steps, size)`, each turned by its step times its own angle."""
    cos, sin = (table.astype(x.dtype) for table in positions.rotations(x.type.shape[-2], x.type.shape[-1], base))
    a, b = parts(x, 2)
    return pt.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def sinusoidal_positions(node: Node, own: Arrays, x: Any) -> Any:
    """y = x + P, P of waves, rounded to float32."""
    layer: Any = node.layer
    steps, features = node.input_shape
    return x + positions.sinusoids(steps, features, layer.base).astype(x.dtype)


SEQUENCES: Dict[str, Layer] = {
    "simple_rnn": simple_rnn, "lstm": lstm, "gru": gru, "multi_head_attention": attention,
    "position_embedding": lambda node, own, x: x + own["embeddings"], "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip
LAYERS: Dict[str, Layer] = {**CORE, **IMAGES, **NORMALIZATION, **SEQUENCES}


def outputs(spec: ProgramSpec, held: Arrays, x: Any, drawn: Optional[Sequence[Any]] = None) -> Tuple[Arrays, Arrays]:
    """Every node's output, and the statistics that this batch moves.

    Args:
        spec: the program.
        held: parameters and statistics by canonical name.
        x: inputs.
        drawn: masks and noise of the random nodes, in order; None in inference.
    """
    found: Arrays = {INPUT: x}
    moved: Arrays = {}
    left = iter(drawn or ())
    for node in spec.nodes:
        inputs, own = [found[name] for name in node.inputs], arrays_of(node, held)
        if node.layer.random and drawn is not None:
            y = shared.randomised(node, inputs[0], next(left))
        elif node.layer.type == "batch_normalization" and drawn is not None:
            y, after = batch_training(node, own, *inputs)
            moved.update(after)
        else:
            y = LAYERS[node.layer.type](node, own, *inputs)
        y = y.copy() if y in inputs else y  # a node whose gradient can be told from its input's
        found[node.name] = pt.specify_shape(y, (None, *node.output_shape))  # of what cannot be told any more, behind a scan
    return {node.name: found[node.name] for node in spec.nodes}, moved


def arrays_of(node: Node, held: Arrays) -> Arrays:
    """A node's parameters and statistics by short name, and the table that it shares."""
    names = [item.name for item in node.parameters] + [item.name for item in node.statistics]
    own = {name.rsplit("/", 1)[1]: held[name] for name in names}
    return {**own, "table": held[node.table]} if node.table else own


def smoothed(loss: Any, y: Any, classes: int) -> Any:
    """Targets of which a share is spread over all classes."""
    return y * (1 - loss.label_smoothing) + loss.label_smoothing / classes if loss.label_smoothing else y


def softmax_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, against classes or one-hot rows."""
    z = pt.special.log_softmax(z, axis=-1)
    if y.ndim == z.ndim:
        return -pt.sum(z * smoothed(loss, y, y.type.shape[-1]), axis=-1)
    smoothing = loss.label_smoothing
    return -((1 - smoothing) * chosen(z, y) + smoothing * pt.mean(z, axis=-1)) if smoothing else -chosen(z, y)


def chosen(z: Any, y: Any) -> Any:
    """Of every row the number of its class."""
    if y.ndim == 1:
        return z[pt.arange(y.shape[0]), y]
    return chosen(z.reshape((-1, z.shape[-1])), y.flatten()).reshape(y.shape)


def cosine_distance(loss: Any, z: Any, y: Any) -> Any:
    """1 - z y / (|z| |y|), the squares of the lengths no less than 1e-12."""

    def length(a: Any) -> Any:
        square = pt.sum(pt.sqr(a), axis=-1)
        return pt.sqrt(pt.switch(square > 1e-12, square, 1e-12))

    return 1 - pt.sum(z * y, axis=-1) / (length(z) * length(y))


def huber(loss: Any, p: Any, y: Any) -> Any:
    """A square in the middle, lines outside."""
    size = pt.abs(p - y)
    return pt.switch(size <= loss.delta, pt.sqr(size) / 2, loss.delta * (size - loss.delta / 2))


#: values of a loss: one for each output where it is elementwise, else one for each term
LOSSES: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda loss, p, y: (p - y) ** 2,
    "mae": lambda loss, p, y: pt.abs(p - y),
    "huber": huber,
    "log_cosh": lambda loss, p, y: (p - y) + pt.softplus(-2 * (p - y)) - math.log(2),
    "binary_cross_entropy": lambda loss, z, y: pt.softplus(z) - z * smoothed(loss, y, 2),
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda loss, z, y: pt.sum(y * (pt.log(pt.switch(y > 0, y, 1)) - z), axis=-1),
    "cosine_similarity": cosine_distance,
    "poisson": lambda loss, z, y: pt.exp(z) - y * z,
    "hinge": lambda loss, z, y: pt.switch(y * z < 1, 1 - y * z, 0),
    "perceptron": lambda loss, z, y: pt.switch(y * z <= 0, -y * z, 0),
}


def penalty(penalties: Mapping[str, Tuple[float, float]], parameters: Arrays) -> Any:
    """l1 sum(|p|) + l2 sum(p^2) of all parameters that have one."""
    return sum(
        l1 * pt.sum(pt.abs(parameters[name])) + l2 * pt.sum(pt.sqr(parameters[name])) for name, (l1, l2) in penalties.items()
    )


def nadam_share(spec: Any, count: Any) -> Any:
    """u_t of NAdam, in float64 whatever the program's dtype."""
    return spec.beta_1 * (1 - numpy.float64(0.96) ** (count / 250) / 2)


def nadam(spec: Any, p: Any, g: Any, slots: Mapping[str, Any], count: Any, shares: Any) -> Tuple[Any, Dict[str, Any]]:
    """`rules.updated` by NAdam: that of the harness multiplies the shares u_1 ... u_t at each step, for which `count` must be no symbol.
    Here `shares` is their product. Along its direction the parameter moves as in plain gradient descent."""
    share, ahead = nadam_share(spec, count), nadam_share(spec, count + 1)
    g = g + spec.coupled_decay * p if spec.coupled_decay else g
    kept = rules.moments(spec, g, slots)
    first = ahead / (1 - shares * ahead) * kept["first_moment"] + (1 - share) / (1 - shares) * g
    plain = SGD(learning_rate=spec.learning_rate, schedule=spec.schedule, weight_decay=spec.decoupled_decay, decoupled=True)
    return rules.updated(plain, p, first / rules.corrected_root(spec, kept["second_moment"], count, pt), {}, count, pt)[0], kept


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = ["this adapter uses PyTensor on the CPU only"] if device == "gpu" else []
    return reasons + shared.unsupported(
        spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=rules.RULES, options=OPTIONS
    )


def versions() -> Dict[str, Any]:
    """Versions of PyTensor and of what compiles for it, and whether Numba may regroup sums."""
    return {**{name: version(name) for name in ("pytensor", "numba", "numpy")}, "fastmath": pytensor.config.numba__fastmath}


class Program:
    """The state as shared variables under the names of `flat_state`; functions are made when they are first asked for."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.random, self.draws = spec, dtype, numpy.random.default_rng(0), bool(spec.random_nodes)
        zeros = {item.name: numpy.zeros(item.shape, dtype) for item in spec.parameters}
        kept = {item.name: numpy.zeros(item.shape, dtype) for item in spec.statistics}
        start = flat_state(State(zeros, dict.fromkeys(active_slots(spec.optimizer), zeros), 0, kept))
        start.update({"shares": numpy.float64(1)} if spec.optimizer.type == "nadam" else {})
        self.variables = {name: pytensor.shared(numpy.array(array), shape=numpy.shape(array)) for name, array in start.items()}
        with pytensor.config.change_flags(floatX=dtype):  # what Python's numbers become
            graphs = self.graphs()
        self.function = lru_cache(None)(lambda name: pytensor.function(*graphs[name], trust_input=True))

    def graphs(self) -> Dict[str, Any]:
        """Of each function its inputs, outputs, mode and updates."""
        spec, dtype = self.spec, self.dtype
        own, statistics = self.group("parameters"), self.group("statistics")
        x = pt.tensor(dtype="int64" if spec.integer_inputs else dtype, shape=(None, *spec.input_shape))
        y = pt.tensor(dtype="int64" if spec.targets == "integer" else dtype, shape=(None, *spec.target_shape))
        weights = [pt.tensor(dtype=dtype, shape=(None, *spec.terms_shape))] if spec.weighted else []
        masks = [pt.tensor(dtype=dtype, shape=(None, *node.draw_shape)) for node in spec.random_nodes]
        found, moved = outputs(spec, {**own, **statistics}, x, masks)
        values = [*found.values()]
        terms = LOSSES[spec.loss.type](spec.loss, values[spec.loss_node], y)
        loss = shared.reduced(spec.loss, terms, *weights) + penalty(spec.penalties, own)
        wanted = [*own.values(), *values, *([] if spec.integer_inputs else [x])]
        gradients = pytensor.grad(loss, wanted, disconnected_inputs="ignore")
        changes = {**self.update(own, gradients[: len(own)]), **{statistics[name]: after for name, after in moved.items()}}
        updates = [(variable, after.astype(variable.dtype)) for variable, after in changes.items()]  # Adam's scalars are float64
        inferred = outputs(spec, {**own, **statistics}, x)[0][spec.nodes[-1].name]
        return {
            "step": ([x, y, *weights, *masks], loss, "NUMBA", updates),
            "probe": ([x, y, *weights, *masks], [loss, *values, *gradients], "NUMBA"),
            "predict": ([x], inferred, "NUMBA"),
        }

    def group(self, group: str) -> Arrays:
        """The variables of a part of the state, by the names that they have there."""
        return {name[len(group) + 1 :]: held for name, held in self.variables.items() if name.startswith(f"{group}/")}

    def update(self, own: Arrays, gradients: Sequence[Any]) -> Dict[Any, Any]:
        """What a step makes of parameters, slots and the step: variable -> new value."""
        step, every = self.variables["step"], self.spec.optimizer.gradient_accumulation_steps
        if every == 1:
            return {step: step + 1, **self.ruled(own, gradients, step.astype("float64") + 1)}
        sums = {gathered: gathered + gradient for gathered, gradient in zip(self.group("slots/accumulated").values(), gradients)}
        changes, due = self.ruled(own, [*sums.values()], (step // every).astype("float64") + 1), pt.eq((step + 1) % every, 0)
        kept = {variable: pt.switch(due, after, variable) for variable, after in changes.items()}
        return {step: step + 1, **kept, **{gathered: pt.switch(due, 0, total) for gathered, total in sums.items()}}

    def ruled(self, own: Arrays, sums: Sequence[Any], count: Any) -> Dict[Any, Any]:
        """What the optimizer's rule makes of parameters and slots. `count` is a float64: Numba's float32 ** int64 is a float32."""
        o, changes, extra = self.spec.optimizer, {}, pt
        rule: Callable[..., Any] = nadam if o.type == "nadam" else rules.updated
        if o.type == "nadam":
            extra = changes[self.variables["shares"]] = self.variables["shares"] * nadam_share(o, count)
        every = o.gradient_accumulation_steps
        gradients = rules.clipped(o, [total / every for total in sums] if every > 1 else [*sums], pt)
        for (name, parameter), gradient in zip(own.items(), gradients):
            slots = {slot: self.variables[f"slots/{slot}/{name}"] for slot in active_slots(o) if slot != "accumulated"}
            changes[parameter], kept = rule(o, parameter, gradient, slots, count, extra)
            changes.update({slots[slot]: kept[slot] for slot in slots})
        return changes

    def load(self, state: State) -> None:
        o, arrays = self.spec.optimizer, flat_state(state)
        if o.type == "nadam":
            made = numpy.arange(1, state.step // o.gradient_accumulation_steps + 1)
            arrays["shares"] = numpy.prod(nadam_share(o, made))
        for name, array in arrays.items():
            self.variables[name].set_value(numpy.array(array, self.variables[name].dtype, order="C"), borrow=True)

    def state(self) -> State:
        return nested_state({name: variable.get_value() for name, variable in self.variables.items()})

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def compile(self, staged: List[Tuple[Any, ...]]) -> Dict[str, float]:
        state, start = self.state(), time.perf_counter()
        self.function("step")
        made = time.perf_counter()
        self.step(*staged[0])  # Numba compiles at the first call
        self.load(state)
        return {"graph": made - start, "compile": time.perf_counter() - made}

    def step(self, x: Any, y: Any, *given: Any) -> Any:
        if self.draws and len(given) == self.spec.weighted:
            given = (*given, *shared.drawn(self.spec, len(x), self.dtype, self.random))
        return self.function("step")(x, y, *given)

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        given = Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks), batch.weights)
        loss, *found = self.function("probe")(*self.stage([given])[0])
        nodes, names = [node.name for node in self.spec.nodes], [item.name for item in self.spec.parameters]
        left = iter(found)
        values, gradients, back = ({name: next(left) for name in group} for group in (nodes, names, nodes))
        return Probe(float(loss), values, gradients, back, next(left, None))

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.function("predict")(batch[0]) for batch in staged]
