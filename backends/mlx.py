"""MLX: a function of plain arrays, mlx.nn's activations and losses, and mlx.optimizers; evaluated after each step."""

from __future__ import annotations

import math
from functools import partial, reduce
from itertools import product
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import mlx.core as mx
import numpy
from mlx import nn, optimizers
from mlx.utils import tree_map

from harness.interface import Arrays, Batch, Probe, State, Trace, clipped, rotations, shared, sinusoids
from harness.spec import INPUT, Node, Parameter, ProgramSpec, active_slots

REQUIRES = {"mlx": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {}

#: of what a node reads, behind its own arrays by short name where it is a layer's
Function = Callable[..., Any]

# --- activations: each a function of its spec ---


def expm1_below(z: Any) -> Any:
    """exp(z) - 1 where z < 0, without the overflow of the other side."""
    return mx.expm1(mx.where(z > 0, 0, z))


def selu(z: Any) -> Any:
    """MLX's own has six digits of both constants."""
    return 1.0507009873554805 * mx.where(z > 0, z, 1.6732632423543772 * expm1_below(z))


ACTIVATIONS: Dict[str, Callable[[Any], Function]] = {
    "linear": lambda f: lambda z: z,
    "step": lambda f: lambda z: (z > 0).astype(z.dtype),  # nn.step is 1 at 0
    "sigmoid": lambda f: nn.sigmoid,
    "tanh": lambda f: nn.tanh,
    "relu": lambda f: nn.relu,
    "relu6": lambda f: nn.relu6,
    "leaky_relu": lambda f: lambda z: mx.where(z > 0, z, f.negative_slope * z),  # the gradient of its own at 0 is 1
    # its own is exp(z) - 1, without digits of a small z; the gradient of that at 200 is no number
    "elu": lambda f: lambda z: mx.where(z > 0, z, f.alpha * expm1_below(z)),
    "selu": lambda f: selu,
    "gelu": lambda f: nn.gelu_approx if f.approximate else nn.gelu,
    "silu": lambda f: nn.silu,
    "softplus": lambda f: nn.softplus,
    "softsign": lambda f: nn.softsign,
    "hard_sigmoid": lambda f: lambda z: nn.relu6(z + 3) / 6,
    "hard_silu": lambda f: nn.hardswish,
    "mish": lambda f: nn.mish,
    "softmax": lambda f: partial(nn.softmax, axis=f.axis),
    "log_softmax": lambda f: partial(nn.log_softmax, axis=f.axis),
}

# --- layers: each gives, for a node, the function of its own arrays by short name and of what it reads ---


def affine(x: Any, kernel: Any, bias: Optional[Any]) -> Any:
    """y = x W + b."""
    return x @ kernel if bias is None else mx.addmm(bias, x, kernel)


def dense(node: Node) -> Function:
    """y = x W + b."""
    return lambda own, x: affine(x, own["kernel"], own.get("bias"))


def tied_dense(node: Node) -> Function:
    """y = x E^T + b, E the embedding's table."""
    return lambda own, x: affine(x, own["table"].T, own.get("bias"))


def activation(node: Node) -> Function:
    """A function."""
    layer: Any = node.layer
    function = ACTIVATIONS[layer.activation.type](layer.activation)
    return lambda own, z: function(z)


def prelu(node: Node) -> Function:
    """One slope a channel; at 0 nn.prelu has another gradient."""
    return lambda own, z: mx.where(z > 0, z, own["alpha"] * z)


def take(node: Node) -> Function:
    """Places along an axis."""
    layer: Any = node.layer
    places = layer.places(node.input_shape)
    indices = places[0] if isinstance(layer.indices, int) else mx.array(places)
    return lambda own, x: mx.take(x, indices, layer.axis)


def larger(a: Any, b: Any) -> Any:
    """The gradient goes to the first of equal ones."""
    return mx.where(a >= b, a, b)


def merge(function: Function) -> Callable[[Node], Function]:
    """All inputs by one function of two, from left to right."""
    return lambda node: lambda own, *inputs: reduce(function, inputs)


def average(node: Node) -> Function:
    """(a + b + ...) / count."""
    return lambda own, *inputs: reduce(mx.add, inputs) / len(inputs)


def concatenate(node: Node) -> Function:
    """One behind the other."""
    layer: Any = node.layer
    axis = layer.place(node.input_shape)
    return lambda own, *inputs: mx.concatenate(inputs, axis)


def masking(node: Node) -> Function:
    """Of single values or whole channels; nn.Dropout2d does not take rows of channels."""
    layer: Any = node.layer
    return lambda own, x: x * layer.scale * mx.random.bernoulli(1 - layer.rate, (len(x), *node.draw_shape))


def gaussian_noise(node: Node) -> Function:
    """Normal numbers added; MLX draws in float32."""
    layer: Any = node.layer
    return lambda own, x: x + layer.stddev * mx.random.normal(x.shape).astype(x.dtype)


def biased(y: Any, own: Arrays) -> Any:
    """y + b, where there is one."""
    return y + own["bias"] if "bias" in own else y


def convolution(node: Node) -> Function:
    """In a depthwise one each channel is a group."""
    layer: Any = node.layer
    groups = node.input_shape[-1] if layer.type == "depthwise_conv2d" else layer.groups
    low, high = zip(*layer.pads(node.input_shape))
    options = {"stride": layer.stride, "padding": (low, high), "kernel_dilation": layer.dilation, "groups": groups}
    return lambda own, x: biased(mx.conv_general(x, own["kernel"], **options), own)


def transposed(node: Node) -> Function:
    """The whole map, zeros behind where there is to be more, and the rest cut off: with MLX's output_padding the gradient has a
    wrong shape, and its padding is the same at both ends."""
    layer: Any = node.layer
    before = [start for start, _ in layer.pads(node.input_shape)]
    whole = [(size - 1) * stride + reach for size, stride, reach in zip(node.input_shape, layer.stride, layer.reach)]
    more = [(0, max(start + length - size, 0)) for start, length, size in zip(before, node.output_shape, whole)]
    rows, columns = (slice(start, start + length) for start, length in zip(before, node.output_shape))

    def run(own: Arrays, x: Any) -> Any:
        y = mx.conv_transpose2d(x, own["kernel"], layer.stride, 0, layer.dilation)
        return biased(mx.pad(y, [(0, 0), *more, (0, 0)])[:, rows, columns], own)

    return run


def windows(node: Node) -> List[Any]:
    """Where the first place of all windows stands, the second, and so on, row by row."""
    layer: Any = node.layer
    axes = list(zip(node.output_shape, layer.stride))
    return [
        (slice(None), *(slice(at, at + (count - 1) * step + 1, step) for at, (count, step) in zip(start, axes)))
        for start in product(*map(range, layer.window))
    ]


def around(node: Node) -> List[Any]:
    """Padding of all axes."""
    layer: Any = node.layer
    return [(0, 0), *layer.pads(node.input_shape), (0, 0)]


def max_pooling(node: Node) -> Function:
    """Place by place: nn.MaxPool2d pads both sides alike, and splits the gradient between equal ones."""
    kept, pads = windows(node), around(node)

    def pooled(own: Arrays, x: Any) -> Any:
        x = mx.pad(x, pads, constant_values=-math.inf)
        return reduce(larger, [x[places] for places in kept])

    return pooled


def average_pooling(node: Node) -> Function:
    """Place by place: nn.AvgPool2d pads both sides alike, and counts that."""
    layer: Any = node.layer
    kept, pads = windows(node), around(node)

    def summed(x: Any) -> Any:
        x = mx.pad(x, pads)
        return reduce(mx.add, [x[places] for places in kept])

    if layer.count_padding or not any(map(sum, pads)):
        return lambda own, x: summed(x) / len(kept)
    counts = summed(mx.ones((1, *node.input_shape)))
    return lambda own, x: summed(x) / counts.astype(x.dtype)


def global_average(node: Node) -> Function:
    """The mean of all places."""
    axes = tuple(range(1, len(node.input_shape)))
    return lambda own, x: x.mean(axes)


def global_max(node: Node) -> Function:
    """The first of the largest: mx.max splits its gradient."""

    def largest(own: Arrays, x: Any) -> Any:
        x = x.reshape(len(x), -1, x.shape[-1])
        return mx.take_along_axis(x, mx.stop_gradient(mx.argmax(x, 1, keepdims=True)), 1).squeeze(1)

    return largest


def up_sampling(node: Node) -> Function:
    """Each axis several times as long."""
    layer: Any = node.layer
    mode = "linear" if getattr(layer, "interpolation", "nearest") == "bilinear" else "nearest"
    longer = nn.Upsample(layer.factors, mode)
    return lambda own, x: longer(x)


def zero_padding(node: Node) -> Function:
    """Zeros around."""
    pads = around(node)
    return lambda own, x: mx.pad(x, pads)


def cropping(node: Node) -> Function:
    """Places cut off."""
    layer: Any = node.layer
    lengths = zip(layer.cuts(node.input_shape), node.output_shape)
    kept = (slice(None), *(slice(before, before + length) for (before, _), length in lengths))
    return lambda own, x: x[kept]


def standardized(x: Any, axes: Any, epsilon: float) -> Any:
    """(x - mean) / sqrt(variance + epsilon)."""
    return (x - x.mean(axes, keepdims=True)) * mx.rsqrt(x.var(axes, keepdims=True) + epsilon)


def scaled(y: Any, own: Arrays) -> Any:
    """gamma y + beta, where there are such."""
    y = y * own["gamma"] if "gamma" in own else y
    return y + own["beta"] if "beta" in own else y


def batch_training(node: Node, own: Arrays, x: Any) -> Tuple[Any, Arrays]:
    """By the batch's own mean and variance, which move the kept ones; nn.BatchNorm has gamma and beta or none."""
    layer: Any = node.layer
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    moved = {
        f"{node.name}/{short}": layer.momentum * own[short] + (1 - layer.momentum) * mx.stop_gradient(found)
        for short, found in (("moving_mean", mean), ("moving_variance", variance))
    }
    return scaled((x - mean) * mx.rsqrt(variance + layer.epsilon), own), moved


def batch_inference(node: Node) -> Function:
    """By the kept mean and variance."""
    layer: Any = node.layer
    return lambda own, x: scaled((x - own["moving_mean"]) * mx.rsqrt(own["moving_variance"] + layer.epsilon), own)


def layer_normalization(node: Node) -> Function:
    """Over the last axis; mx.fast computes in float32."""
    layer: Any = node.layer

    def normed(own: Arrays, x: Any) -> Any:
        if x.dtype == mx.float32:
            return mx.fast.layer_norm(x, own.get("gamma"), own.get("beta"), layer.epsilon)
        return scaled(standardized(x, -1, layer.epsilon), own)

    return normed


def group_normalization(node: Node) -> Function:
    """Over all places and the channels of a group, which are neighbours: nn.GroupNorm has that in float32 only."""
    layer: Any = node.layer
    groups, channels = layer.groups, node.input_shape[-1]

    def normed(own: Arrays, x: Any) -> Any:
        grouped = x.reshape(len(x), -1, groups, channels // groups)
        return scaled(standardized(grouped, (1, 3), layer.epsilon).reshape(x.shape), own)

    return normed


def instance_normalization(node: Node) -> Function:
    """Over all places; nn.InstanceNorm computes in float32."""
    layer: Any = node.layer
    axes = tuple(range(1, len(node.input_shape)))
    return lambda own, x: scaled(standardized(x, axes, layer.epsilon), own)


def rms_normalization(node: Node) -> Function:
    """Over the last axis, without a mean; mx.fast computes in float32."""
    layer: Any = node.layer

    def normed(own: Arrays, x: Any) -> Any:
        if x.dtype == mx.float32:
            return mx.fast.rms_norm(x, own.get("gamma"), layer.epsilon)
        return scaled(x * mx.rsqrt(mx.square(x).mean(-1, keepdims=True) + layer.epsilon), own)

    return normed


def recurrence(node: Node, own: Arrays, x: Any, bias: Optional[Any], cell: Callable[[Any, Any], Any]) -> Any:
    """A loop over the steps, as in nn.RNN: `cell` makes new states, h first, of what comes from the inputs and of the old ones."""
    layer: Any = node.layer
    zeros, outputs = mx.zeros((len(x), layer.units), x.dtype), []
    states: Tuple[Any, ...] = (zeros, zeros)
    z = affine(x, own["kernel"], bias)
    steps = range(x.shape[1])
    for at in reversed(steps) if layer.go_backwards else steps:
        states = cell(z[:, at], states)
        outputs.append(states[0])
    if not layer.return_sequences:
        return outputs[-1]
    return mx.stack(outputs[::-1] if layer.go_backwards else outputs, 1)


def simple_rnn(node: Node) -> Function:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    function = {"tanh": mx.tanh, "relu": nn.relu}[layer.activation]

    def run(own: Arrays, x: Any) -> Any:
        return recurrence(node, own, x, own.get("bias"), lambda z, h: (function(mx.addmm(z, h[0], own["recurrent_kernel"])),))

    return run


def lstm(node: Node) -> Function:
    """Gates in the order i, f, g, o."""

    def run(own: Arrays, x: Any) -> Any:
        def cell(z: Any, states: Any) -> Any:
            h, c = states
            i, f, g, o = mx.split(mx.addmm(z, h, own["recurrent_kernel"]), 4, -1)
            c = mx.sigmoid(f) * c + mx.sigmoid(i) * mx.tanh(g)
            return mx.sigmoid(o) * mx.tanh(c), c

        return recurrence(node, own, x, own.get("bias"), cell)

    return run


def gru(node: Node) -> Function:
    """Gates in the order z, r, h; the reset acts on h U, as in nn.GRU (which has no second bias of z and r), or on h."""
    layer: Any = node.layer
    units = layer.units

    def run(own: Arrays, x: Any) -> Any:
        kernel, bias = own["recurrent_kernel"], own.get("bias")
        first, beside = (bias, None) if bias is None or not layer.reset_after else (bias[0], bias[1])

        def cell(z: Any, states: Any) -> Any:
            h = states[0]
            inner = affine(h, kernel, beside) if layer.reset_after else h @ kernel[:, : 2 * units]
            update, reset = mx.split(mx.sigmoid(z[:, : 2 * units] + inner[:, : 2 * units]), 2, -1)
            new = reset * inner[:, 2 * units :] if layer.reset_after else (reset * h) @ kernel[:, 2 * units :]
            return (update * h + (1 - update) * mx.tanh(z[:, 2 * units :] + new),)

        return recurrence(node, own, x, first, cell)

    return run


def multi_head_attention(node: Node) -> Function:
    """MLX's scaled_dot_product_attention between projections."""
    layer: Any = node.layer
    size, sources, turn = layer.head(node.input_shape), layer.sources(len(node.inputs)), rotary(node)
    steps = node.input_shape[0]
    earlier = mx.tril(mx.ones((steps, steps))) > 0

    def attention(own: Arrays, *inputs: Any) -> Any:
        def projected(name: str, x: Any) -> Any:
            return affine(x, own[f"{name}_kernel"], own.get(f"{name}_bias"))

        def heads(name: str, x: Any) -> Any:
            return projected(name, x).reshape(*x.shape[:2], -1, size).swapaxes(1, 2)

        query, memory = inputs[0], inputs[sources - 1]
        q, k, v = turn(heads("query", query)), turn(heads("key", memory)), heads("value", memory)
        seen = (inputs[-1] != 0)[:, None, None] if layer.mask is not None else None
        if layer.causal:
            seen = earlier if seen is None else seen & earlier
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(size), mask=seen)
        return projected("output", y.swapaxes(1, 2).flatten(2))

    return attention


def rotary(node: Node) -> Function:
    """Turn pairs of `(rows, heads, steps, size)` by their step; nothing without a base."""
    layer: Any = node.layer
    if layer.rotary_base is None:
        return lambda x: x
    longest = max(shape[0] for shape in node.input_shapes[: layer.sources(len(node.inputs))])
    cosines, sines = map(mx.array, rotations(longest, layer.head(node.input_shape), layer.rotary_base))

    def turn(x: Any) -> Any:
        cos, sin = (table[: x.shape[2]].astype(x.dtype) for table in (cosines, sines))
        a, b = mx.split(x, 2, -1)
        return mx.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    return turn


def sinusoidal_positions(node: Node) -> Function:
    """Sines and cosines in turn."""
    layer: Any = node.layer
    steps, features = node.input_shape
    table = mx.array(sinusoids(steps, features, layer.base))
    return lambda own, x: x + table.astype(x.dtype)


LAYERS: Dict[str, Callable[[Any], Function]] = {
    "activation": activation, "dense": dense, "tied_dense": tied_dense, "prelu": prelu, "take": take,
    "embedding": lambda node: lambda own, x: own["embeddings"][x], "flatten": lambda node: lambda own, x: mx.flatten(x, 1),
    "reshape": lambda node: lambda own, x: x.reshape(-1, *node.output_shape),
    "permute": lambda node: lambda own, x: x.transpose(0, *node.layer.dims),
    "add": merge(mx.add), "multiply": merge(mx.multiply), "maximum": merge(larger), "average": average,
    "concatenate": concatenate, "dropout": masking, "spatial_dropout": masking, "gaussian_noise": gaussian_noise,
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": convolution, "conv2d_transpose": transposed,
    "max_pooling1d": max_pooling, "max_pooling2d": max_pooling,
    "average_pooling1d": average_pooling, "average_pooling2d": average_pooling,
    "global_average_pooling1d": global_average, "global_average_pooling2d": global_average,
    "global_max_pooling1d": global_max, "global_max_pooling2d": global_max,
    "up_sampling1d": up_sampling, "up_sampling2d": up_sampling, "zero_padding1d": zero_padding, "zero_padding2d": zero_padding,
    "cropping1d": cropping, "cropping2d": cropping,
    "batch_normalization": batch_inference, "layer_normalization": layer_normalization,
    "group_normalization": group_normalization, "instance_normalization": instance_normalization,
    "rms_normalization": rms_normalization, "simple_rnn": simple_rnn, "lstm": lstm, "gru": gru,
    "multi_head_attention": multi_head_attention, "position_embedding": lambda node: lambda own, x: x + own["embeddings"],
    "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip


def places(node: Node, parameter: Parameter) -> Any:
    """Where in its canonical array each number of MLX's stands: kernels of convolutions are `(out, *window, in)`."""
    layer: Any = node.layer
    at = numpy.arange(math.prod(parameter.shape)).reshape(parameter.shape)
    if "conv" not in layer.type or not parameter.name.endswith("kernel"):
        return at
    if layer.type == "depthwise_conv2d":
        return at.transpose(2, 3, 0, 1).reshape(-1, *layer.kernel, 1)
    if layer.type == "conv2d_transpose":
        return at.transpose(2, 0, 1, 3)
    return numpy.moveaxis(at, -1, 0)


# --- losses: each of outputs, targets and a reduction: "mean" or "sum" of everything, or "none" ---


def reduced(values: Any, reduction: str) -> Any:
    """Values as one number, or as they are."""
    return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()


def composed(function: Callable[[Any, Any], Any]) -> Callable[[Any], Function]:
    """A loss that MLX has not, of outputs and targets."""
    return lambda loss: lambda z, y, reduction: reduced(function(z, y), reduction)


def binary_cross_entropy(loss: Any) -> Function:
    """From logits, with smoothed targets."""
    share = loss.label_smoothing
    if not share:
        return lambda z, y, reduction: nn.losses.binary_cross_entropy(z, y, reduction=reduction)
    return lambda z, y, reduction: nn.losses.binary_cross_entropy(z, y * (1 - share) + share / 2, reduction=reduction)


def softmax_cross_entropy(loss: Any) -> Function:
    """From logits, against classes or rows of shares."""
    share = loss.label_smoothing
    return lambda z, y, reduction: nn.losses.cross_entropy(z, y, label_smoothing=share, reduction=reduction)


def kl_divergence(z: Any, y: Any) -> Any:
    """MLX's own takes logarithms of targets."""
    return (y * (mx.log(mx.where(y > 0, y, 1)) - z)).sum(-1)


def cosine_similarity(z: Any, y: Any) -> Any:
    """MLX's own limits the product of both norms."""
    sizes = [mx.maximum(mx.square(a).sum(-1), 1e-12) for a in (z, y)]
    return 1 - (z * y).sum(-1) * mx.rsqrt(sizes[0]) * mx.rsqrt(sizes[1])


def log_cosh(z: Any, y: Any) -> Any:
    """MLX's own has no digits of a small distance."""
    distance = z - y
    return distance + nn.softplus(-2 * distance) - math.log(2)


LOSSES: Dict[str, Callable[[Any], Function]] = {
    "mse": lambda loss: nn.losses.mse_loss,
    "mae": lambda loss: nn.losses.l1_loss,
    "huber": lambda loss: lambda z, y, reduction: nn.losses.huber_loss(z, y, loss.delta, reduction),
    "log_cosh": composed(log_cosh),
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": composed(kl_divergence),
    "cosine_similarity": composed(cosine_similarity),
    "poisson": composed(lambda z, y: mx.exp(z) - y * z),
    "hinge": lambda loss: nn.losses.hinge_loss,
    "perceptron": composed(lambda z, y: mx.where(y * z <= 0, -y * z, 0)),
}


def loss_function(spec: ProgramSpec) -> Function:
    """The loss of outputs, targets, and sample weights where the program has them; penalties not counted."""
    loss, terms_of = spec.loss, LOSSES[spec.loss.type](spec.loss)
    if not spec.weighted and loss.reduction != "sum":
        return lambda z, y: terms_of(z, y, "mean")
    return lambda z, y, weights=None: shared.reduced(loss, terms_of(z, y, "none"), weights)


def penalty(array: Any, l1: float, l2: float) -> Any:
    """From the factors of the sum of absolute values and of the sum of squares."""
    return l1 * mx.abs(array).sum() + l2 * mx.square(array).sum()


#: of the spec, and of the learning rate or a function of MLX's count of updates
OPTIMIZERS: Dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda o, rate: optimizers.SGD(rate, o.momentum, nesterov=o.nesterov),
    "adam": lambda o, rate: optimizers.Adam(rate, [o.beta_1, o.beta_2], o.epsilon, True),
    "adamw": lambda o, rate: optimizers.AdamW(rate, [o.beta_1, o.beta_2], o.epsilon, o.weight_decay, True),
    "adamax": lambda o, rate: optimizers.Adamax(rate, [o.beta_1, o.beta_2], o.epsilon),
    "rmsprop": lambda o, rate: optimizers.RMSprop(rate, o.rho, o.epsilon),
    "adagrad": lambda o, rate: optimizers.Adagrad(rate, o.epsilon),
    "adadelta": lambda o, rate: optimizers.AdaDelta(rate, o.rho, o.epsilon),
    "lion": lambda o, rate: optimizers.Lion(rate, [o.beta_1, o.beta_2]),
}
SLOTS = {
    "velocity": "v", "first_moment": "m", "second_moment": "v", "infinity_norm": "v", "mean_square": "v", "sum_of_squares": "v",
    "mean_square_update": "u",
}  # fmt: skip
#: made of exp or erf, which are float32's even of float64:
#: https://github.com/ml-explore/mlx/blob/v0.32.4/mlx/backend/cpu/simd/math.h
IN_FLOAT32 = (
    "sigmoid", "softmax", "log_softmax", "silu", "softplus", "mish", "lstm", "gru", "multi_head_attention",
    "binary_cross_entropy", "softmax_cross_entropy", "log_cosh", "poisson",
)  # fmt: skip


def in_float32(part: Any) -> bool:
    """Whether a layer, an activation or a loss is as accurate as float32 only; the approximate gelu is made of tanh."""
    return getattr(part, "type", None) in IN_FLOAT32 or not getattr(part, "approximate", True)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = ["this adapter uses MLX on the CPU only"] if device == "gpu" else []
    if spec.optimizer.type == "rmsprop" and "velocity" in active_slots(spec.optimizer):
        reasons.append("MLX's RMSprop has no momentum")
    layers = [node.layer for node in spec.nodes]
    parts = [spec.loss, *layers, *(getattr(layer, "activation", None) for layer in layers)]
    if dtype == "float64" and any(map(in_float32, parts)):
        reasons.append("MLX computes exp and erf of float64 to the accuracy of float32 only, and all that is made of them")
    if dtype == "float64" and any("conv" in layer.type for layer in layers):
        reasons.append("MLX's convolutions take no float64 on CPUs")
    return reasons + shared.unsupported(
        spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS, options=shared.OPTIONS
    )


def versions() -> Dict[str, Any]:
    """Versions of MLX and numpy."""
    return {"mlx": mx.__version__, "numpy": numpy.__version__}


class Program:
    """Parameters in a dict, and MLX's own optimizer; its beta ** step is float32 where step is an integer, so not in float64."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        mx.set_default_device(mx.cpu)
        mx.random.seed(0)  # of MLX's own dropout
        self.spec, self.dtype, self.kind, self.steps = spec, dtype, getattr(mx, dtype), 0
        self.every = spec.optimizer.gradient_accumulation_steps
        self.slots = [slot for slot in active_slots(spec.optimizer) if slot != "accumulated"]
        self.places = {item.name: places(node, item) for node in spec.nodes for item in node.parameters}
        self.calls = [(node, LAYERS[node.layer.type](node), arrays_of(node)) for node in spec.nodes]
        self.loss_of, self.loss_node, self.penalties = loss_function(spec), spec.loss_node, dict(spec.penalties)
        self.options = shared.used(spec)
        own = spec.optimizer
        rate = self.scheduled if own.schedule is not None or own.type == "adamax" else own.learning_rate
        self.optimizer = OPTIMIZERS[own.type](own, rate)
        wanted = (0, 2) if spec.integer_inputs else (0, 1, 2)
        self.differentiated, self.probed = mx.value_and_grad(self.loss), mx.value_and_grad(self.loss, wanted)

    def native(self, arrays: Arrays) -> Arrays:
        """Of every parameter, in MLX's layout."""
        return {name: mx.array(numpy.asarray(arrays[name]).ravel()[at], self.kind) for name, at in self.places.items()}

    def canonical(self, arrays: Arrays) -> Arrays:
        """The way back: numpy arrays."""
        found = {item.name: numpy.empty(item.shape, self.dtype) for item in self.spec.parameters}
        for name, array in found.items():
            array.flat[self.places[name]] = numpy.array(arrays[name])
        return found

    def load(self, state: State) -> None:
        self.parameters, self.steps = self.native(state.parameters), state.step
        self.statistics = {item.name: mx.array(state.statistics[item.name], self.kind) for item in self.spec.statistics}
        self.sums = self.native(state.slots["accumulated"]) if self.every > 1 else {}
        slots = {SLOTS[slot]: self.native(state.slots[slot]) for slot in self.slots}
        self.optimizer.init(self.parameters)
        self.optimizer.state["step"] = mx.array(state.step // self.every, mx.float64 if self.dtype == "float64" else mx.uint64)
        for name in self.parameters:
            self.optimizer.state[name] = {own: arrays[name] for own, arrays in slots.items()}

    def state(self) -> State:
        kept, names = self.optimizer.state, self.parameters
        slots = {slot: {name: kept[name][SLOTS[slot]] for name in names} for slot in self.slots}
        slots = {**slots, "accumulated": self.sums} if self.every > 1 else slots
        slots = {slot: self.canonical(arrays) for slot, arrays in slots.items()}
        return State(self.canonical(self.parameters), slots, self.steps, tree_map(numpy.array, self.statistics))

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: mx.array(array, getattr(mx, array.dtype.name)))

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def loss(self, parameters: Arrays, x: Any, taps: Any, y: Any, given: Sequence[Any]) -> Tuple[Any, Any]:
        """The loss with its penalties; every output, and the moved statistics."""
        weights, drawn = given[: self.spec.weighted], given[self.spec.weighted :]
        outputs, moved = self.outputs(parameters, x, drawn, taps)
        loss = self.loss_of(outputs[self.loss_node], y, *weights)
        for name, factors in self.penalties.items():
            loss = loss + penalty(parameters[name], *factors)
        return loss, (outputs, moved)

    def outputs(
        self, parameters: Arrays, x: Any, drawn: Sequence[Any], taps: Any = None, training: bool = True
    ) -> Tuple[List[Any], Arrays]:
        """Every node's output, and the statistics that this batch moved. Where nothing is drawn, training draws MLX's own."""
        found, moved, left = {INPUT: x}, {}, iter(drawn)
        held = {**parameters, **self.statistics}
        for place, (node, function, names) in enumerate(self.calls):
            inputs, own = [found[name] for name in node.inputs], {short: held[name] for short, name in names}
            if node.layer.random and (drawn or not training):
                y = shared.randomised(node, inputs[0], next(left)) if drawn else inputs[0]
            elif training and node.layer.type == "batch_normalization":
                y, after = batch_training(node, own, *inputs)
                moved.update(after)
            else:
                y = function(own, *inputs)
            found[node.name] = y if taps is None else y + taps[place]
        return [found[node.name] for node in self.spec.nodes], moved

    def step(self, x: Any, y: Any, *given: Any) -> Any:
        (loss, (_, moved)), gradients = self.differentiated(self.parameters, x, None, y, given)
        self.statistics.update(moved)
        self.update(gradients)
        self.steps += 1
        mx.eval(loss, self.parameters, self.optimizer.state, self.statistics, self.sums)
        return loss

    def update(self, gradients: Arrays) -> None:
        """Accumulate, clip, coupled decay, decoupled decay, MLX's rule."""
        o, parameters = self.spec.optimizer, self.parameters
        if self.every > 1:
            self.sums = tree_map(mx.add, self.sums, gradients)
            if (self.steps + 1) % self.every:
                return
            gradients = tree_map(lambda total: total / self.every, self.sums)
            self.sums = tree_map(mx.zeros_like, self.sums)
        if "clipping" in self.options:  # optimizers.clip_grad_norm adds 1e-6 to the norm
            gradients = dict(zip(gradients, clipped(o, list(gradients.values()), mx)))
        if o.coupled_decay:
            gradients = tree_map(lambda own, at: own + o.coupled_decay * at, gradients, parameters)
        if o.decoupled_decay and o.type != "adamw":
            factor = 1 - self.rate() * o.decoupled_decay
            parameters = tree_map(lambda at: at * factor, parameters)
        self.parameters = self.optimizer.apply_gradients(gradients, parameters)

    def rate(self) -> float:
        """The learning rate of the next update."""
        o = self.spec.optimizer
        return o.learning_rate * (1.0 if o.schedule is None else o.schedule.factor(self.steps // self.every))

    def scheduled(self, _: Any) -> Any:
        """The same for MLX, which would count in float32. Its Adamax does not correct m for the start at zero: the rate does."""
        o: Any = self.spec.optimizer
        correction = 1 - o.beta_1 ** (self.steps // self.every + 1) if o.type == "adamax" else 1.0
        return mx.array(self.rate() / correction, self.kind)

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        spec, names = self.spec, [node.name for node in self.spec.nodes]
        x, y, *given = self.stage([Batch(batch.inputs, batch.targets, shared.masked(spec, batch.masks), batch.weights)])[0]
        taps = [mx.zeros((len(x), *node.output_shape), self.kind) for node in spec.nodes]
        (loss, (outputs, _)), (gradients, *at_input, at_outputs) = self.probed(self.parameters, x, taps, y, given)
        outputs, at_outputs, at_input = tree_map(numpy.array, [outputs, at_outputs, at_input])
        own = dict(zip(names, at_outputs))
        return Probe(float(loss), dict(zip(names, outputs)), self.canonical(gradients), own, at_input[0] if at_input else None)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [numpy.array(self.outputs(self.parameters, batch[0], (), training=False)[0][-1]) for batch in staged]


def arrays_of(node: Node) -> List[Tuple[str, str]]:
    """Short and canonical names of a node's parameters and statistics, and of the table that it shares."""
    names = [item.name for item in node.parameters] + [item.name for item in node.statistics]
    return [(name.rpartition("/")[2], name) for name in names] + ([("table", node.table)] if node.table else [])
