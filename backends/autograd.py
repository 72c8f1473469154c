"""HIPS autograd: numpy functions, differentiated in reverse mode; layers and update rules are the user's own, written in numpy."""

from __future__ import annotations

import math
from functools import reduce
from importlib.metadata import version
from itertools import product
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import autograd.numpy as np
import numpy
from autograd import value_and_grad
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from harness.interface import Arrays, Batch, Probe, State, Trace, clipped, rotations, shared, sinusoids, updated
from harness.interface.rules import RULES
from harness.spec import INPUT, Node, ProgramSpec, active_slots

REQUIRES = {"autograd": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

Function = Callable[..., Any]

# --- activations, of their spec and z: np.maximum and np.abs split the gradient where they are tied, np.where does not ---


@primitive  # type: ignore[untyped-decorator]
def erfc(z: Any) -> Any:
    """1 - erf(z): autograd's own erf needs SciPy."""
    return numpy.vectorize(math.erfc, otypes=[z.dtype])(z)


defvjp(erfc, lambda y, z: lambda g: g * (-2 / math.sqrt(math.pi)) * np.exp(-z * z))


def gelu(f: Any, z: Any) -> Any:
    """The normal distribution's share below z, times z."""
    if f.approximate:
        return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))
    return 0.5 * z * erfc(-math.sqrt(0.5) * z)


def elu(z: Any, alpha: float) -> Any:
    """Of what is positive no exponential is taken."""
    return np.where(z > 0, z, alpha * np.expm1(np.where(z > 0, 0, z)))


def sigmoid(z: Any) -> Any:
    """By one tanh."""
    return 0.5 * (np.tanh(0.5 * z) + 1)


def silu(z: Any) -> Any:
    """By a sigmoid that keeps its digits where it is small."""
    return z * np.exp(-np.logaddexp(0, -z))


def softmax(f: Any, z: Any) -> Any:
    """The largest z is taken out first."""
    e = np.exp(z - np.max(getval(z), f.axis, keepdims=True))
    return e / np.sum(e, f.axis, keepdims=True)


def log_softmax(z: Any, axis: int = -1) -> Any:
    """The largest z is taken out first."""
    z = z - np.max(getval(z), axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis, keepdims=True))


SELU = 1.0507009873554805, 1.6732632423543772
ACTIVATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda f, z: z, "step": lambda f, z: np.where(z > 0, 1.0, 0.0).astype(z.dtype),
    "sigmoid": lambda f, z: sigmoid(z), "tanh": lambda f, z: np.tanh(z),
    "relu": lambda f, z: np.where(z > 0, z, 0), "relu6": lambda f, z: np.clip(z, 0, 6),
    "leaky_relu": lambda f, z: np.where(z > 0, z, f.negative_slope * z),
    "elu": lambda f, z: elu(z, f.alpha), "selu": lambda f, z: SELU[0] * elu(z, SELU[1]), "gelu": gelu,
    "silu": lambda f, z: silu(z), "softplus": lambda f, z: np.logaddexp(0, z), "softsign": lambda f, z: z / (1 + np.abs(z)),
    "hard_sigmoid": lambda f, z: np.clip(z + 3, 0, 6) / 6, "hard_silu": lambda f, z: z * np.clip(z + 3, 0, 6) / 6,
    "mish": lambda f, z: z * np.tanh(np.logaddexp(0, z)),
    "softmax": softmax, "log_softmax": lambda f, z: log_softmax(z, f.axis),
}  # fmt: skip

# --- layers: each gives, for a node and its program, the function of all parameters and of what the node reads ---


def names(node: Node, *shorts: str) -> List[str]:
    """Of parameters; empty where the node has no such."""
    own = {item.name for item in node.parameters}
    return [name if name in own else "" for name in (f"{node.name}/{short}" for short in shorts)]


def added(y: Any, p: Arrays, bias: str) -> Any:
    """y + b, where there is one."""
    return y + p[bias] if bias else y


def plain(function: Callable[[Any, Any], Function]) -> Callable[[Any, Any], Function]:
    """A layer without parameters: of its spec and node, then of what it reads."""

    def built(node: Any, net: Any) -> Function:
        own = function(node.layer, node)
        return lambda p, *inputs: own(*inputs)

    return built


