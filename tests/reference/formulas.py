"""Every layer, activation and loss once more, by its formula: one number after the other where that is the plainest way, with numpy's and
SciPy's functions. Nothing here is the backend's; what it computes has to be this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy
from scipy import special

from harness.interface import Arrays, Batch, State
from harness.spec import INPUT, Node, ProgramSpec
from harness.spec import activations as functions

Formula = Callable[..., Any]


# activations ----------------------------------------------------------------------------------------------------------------


def gelu(f: functions.Gelu, z: Any) -> Any:
    """By the normal distribution's integral, or its approximation."""
    if f.approximate:
        return z * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (z + 0.044715 * z**3))) / 2
    return z * special.ndtr(z)


def softplus(z: Any) -> Any:
    """log(1 + exp(z))."""
    return numpy.logaddexp(0, z)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATIONS: Mapping[str, Formula] = {
    "linear": lambda f, z: z,
    "step": lambda f, z: numpy.heaviside(z, 0),
    "sigmoid": lambda f, z: special.expit(z),
    "tanh": lambda f, z: numpy.tanh(z),
    "relu": lambda f, z: (z + abs(z)) / 2,
    "relu6": lambda f, z: numpy.clip(z, 0, 6),
    "leaky_relu": lambda f, z: numpy.where(z > 0, z, f.negative_slope * z),
    "elu": lambda f, z: numpy.where(z > 0, z, f.alpha * numpy.expm1(numpy.minimum(z, 0))),
    "selu": lambda f, z: SELU_SCALE * numpy.where(z > 0, z, SELU_ALPHA * numpy.expm1(numpy.minimum(z, 0))),
    "gelu": gelu,
    "silu": lambda f, z: z * special.expit(z),
    "softplus": lambda f, z: softplus(z),
    "softsign": lambda f, z: z / (1 + abs(z)),
    "hard_sigmoid": lambda f, z: numpy.clip(z / 6 + 0.5, 0, 1),
    "hard_silu": lambda f, z: z * numpy.clip(z / 6 + 0.5, 0, 1),
    "mish": lambda f, z: z * numpy.tanh(softplus(z)),
    "softmax": lambda f, z: special.softmax(z, axis=f.axis),
    "log_softmax": lambda f, z: special.log_softmax(z, axis=f.axis),
}


# windows --------------------------------------------------------------------------------------------------------------------

Sizes = tuple[int, ...]


def read(sizes: Sizes, window: Sizes, stride: Sizes, dilation: Sizes, pads: Any, place: Sizes) -> Iterator[tuple[Sizes, Sizes]]:
    """What a window at a place reads of an image: offset in the window and position in the image, padding left out."""
    for offset in numpy.ndindex(*window):
        position = tuple(
            at * step + far * rate - before
            for at, step, far, rate, (before, _) in zip(place, stride, offset, dilation, pads, strict=True)
        )
        if all(0 <= at < size for at, size in zip(position, sizes, strict=True)):
            yield offset, position


def convolution(node: Node, p: Arrays, x: Any) -> Any:
    """y[i, o] = sum x[i stride + k dilation, c] W[k, c, o], group by group."""
    layer: Any = node.layer
    *places, filters = node.output_shape
    y = numpy.zeros((len(x), *node.output_shape))
    wide, narrow = filters // layer.groups, x.shape[-1] // layer.groups
    for place in numpy.ndindex(*places):
        for offset, at in read(x.shape[1:-1], layer.kernel, layer.stride, layer.dilation, layer.pads(node.input_shape), place):
            for group in range(layer.groups):
                outputs, inputs = slice(group * wide, (group + 1) * wide), slice(group * narrow, (group + 1) * narrow)
                y[(slice(None), *place, outputs)] += x[(slice(None), *at, inputs)] @ p["kernel"][offset][:, outputs]
    return y + p.get("bias", 0.0)