def dense(node: Any, net: Any) -> Function:
    """Along the last axis."""
    kernel, bias = f"{node.name}/kernel", names(node, "bias")[0]
    return lambda p, x: added(np.dot(x, p[kernel]), p, bias)


def tied_dense(node: Any, net: Any) -> Function:
    """By the embedding's table."""
    bias = names(node, "bias")[0]
    return lambda p, x: added(np.dot(x, p[node.table].T), p, bias)


def prelu(node: Any, net: Any) -> Function:
    """z where z > 0, else alpha z."""
    alpha = f"{node.name}/alpha"
    return lambda p, z: np.where(z > 0, z, p[alpha] * z)


def take(layer: Any, node: Any) -> Function:
    """One place of an axis, or several."""
    places = layer.places(node.input_shape)
    index = (slice(None),) * layer.axis + ((places[0],) if isinstance(layer.indices, int) else (list(places),))
    return lambda x: x[index]


def larger(a: Any, b: Any) -> Any:
    """The gradient goes to the first of equal ones."""
    return np.where(a >= b, a, b)


def merge(function: Function) -> Callable[[Any, Any], Function]:
    """All inputs by one function of two, from left to right."""
    return plain(lambda layer, node: lambda *inputs: reduce(function, inputs))


def framed(x: Any, pads: Any, value: float = 0) -> Any:
    """x with a value around its places; cut where a pad is negative."""
    x = x[(slice(None), *(slice(max(-before, 0), None) for before, _ in pads))]
    around = [(max(before, 0), max(behind, 0)) for before, behind in pads]
    return np.pad(x, ((0, 0), *around, (0, 0)), "constant", constant_values=value) if np.any(around) else x


def parts(x: Any, window: Any, strides: Any, dilation: Any, places: Any) -> Iterator[Any]:
    """What each number of a window reads of a padded x at all places."""
    for offsets in product(*map(range, window)):
        axes = zip(offsets, strides, dilation, places)
        yield x[(slice(None), *(slice(at * rate, at * rate + (count - 1) * by + 1, by) for at, by, rate, count in axes))]