def depthwise(node: Node, p: Arrays, x: Any) -> Any:
    """y[i, c m + j] = sum x[i stride + k dilation, c] W[k, c, j]."""
    layer: Any = node.layer
    *places, _ = node.output_shape
    y = numpy.zeros((len(x), *places, x.shape[-1], layer.depth_multiplier))
    for place in numpy.ndindex(*places):
        for offset, at in read(x.shape[1:-1], layer.kernel, layer.stride, layer.dilation, layer.pads(node.input_shape), place):
            y[(slice(None), *place)] += x[(slice(None), *at)][..., None] * p["kernel"][offset]
    return y.reshape(len(x), *node.output_shape) + p.get("bias", 0.0)


def transposed(node: Node, p: Arrays, x: Any) -> Any:
    """x[i] W goes to y[i stride + k dilation - padding before]."""
    layer: Any = node.layer
    y: Any = numpy.zeros((len(x), *node.output_shape))
    for place in numpy.ndindex(*x.shape[1:-1]):
        for offset, at in read(y.shape[1:-1], layer.kernel, layer.stride, layer.dilation, layer.pads(node.input_shape), place):
            y[(slice(None), *at)] += x[(slice(None), *place)] @ p["kernel"][offset].T
    return y + p.get("bias", 0.0)


def pooling(node: Node, p: Arrays, x: Any) -> Any:
    """The largest or the mean of what each window reads."""
    layer: Any = node.layer
    y = numpy.zeros((len(x), *node.output_shape))
    ones = (1,) * layer.rank
    for place in numpy.ndindex(*node.output_shape[:-1]):
        found = [
            x[(slice(None), *at)]
            for _, at in read(x.shape[1:-1], layer.window, layer.stride, ones, layer.pads(node.input_shape), place)
        ]
        if layer.type.startswith("max"):
            y[(slice(None), *place)] = numpy.max(found, axis=0)
        else:
            y[(slice(None), *place)] = numpy.sum(found, axis=0) / (
                numpy.prod(layer.window) if layer.count_padding else len(found)
            )
    return y


def global_max(node: Node, p: Arrays, x: Any) -> Any:
    """Of all places."""
    return x.reshape(len(x), -1, x.shape[-1]).max(1)


def global_mean(node: Node, p: Arrays, x: Any) -> Any:
    """Over all places."""
    return x.reshape(len(x), -1, x.shape[-1]).mean(1)


def up_sampling(node: Node, p: Arrays, x: Any) -> Any:
    """Each place several times; or between the centres of pixels, as far from each as the new centre is."""
    layer: Any = node.layer
    for axis, factor in enumerate(layer.factors, 1):
        length, places = x.shape[axis], numpy.arange(x.shape[axis] * factor)
        if getattr(layer, "interpolation", "nearest") == "nearest":
            x = numpy.take(x, places // factor, axis)
            continue
        centres = numpy.clip((places + 0.5) / factor - 0.5, 0, length - 1)
        near = 1 - abs(centres[:, None] - numpy.arange(length))
        x = numpy.moveaxis(numpy.moveaxis(x, axis, -1) @ numpy.maximum(near, 0).T, -1, axis)
    return x


def zero_padding(node: Node, p: Arrays, x: Any) -> Any:
    """Zeros around."""
    layer: Any = node.layer
    return numpy.pad(x, ((0, 0), *layer.pads(node.input_shape), (0, 0)))


def cropping(node: Node, p: Arrays, x: Any) -> Any:
    """Without what is cut off."""
    layer: Any = node.layer
    for axis, (before, after) in enumerate(layer.cuts(node.input_shape), 1):
        x = numpy.take(x, range(before, x.shape[axis] - after), axis)
    return x


# normalisations -------------------------------------------------------------------------------------------------------------


def normalised(node: Node, p: Arrays, x: Any, mean: Any, variance: Any) -> Any:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta."""
    layer: Any = node.layer
    return p.get("gamma", 1.0) * (x - mean) / numpy.sqrt(variance + layer.epsilon) + p.get("beta", 0.0)


def batch_normalization(node: Node, p: Arrays, x: Any, *, training: bool = True) -> Any:
    """By the batch's mean and variance, or by the moving ones."""
    others = tuple(range(x.ndim - 1))
    if training:
        return normalised(node, p, x, x.mean(others), x.var(others))
    return normalised(node, p, x, p["moving_mean"], p["moving_variance"])


def layer_normalization(node: Node, p: Arrays, x: Any) -> Any:
    """By the last axis'."""
    return normalised(node, p, x, x.mean(-1, keepdims=True), x.var(-1, keepdims=True))


def group_normalization(node: Node, p: Arrays, x: Any) -> Any:
    """By each group's over all places."""
    layer: Any = node.layer
    grouped = x.reshape(len(x), -1, layer.groups, x.shape[-1] // layer.groups)
    mean, variance = (
        numpy.broadcast_to(found(grouped, (1, 3), keepdims=True), grouped.shape).reshape(x.shape)
        for found in (numpy.mean, numpy.var)
    )
    return normalised(node, p, x, mean, variance)


def instance_normalization(node: Node, p: Arrays, x: Any) -> Any:
    """By each channel's over all places."""
    places = tuple(range(1, x.ndim - 1))
    return normalised(node, p, x, x.mean(places, keepdims=True), x.var(places, keepdims=True))


def rms_normalization(node: Node, p: Arrays, x: Any) -> Any:
    """gamma x / sqrt(mean(x^2) + epsilon)."""
    layer: Any = node.layer
    return p.get("gamma", 1.0) * x / numpy.sqrt(numpy.mean(x**2, -1, keepdims=True) + layer.epsilon)


# sequences ------------------------------------------------------------------------------------------------------------------


def scan(node: Node, x: Any, step: Callable[[Any, Any], tuple[Any, Any]], state: Any) -> Any:
    """A recurrence, step by step: `step(x, state)` gives the output and the new state."""
    layer: Any = node.layer
    order = range(x.shape[1])
    outputs: dict[int, Any] = {}
    for t in reversed(order) if layer.go_backwards else order:
        outputs[t], state = step(x[:, t], state)
        last = outputs[t]
    return numpy.stack([outputs[t] for t in order], 1) if layer.return_sequences else last


def simple_rnn(node: Node, p: Arrays, x: Any) -> Any:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    function: Any = numpy.tanh if layer.activation == "tanh" else lambda z: numpy.maximum(z, 0)

    def step(x: Any, h: Any) -> tuple[Any, Any]:
        h = function(x @ p["kernel"] + h @ p["recurrent_kernel"] + p.get("bias", 0.0))
        return h, h

    return scan(node, x, step, numpy.zeros((len(x), layer.units)))


def lstm(node: Node, p: Arrays, x: Any) -> Any:
    """i, f, g, o = x W + h U + b; c <- sigma(f) c + sigma(i) tanh(g); h <- sigma(o) tanh(c)."""
    layer: Any = node.layer

    def step(x: Any, state: Any) -> tuple[Any, Any]:
        h, c = state
        i, f, g, o = numpy.split(x @ p["kernel"] + h @ p["recurrent_kernel"] + p.get("bias", 0.0), 4, axis=1)
        c = special.expit(f) * c + special.expit(i) * numpy.tanh(g)
        h = special.expit(o) * numpy.tanh(c)
        return h, (h, c)

    zero = numpy.zeros((len(x), layer.units))
    return scan(node, x, step, (zero, zero))


def gru(node: Node, p: Arrays, x: Any) -> Any:
    """z, r = sigma(...), h' = tanh(...), h <- z h + (1 - z) h'."""
    layer: Any = node.layer
    kernels = zip(numpy.split(p["kernel"], 3, axis=1), numpy.split(p["recurrent_kernel"], 3, axis=1), strict=True)
    (w_z, u_z), (w_r, u_r), (w_h, u_h) = kernels
    bias = p.get("bias", numpy.zeros((2, 3 * layer.units)))
    rows = bias if layer.reset_after else numpy.stack([bias if bias.ndim == 1 else bias[0], numpy.zeros(3 * layer.units)])
    (b_z, b_r, b_h), (c_z, c_r, c_h) = (numpy.split(row, 3) for row in rows)

    def step(x: Any, h: Any) -> tuple[Any, Any]:
        z, r = special.expit(x @ w_z + h @ u_z + b_z + c_z), special.expit(x @ w_r + h @ u_r + b_r + c_r)
        new = numpy.tanh(x @ w_h + b_h + (r * (h @ u_h + c_h) if layer.reset_after else (r * h) @ u_h))
        h = z * h + (1 - z) * new
        return h, h

    return scan(node, x, step, numpy.zeros((len(x), layer.units)))


def turned(values: Any, base: float | None) -> Any:
    """Pairs (i, i + n / 2) of one head's `(steps, n)` turned by t base^(-2 i / n)."""
    if base is None:
        return values
    steps, size = values.shape
    as_complex = values[:, : size // 2] + 1j * values[:, size // 2 :]
    angles = numpy.arange(steps)[:, None] * float(base) ** (-2 * numpy.arange(size // 2) / size)
    as_complex = as_complex * numpy.exp(1j * angles)
    return numpy.concatenate([as_complex.real, as_complex.imag], axis=1)


def attention(node: Node, p: Arrays, *inputs: Any) -> Any:
    """softmax(q k^T / sqrt(n)) v, sample by sample and head by head."""
    layer: Any = node.layer
    count = layer.sources(len(inputs))
    queries, memory = inputs[0], inputs[count - 1]
    marks = inputs[-1] if layer.mask is not None else numpy.ones(memory.shape[:2])
    size, shared = layer.head(node.input_shape), layer.num_heads // layer.kv_heads
    y = numpy.zeros(queries.shape)
    for row, (query, kept) in enumerate(zip(queries, memory, strict=True)):
        q, k, v = (
            x @ p[f"{name}_kernel"] + p.get(f"{name}_bias", 0.0) for name, x in (("query", query), ("key", kept), ("value", kept))
        )
        seen = numpy.broadcast_to(marks[row] != 0, (len(query), len(kept)))
        if layer.causal:
            seen = seen & numpy.tri(len(query), dtype=bool)
        heads = []
        for head in range(layer.num_heads):
            own, other = slice(head * size, (head + 1) * size), slice(head // shared * size, (head // shared + 1) * size)
            scores = turned(q[:, own], layer.rotary_base) @ turned(k[:, other], layer.rotary_base).T / numpy.sqrt(size)
            heads.append(special.softmax(numpy.where(seen, scores, -numpy.inf), axis=1) @ v[:, other])
        y[row] = numpy.concatenate(heads, axis=1) @ p["output_kernel"] + p.get("output_bias", 0.0)
    return y


def sinusoidal_positions(node: Node, p: Arrays, x: Any) -> Any:
    """x + P, P rounded to float32."""
    layer: Any = node.layer
    _, steps, features = x.shape
    table = numpy.zeros((steps, features))
    for t in range(steps):
        for column in range(features):
            angle = t / layer.base ** (2 * (column // 2) / features)
            table[t, column] = numpy.cos(angle) if column % 2 else numpy.sin(angle)
    return x + table.astype(numpy.float32)


# all layers -----------------------------------------------------------------------------------------------------------------


def joined(node: Node, p: Arrays, *inputs: Any) -> Any:
    """Along an axis behind the batch, the last one where it is -1."""
    layer: Any = node.layer
    return numpy.concatenate(inputs, layer.axis)


#: type -> function of the node, its parameters and statistics by short name, and its inputs
LAYERS: Mapping[str, Formula] = {
    "dense": lambda node, p, x: numpy.einsum("...i,io->...o", x, p["kernel"]) + p.get("bias", 0.0),
    "tied_dense": lambda node, p, x: numpy.einsum("...i,oi->...o", x, p["embeddings"]) + p.get("bias", 0.0),
    "embedding": lambda node, p, x: numpy.stack([p["embeddings"][word] for word in x.ravel()]).reshape(*x.shape, -1),
    "activation": lambda node, p, x: ACTIVATIONS[node.layer.activation.type](node.layer.activation, x),
    "prelu": lambda node, p, x: numpy.where(x > 0, x, p["alpha"] * x),
    "flatten": lambda node, p, x: numpy.stack([row.ravel() for row in x]),
    "reshape": lambda node, p, x: numpy.stack([row.ravel().reshape(node.layer.target_shape) for row in x]),
    "permute": lambda node, p, x: numpy.stack([numpy.transpose(row, [axis - 1 for axis in node.layer.dims]) for row in x]),
    "take": lambda node, p, x: numpy.take(x, node.layer.indices, node.layer.axis),
    "add": lambda node, p, *inputs: numpy.sum(inputs, axis=0),
    "multiply": lambda node, p, *inputs: numpy.prod(inputs, axis=0),
    "average": lambda node, p, *inputs: numpy.mean(inputs, axis=0),
    "maximum": lambda node, p, *inputs: numpy.max(inputs, axis=0),
    "concatenate": joined,
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": depthwise, "conv2d_transpose": transposed,
    "max_pooling1d": pooling, "max_pooling2d": pooling, "average_pooling1d": pooling, "average_pooling2d": pooling,
    "global_max_pooling1d": global_max, "global_max_pooling2d": global_max,
    "global_average_pooling1d": global_mean, "global_average_pooling2d": global_mean,
    "up_sampling1d": up_sampling, "up_sampling2d": up_sampling, "zero_padding1d": zero_padding, "zero_padding2d": zero_padding,
    "cropping1d": cropping, "cropping2d": cropping,
    "batch_normalization": batch_normalization, "layer_normalization": layer_normalization,
    "group_normalization": group_normalization, "instance_normalization": instance_normalization,
    "rms_normalization": rms_normalization,
    "simple_rnn": simple_rnn, "lstm": lstm, "gru": gru,
    "multi_head_attention": attention, "sinusoidal_positions": sinusoidal_positions,
    "position_embedding": lambda node, p, x: x + p["embeddings"],
}  # fmt: skip


def outputs(spec: ProgramSpec, state: State, batch: Batch, *, training: bool = True) -> Arrays:
    """Every node's output; in training random nodes take what the batch brings, in inference nothing."""
    found: dict[str, Any] = {INPUT: batch.inputs if spec.integer_inputs else numpy.asarray(batch.inputs, float)}
    for node in spec.nodes:
        inputs = [found[name] for name in node.inputs]
        if node.layer.random:
            drawn = (batch.masks or {}).get(node.name)
            found[node.name] = (
                inputs[0] if not training else inputs[0] * drawn if node.layer.random == "mask" else inputs[0] + drawn
            )
            continue
        arrays = {**state.parameters, **state.statistics}
        own = {
            name.rpartition("/")[2]: numpy.asarray(array, float)
            for name, array in arrays.items()
            if name.rpartition("/")[0] == node.name
        }
        if node.table:
            own["embeddings"] = numpy.asarray(state.parameters[node.table], float)
        options = {"training": training} if node.statistics else {}
        found[node.name] = LAYERS[node.layer.type](node, own, *inputs, **options)
    del found[INPUT]
    return found


def moved_statistics(spec: ProgramSpec, state: State, batch: Batch, forms: Mapping[str, str]) -> Arrays:
    """The statistics after a training step: moving <- momentum moving + (1 - momentum) of the batch's."""
    values = {INPUT: batch.inputs, **outputs(spec, state, batch)}
    moved: dict[str, Any] = {}
    for node in spec.nodes:
        if node.statistics:
            layer: Any = node.layer
            x = numpy.asarray(values[node.inputs[0]], float).reshape(-1, node.input_shape[-1])
            ddof = 1 if forms.get("batch_normalization.variance") == "unbiased" else 0
            for short, now in (("moving_mean", x.mean(0)), ("moving_variance", x.var(0, ddof=ddof))):
                name = f"{node.name}/{short}"
                moved[name] = layer.momentum * numpy.asarray(state.statistics[name], float) + (1 - layer.momentum) * now
    return moved


# losses ---------------------------------------------------------------------------------------------------------------------


def smoothed(loss: Any, y: Any, classes: int) -> Any:
    """y (1 - s) + s / classes."""
    return y * (1 - loss.label_smoothing) + loss.label_smoothing / classes


def softmax_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """-sum_j y_j log softmax(z)_j + what is left where y does not sum to one."""
    hot = numpy.eye(z.shape[-1])[y] if y.ndim < z.ndim else y
    hot = smoothed(loss, hot, z.shape[-1])
    return special.logsumexp(z, axis=-1) * hot.sum(-1) - numpy.sum(hot * z, axis=-1)


def binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """-y log(sigma(z)) - (1 - y) log(1 - sigma(z))."""
    y = smoothed(loss, y, 2)
    return -y * special.log_expit(z) - (1 - y) * special.log_expit(-z)


def cosine_similarity(loss: Any, z: Any, y: Any) -> Any:
    """1 - z y / (|z| |y|), each length at least 1e-6."""
    lengths = [numpy.sqrt(numpy.maximum(numpy.sum(a**2, axis=-1), 1e-12)) for a in (z, y)]
    return 1 - numpy.sum(z * y, axis=-1) / (lengths[0] * lengths[1])


def huber(loss: Any, z: Any, y: Any) -> Any:
    """d^2 / 2, or delta (|d| - delta / 2)."""
    return special.huber(loss.delta, z - y)


#: terms; of an elementwise loss like z, otherwise without the last axis
LOSSES: Mapping[str, Formula] = {
    "mse": lambda loss, z, y: (z - y) ** 2,
    "mae": lambda loss, z, y: abs(z - y),
    "huber": huber,
    "log_cosh": lambda loss, z, y: numpy.logaddexp(z - y, y - z) - numpy.log(2),
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda loss, z, y: numpy.sum(special.xlogy(y, y) - y * z, axis=-1),
    "cosine_similarity": cosine_similarity,
    "poisson": lambda loss, z, y: numpy.exp(z) - y * z,
    "hinge": lambda loss, z, y: numpy.maximum(0, 1 - y * z),
    "perceptron": lambda loss, z, y: numpy.maximum(0, -y * z),
}


def loss_value(spec: ProgramSpec, state: State, z: Any, batch: Batch) -> float:
    """The loss of outputs z, with the penalties on parameters."""
    loss: Any = spec.loss
    y = batch.targets if batch.targets.dtype.kind == "i" else numpy.asarray(batch.targets, float)
    terms = LOSSES[loss.type](loss, z, y)
    terms = terms.mean(-1) if loss.elementwise else terms
    weights = numpy.ones(terms.shape) if batch.weights is None else numpy.asarray(batch.weights, float)
    shares = {"mean": terms.size, "weighted_mean": weights.sum(), "sum": 1}[loss.reduction]
    value = numpy.sum(weights * terms) / shares
    for name, (l1, l2) in spec.penalties.items():
        array = numpy.asarray(state.parameters[name], float)
        value += l1 * abs(array).sum() + l2 * (array**2).sum()
    return float(value)