def correlated(patches: List[Any], kernel: Any, groups: int) -> Any:
    """The sum of patches `(rows, *places, channels)` times kernel `(*window, channels / groups, filters)`."""
    if groups == 1:
        return np.dot(np.concatenate(patches, -1), kernel.reshape(-1, kernel.shape[-1]))
    shape = patches[0].shape
    grouped = np.stack([patch.reshape(-1, groups, shape[-1] // groups) for patch in patches], 1)
    y = np.einsum("nwgi,wigo->ngo", grouped, kernel.reshape(len(patches), shape[-1] // groups, groups, -1))
    return y.reshape(*shape[:-1], -1)


def conv(node: Any, net: Any) -> Function:
    """In a depthwise one each channel is a group."""
    layer, pads, (kernel, bias) = node.layer, node.layer.pads(node.input_shape), names(node, "kernel", "bias")
    window = (layer.kernel, layer.stride, layer.dilation, node.output_shape[:-1])
    groups = getattr(layer, "groups", node.input_shape[-1])
    return lambda p, x: added(correlated([*parts(framed(x, pads), *window)], p[kernel], groups), p, bias)


def transposed(node: Any, net: Any) -> Function:
    """The gradient of a conv2d by its input: stride - 1 zeros behind each place, and the kernel turned around."""
    layer, (kernel, bias), size = node.layer, names(node, "kernel", "bias"), node.input_shape[:-1]
    (down, across), places = layer.stride, node.output_shape[:-1]
    lows = [reach - 1 - before for reach, (before, _) in zip(layer.reach, layer.pads(node.input_shape))]
    pads = [(low, count + reach - 1 - low - n * by) for low, count, reach, n, by in zip(lows, places, layer.reach, size, layer.stride)]
    window, spread = (layer.kernel, (1, 1), layer.dilation, places), ((0, 0), (0, 0), (0, down - 1), (0, 0), (0, across - 1), (0, 0))

    def call(p: Arrays, x: Any) -> Any:
        x = np.pad(x[:, :, None, :, None], spread, "constant").reshape(len(x), size[0] * down, size[1] * across, -1)
        turned = np.swapaxes(p[kernel][::-1, ::-1], 2, 3)
        return added(correlated([*parts(framed(x, pads), *window)], turned, 1), p, bias)

    return call


def pooling(layer: Any, node: Any) -> Function:
    """The largest of each window, or the mean: padding counts or not."""
    pads, one = layer.pads(node.input_shape), (1,) * layer.rank
    window = (layer.window, layer.stride, one, node.output_shape[:-1])
    if layer.type.startswith("max"):
        return lambda x: reduce(larger, parts(framed(x, pads, -numpy.inf), *window))
    ones = framed(numpy.ones((1, *node.input_shape)), pads, float(bool(layer.count_padding)))
    counts = sum(parts(ones, *window))
    return lambda x: sum(parts(framed(x, pads), *window)) / counts.astype(x.dtype)


def global_max(layer: Any, node: Any) -> Function:
    """The gradient goes to the first of equal ones, where np.max splits it."""
    channels = numpy.arange(node.input_shape[-1])

    def call(x: Any) -> Any:
        x = x.reshape(len(x), -1, len(channels))
        return x[numpy.arange(len(x))[:, None], numpy.argmax(getval(x), 1), channels]

    return call


def up_sampling(layer: Any, node: Any) -> Function:
    """Every place several times, or lines between the centres of pixels."""
    if getattr(layer, "interpolation", "nearest") == "nearest":
        return lambda x: reduce(lambda y, at: np.repeat(y, at[1], at[0]), enumerate(layer.factors, 1), x)
    rows, columns = (shares(length, factor) for length, factor in zip(node.input_shape, layer.factors))
    return lambda x: np.einsum("ih,jw,rhwc->rijc", rows.astype(x.dtype), columns.astype(x.dtype), x)


def shares(length: int, factor: int) -> Any:
    """How much each place of the longer axis gets of each of the shorter one."""
    centres = (numpy.arange(length * factor) + 0.5) / factor - 0.5
    return numpy.stack([numpy.interp(centres, numpy.arange(length), one) for one in numpy.eye(length)], 1)


def cropping(layer: Any, node: Any) -> Function:
    """Places cut off."""
    cuts = zip(layer.cuts(node.input_shape), node.output_shape)
    index = (slice(None), *(slice(before, before + length) for (before, _), length in cuts))
    return lambda x: x[index]


def moments(x: Any, axes: Any) -> Tuple[Any, Any, Any]:
    """Mean, differences to it, and the mean of their squares; the axes are kept."""
    mean = np.mean(x, axes, keepdims=True)
    centred = x - mean
    return mean, centred, np.mean(centred * centred, axes, keepdims=True)


def normalization(axes: Callable[[Any, Any], Any], shape: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Function]:
    """By mean and variance over axes of the input in a shape, both functions of the spec and of the input."""

    def built(node: Any, net: Any) -> Function:
        layer, (gamma, beta) = node.layer, names(node, "gamma", "beta")

        def call(p: Arrays, x: Any) -> Any:
            grouped = x.reshape(shape(layer, x))
            _, centred, variance = moments(grouped, axes(layer, grouped))
            return scaled((centred / np.sqrt(variance + layer.epsilon)).reshape(x.shape), p, gamma, beta)

        return call

    return built


def scaled(y: Any, p: Arrays, gamma: str, beta: str = "") -> Any:
    """gamma y + beta, where there are such."""
    return added(y * p[gamma] if gamma else y, p, beta)


def batch_normalization(node: Any, net: Any) -> Function:
    """By the batch's own mean and variance, which move the kept ones; in inference by those."""
    layer, (gamma, beta) = node.layer, names(node, "gamma", "beta")
    kept = [f"{node.name}/moving_{name}" for name in ("mean", "variance")]

    def call(p: Arrays, x: Any) -> Any:
        if net.training:
            mean, centred, variance = moments(x, tuple(range(x.ndim - 1)))
            for name, found in zip(kept, (mean, variance)):
                net.moved[name] = layer.momentum * net.statistics[name] + (1 - layer.momentum) * getval(found).ravel()
        else:
            centred, variance = x - net.statistics[kept[0]], net.statistics[kept[1]]
        return scaled(centred / np.sqrt(variance + layer.epsilon), p, gamma, beta)

    return call


def rms_normalization(node: Any, net: Any) -> Function:
    """x / sqrt(mean(x^2) + epsilon) over the last axis."""
    epsilon, gamma = node.layer.epsilon, names(node, "gamma")[0]
    return lambda p, x: scaled(x / np.sqrt(np.mean(x * x, -1, keepdims=True) + epsilon), p, gamma)


def recurrence(cell: Function) -> Callable[[Any, Any], Function]:
    """Of a cell: the held (h, ...), what comes from one step's inputs, U, the bias and the spec give what is held then."""

    def built(node: Any, net: Any) -> Function:
        layer, (kernel, recurrent, bias) = node.layer, names(node, "kernel", "recurrent_kernel", "bias")
        order = range(node.input_shape[0])[:: -1 if layer.go_backwards else 1]

        def call(p: Arrays, x: Any) -> Any:
            b = p[bias] if bias else None
            z, held, found = np.dot(x, p[kernel]), (numpy.zeros((len(x), layer.units), net.dtype),) * 2, {}
            z = z if b is None else z + (b[0] if b.ndim == 2 else b)
            for at in order:
                held = cell(layer, held, z[:, at], p[recurrent], b)
                found[at] = held[0]
            return np.stack([found[at] for at in sorted(found)], 1) if layer.return_sequences else held[0]

        return call

    return built


def simple_cell(layer: Any, held: Any, z: Any, u: Any, b: Any) -> Any:
    """h <- f(x W + h U + b)."""
    z = z + np.dot(held[0], u)
    return (np.tanh(z) if layer.activation == "tanh" else np.where(z > 0, z, 0),)


def lstm_cell(layer: Any, held: Any, z: Any, u: Any, b: Any) -> Any:
    """Gates in the order i, f, g, o."""
    h, c = held
    i, f, g, o = np.split(z + np.dot(h, u), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(layer: Any, held: Any, z: Any, u: Any, b: Any) -> Any:
    """Gates in the order z, r, h; the reset acts on h U, with a bias of its own, or on h."""
    h, wide = held[0], 2 * layer.units
    inner = np.dot(h, u if layer.reset_after else u[:, :wide])
    inner = inner + b[1] if layer.reset_after and b is not None else inner
    update, reset = np.split(sigmoid(z[:, :wide] + inner[:, :wide]), 2, -1)
    new = reset * inner[:, wide:] if layer.reset_after else np.dot(reset * h, u[:, wide:])
    return (update * h + (1 - update) * np.tanh(z[:, wide:] + new),)


def multi_head_attention(node: Any, net: Any) -> Function:
    """Heads side by side; a head of k and v serves neighbouring heads of q."""
    layer, size, sources = node.layer, node.layer.head(node.input_shape), node.layer.sources(len(node.inputs))
    kernels, biases = ([f"{name}_{kind}" for name in ("query", "key", "value", "output")] for kind in ("kernel", "bias"))
    pairs = dict(zip("qkvo", zip(names(node, *kernels), names(node, *biases))))
    turn, steps = rotary(node, net), (node.input_shape[0], node.input_shapes[sources - 1][0])
    earlier = numpy.tril(numpy.ones(steps, bool)) if layer.causal else numpy.ones(steps, bool)

    def projected(p: Arrays, name: str, x: Any) -> Any:
        kernel, bias = pairs[name]
        return added(np.dot(x, p[kernel]), p, bias)

    def heads(x: Any, groups: int) -> Any:
        """`(rows, kv_heads, groups, steps, size)`."""
        return np.transpose(x.reshape(*x.shape[:2], layer.kv_heads, groups, size), (0, 2, 3, 1, 4))

    def call(p: Arrays, query: Any, *more: Any) -> Any:
        memory = (query, *more)[sources - 1]
        q = turn(heads(projected(p, "q", query), layer.num_heads // layer.kv_heads))
        k, v = turn(heads(projected(p, "k", memory), 1)), heads(projected(p, "v", memory), 1)
        scores = np.matmul(q, np.swapaxes(k, -1, -2)) / math.sqrt(size)
        seen = earlier if layer.mask is None else earlier & (getval(more[-1]) != 0)[:, None, None, None]
        weights = np.exp(log_softmax(np.where(seen, scores, np.finfo(net.dtype).min)))
        y = np.transpose(np.matmul(weights, v), (0, 3, 1, 2, 4))
        return projected(p, "o", y.reshape(*y.shape[:2], -1))

    return call


def rotary(node: Any, net: Any) -> Function:
    """Turn pairs of `(..., steps, size)` by their step; nothing without a base."""
    if node.layer.rotary_base is None:
        return lambda x: x
    longest = max(shape[0] for shape in node.input_shapes[: node.layer.sources(len(node.inputs))])
    tables = rotations(longest, node.layer.head(node.input_shape), node.layer.rotary_base)
    cosines, sines = (numpy.asarray(table, net.dtype) for table in tables)

    def turn(x: Any) -> Any:
        (a, b), cos, sin = np.split(x, 2, -1), cosines[: x.shape[-2]], sines[: x.shape[-2]]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    return turn


def embedding(node: Any, net: Any) -> Function:
    """Rows of the table."""
    table = f"{node.name}/embeddings"
    return lambda p, x: p[table][x]


def position_embedding(node: Any, net: Any) -> Function:
    """One learned vector a step is added."""
    table = f"{node.name}/embeddings"
    return lambda p, x: x + p[table]


def sinusoidal_positions(node: Any, net: Any) -> Function:
    """Waves are added."""
    steps, features = node.input_shape
    table = numpy.asarray(sinusoids(steps, features, node.layer.base), net.dtype)
    return lambda p, x: x + table


def activation(node: Any, net: Any) -> Function:
    """One of ACTIVATIONS."""
    function, spec = ACTIVATIONS[node.layer.activation.type], node.layer.activation
    return lambda p, z: function(spec, z)


LAYERS: Dict[str, Callable[[Any, Any], Function]] = {
    "activation": activation, "dense": dense, "tied_dense": tied_dense, "embedding": embedding, "prelu": prelu,
    **dict.fromkeys(("dropout", "spatial_dropout", "gaussian_noise"), plain(lambda layer, node: lambda x: x)),
    **dict.fromkeys(("flatten", "reshape"), plain(lambda layer, node: lambda x: x.reshape(len(x), *node.output_shape))),
    "permute": plain(lambda layer, node: lambda x: np.transpose(x, (0, *layer.dims))), "take": plain(take),
    "concatenate": plain(lambda layer, node: lambda *inputs: np.concatenate(inputs, layer.axis)),
    "add": merge(np.add), "multiply": merge(np.multiply), "maximum": merge(larger),
    "average": plain(lambda layer, node: lambda *inputs: reduce(np.add, inputs) / len(inputs)),
    **dict.fromkeys(("conv1d", "conv2d", "depthwise_conv2d"), conv), "conv2d_transpose": transposed,
    **dict.fromkeys(("max_pooling1d", "max_pooling2d", "average_pooling1d", "average_pooling2d"), plain(pooling)),
    "global_average_pooling1d": plain(lambda layer, node: lambda x: np.mean(x, 1)),
    "global_average_pooling2d": plain(lambda layer, node: lambda x: np.mean(x, (1, 2))),
    **dict.fromkeys(("global_max_pooling1d", "global_max_pooling2d"), plain(global_max)),
    **dict.fromkeys(("up_sampling1d", "up_sampling2d"), plain(up_sampling)),
    **dict.fromkeys(("zero_padding1d", "zero_padding2d"), plain(lambda layer, node: lambda x: framed(x, layer.pads(node.input_shape)))),
    **dict.fromkeys(("cropping1d", "cropping2d"), plain(cropping)), "batch_normalization": batch_normalization,
    "layer_normalization": normalization(lambda layer, x: (-1,), lambda layer, x: x.shape),
    "group_normalization": normalization(lambda layer, x: (1, 3), lambda layer, x: (len(x), -1, layer.groups, x.shape[-1] // layer.groups)),
    "instance_normalization": normalization(lambda layer, x: tuple(range(1, x.ndim - 1)), lambda layer, x: x.shape),
    "rms_normalization": rms_normalization, "simple_rnn": recurrence(simple_cell), "lstm": recurrence(lstm_cell),
    "gru": recurrence(gru_cell), "multi_head_attention": multi_head_attention, "position_embedding": position_embedding,
    "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip

# --- losses, of their spec, outputs and targets: one value for each output where they are elementwise, else one for each term ---


def absolute(x: Any) -> Any:
    """|x|."""
    return x * np.sign(x)


def huber(loss: Any, p: Any, y: Any) -> Any:
    """A square that goes on as a line."""
    d = absolute(p - y)
    return np.where(d <= loss.delta, 0.5 * d * d, loss.delta * (d - 0.5 * loss.delta))


def log_cosh(loss: Any, p: Any, y: Any) -> Any:
    """With d = |p - y|, d + log(1 + exp(-2 d)) - log(2)."""
    d = absolute(p - y)
    return d + np.logaddexp(0, -2 * d) - math.log(2)


def binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, each for itself."""
    y = y * (1 - loss.label_smoothing) + loss.label_smoothing / 2 if loss.label_smoothing else y
    return np.logaddexp(0, z) - z * y


def softmax_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, against classes or one-hot rows."""
    smoothing, classes, logs = loss.label_smoothing, y.ndim < z.ndim, log_softmax(z)
    if classes and not smoothing:
        rows = logs.reshape(-1, z.shape[-1])
        return -rows[numpy.arange(len(rows)), y.ravel()].reshape(y.shape)
    hot = numpy.eye(z.shape[-1], dtype=z.dtype)[y] if classes else y
    return -np.sum(logs * (hot * (1 - smoothing) + smoothing / z.shape[-1]), -1)


def kl_divergence(loss: Any, z: Any, y: Any) -> Any:
    """From log-probabilities, 0 log(0) = 0."""
    return np.sum(y * numpy.log(numpy.where(y > 0, y, 1)) - y * z, -1)


def cosine_similarity(loss: Any, z: Any, y: Any) -> Any:
    """1 less the cosine."""
    square = np.sum(z * z, -1)
    lengths = np.sqrt(np.where(square > 1e-12, square, 1e-12)) * numpy.sqrt(numpy.maximum(numpy.sum(y * y, -1), 1e-12))
    return 1 - np.sum(z * y, -1) / lengths


LOSSES: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda loss, p, y: np.square(p - y), "mae": lambda loss, p, y: absolute(p - y), "huber": huber, "log_cosh": log_cosh,
    "binary_cross_entropy": binary_cross_entropy, "softmax_cross_entropy": softmax_cross_entropy, "kl_divergence": kl_divergence,
    "cosine_similarity": cosine_similarity, "poisson": lambda loss, z, y: np.exp(z) - y * z,
    "hinge": lambda loss, z, y: np.where(y * z < 1, 1 - y * z, 0),
    "perceptron": lambda loss, z, y: np.where(y * z <= 0, -y * z, 0),
}  # fmt: skip


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "autograd")
    tables: Dict[str, Any] = {"layers": LAYERS, "activations": ACTIVATIONS, "losses": LOSSES, "optimizers": RULES}
    return reasons + shared.unsupported(spec, **tables, options=shared.OPTIONS)


def versions() -> Dict[str, Any]:
    """Versions of autograd and of what it calls."""
    return {"autograd": version("autograd"), "numpy": numpy.__version__}


class Program:
    """Parameters as a dict of arrays; one differentiated function of them for each batch.

    Attributes:
        training: whether batch normalisations use the batch's own moments.
        moved: statistics after the batch at hand.
        every: steps of one update.
        sums: of the gradients of an update that is not complete yet.
    """

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.active, self.random = spec, dtype, active_slots(spec.optimizer), numpy.random.default_rng(0)
        self.training, self.every = True, spec.optimizer.gradient_accumulation_steps
        self.moved: Arrays = {}
        self.calls = [(node, LAYERS[node.layer.type](node, self)) for node in spec.nodes]
        self.names, self.penalties = [node.name for node in spec.nodes], dict(spec.penalties)
        self.differentiated, self.probed = value_and_grad(self.loss), value_and_grad(self.loss, (0, 1, 2)[: 3 - spec.integer_inputs])

    def own(self, arrays: Arrays) -> Arrays:
        return {name: numpy.array(array, self.dtype) for name, array in arrays.items()}

    def load(self, state: State) -> None:
        self.parameters, self.statistics, self.steps = self.own(state.parameters), self.own(state.statistics), state.step
        self.sums = self.own(state.slots.get("accumulated", {}))
        slots = [slot for slot in self.active if slot != "accumulated"]
        self.slots = {name: self.own({slot: state.slots[slot][name] for slot in slots}) for name in self.parameters}

    def state(self) -> State:
        slots = {slot: self.own({name: kept[slot] for name, kept in self.slots.items() if slot in kept}) for slot in self.active}
        slots.update({"accumulated": self.own(self.sums)} if self.every > 1 else {})
        return State(self.own(self.parameters), slots, self.steps, self.own(self.statistics))

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def outputs(self, parameters: Arrays, x: Any, drawn: Any, taps: Any = None) -> List[Any]:
        """Every node's output; in inference nothing is drawn: None."""
        found, left = {INPUT: x}, iter(drawn or ())
        self.training = drawn is not None
        for index, (node, function) in enumerate(self.calls):
            inputs = [found[name] for name in node.inputs]
            random = node.layer.random and self.training
            y = shared.randomised(node, inputs[0], next(left)) if random else function(parameters, *inputs)
            found[node.name] = y if taps is None else y + taps[index]
        return [found[name] for name in self.names]

    def loss(self, parameters: Arrays, taps: Any, x: Any, y: Any, weights: Any, drawn: Any) -> Any:
        """With its penalties."""
        outputs = self.outputs(parameters, x, drawn, taps)
        loss = shared.reduced(self.spec.loss, LOSSES[self.spec.loss.type](self.spec.loss, outputs[self.spec.loss_node], y), weights)
        for name, (l1, l2) in self.penalties.items():
            loss = loss + np.sum(l1 * absolute(parameters[name]) + l2 * np.square(parameters[name]))
        return loss

    def weights_and_drawn(self, x: Any, given: Sequence[Any]) -> Tuple[Any, Any]:
        """What a batch holds behind inputs and targets: sample weights or None; masks and noise, drawn where it has none."""
        weights, *drawn = given if self.spec.weighted else (None, *given)
        return weights, drawn or shared.drawn(self.spec, len(x), self.dtype, self.random)

    def step(self, x: Any, y: Any, *given: Any) -> Any:
        loss, gradients = self.differentiated(self.parameters, None, x, y, *self.weights_and_drawn(x, given))
        self.statistics.update(self.moved)
        self.steps += 1
        if self.every > 1:
            self.sums = {name: self.sums[name] + gradient for name, gradient in gradients.items()}
            if self.steps % self.every:
                return loss
            gradients = {name: total / self.every for name, total in self.sums.items()}
            self.sums = {name: numpy.zeros_like(total) for name, total in self.sums.items()}
        self.update(gradients)
        return loss

    def update(self, gradients: Arrays) -> None:
        """One update of all parameters."""
        optimizer, count = self.spec.optimizer, self.steps // self.every
        for name, gradient in zip(gradients, clipped(optimizer, list(gradients.values()), numpy)):
            kept = self.parameters[name], gradient, self.slots[name]
            self.parameters[name], self.slots[name] = updated(optimizer, *kept, count, numpy)
        if optimizer.schedule is not None:  # whose factor is a float64 of numpy's, which makes float32 wider
            self.parameters = self.own(self.parameters)

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        x, y, *given = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks), batch.weights)])[0]
        taps = tuple(numpy.zeros((len(x), *node.output_shape), self.dtype) for node in self.spec.nodes)
        weights, drawn = self.weights_and_drawn(x, given)
        loss, (gradients, at_outputs, *at_input) = self.probed(self.parameters, taps, x, y, weights, drawn)
        outputs = dict(zip(self.names, self.outputs(self.parameters, x, drawn)))
        return Probe(float(loss), outputs, gradients, dict(zip(self.names, at_outputs)), at_input[0] if at_input else None)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.outputs(self.parameters, batch[0], None)[-1] for batch in staged]
