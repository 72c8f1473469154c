"""PaddlePaddle: functions of its nn.functional over its parameters, its autograd (dygraph) and paddle.optimizer."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import partial, reduce
from itertools import chain
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy
import paddle
from paddle import nn, optimizer
from paddle.nn import functional as F  # noqa: N812
from paddle.utils import map_structure

from harness.interface import Arrays, Batch, Probe, State, Trace, rotations, shared, sinusoids
from harness.spec import INPUT, Node, Optimizer, Parameter, ProgramSpec, active_slots

REQUIRES = {"paddle": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {"rmsprop.epsilon": "inside", "rmsprop.momentum": "lr_velocity", "adamax.epsilon": "norm"}

#: what a node computes from what it reads
Function = Callable[..., Any]

# --- activations: each a function of its spec; paddle passes attributes like slopes to its kernels as float32 ---


def softplus(z: Any) -> Any:
    """Paddle's own returns z above its threshold, here where float64 does not see it either."""
    return F.softplus(z, threshold=40)


def selu(z: Any) -> Any:
    """Its own has both constants in float32 only."""
    left = 1.6732632423543772 * paddle.expm1(paddle.where(z > 0, paddle.zeros_like(z), z))
    return 1.0507009873554805 * paddle.where(z > 0, z, left)


ACTIVATIONS: Dict[str, Callable[[Any], Function]] = {
    "linear": lambda f: lambda z: z,
    "step": lambda f: lambda z: paddle.sign(F.relu(z)),  # a comparison has no gradient at all, this has the zero one
    "sigmoid": lambda f: F.sigmoid,
    "tanh": lambda f: F.tanh,
    "relu": lambda f: F.relu,
    "relu6": lambda f: F.relu6,
    "leaky_relu": lambda f: lambda z: paddle.where(z > 0, z, f.negative_slope * z),  # the gradient of its own at 0 is 1
    "silu": lambda f: lambda z: z * F.sigmoid(z),  # the gradient of its own at -90 is no number
    "softsign": lambda f: F.softsign,
    "elu": lambda f: partial(F.elu, alpha=f.alpha),
    "selu": lambda f: selu,
    "gelu": lambda f: partial(F.gelu, approximate=f.approximate),
    "softplus": lambda f: softplus,
    "hard_sigmoid": lambda f: lambda z: F.relu6(z + 3) / 6,  # its own has 1 / 6 in float32
    "hard_silu": lambda f: F.hardswish,
    "mish": lambda f: lambda z: z * paddle.tanh(softplus(z)),  # its own returns z above 20
    "softmax": lambda f: partial(F.softmax, axis=f.axis),
    "log_softmax": lambda f: partial(F.log_softmax, axis=f.axis),
}

# --- layers: each gives, for a node and the program that holds its tensors, the function of what the node reads ---

#: paddle's names for channels-last values, by their number of axes behind the rows
LAST = {1: "NC", 2: "NLC", 3: "NHWC"}


def flat(pads: Any) -> List[int]:
    """Before and behind each axis, one behind the other."""
    return list(chain.from_iterable(pads))


def dense(node: Node, net: Any) -> Function:
    """y = x W + b."""
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    return lambda x: F.linear(x, weight, bias)


def tied_dense(node: Node, net: Any) -> Function:
    """y = x E^T + b, E the embedding's table."""
    table, bias = net.parameters[node.table], net.get(node, "bias")
    return lambda x: F.linear(x, table.T, bias)


def embedding(node: Node, net: Any) -> Function:
    """Rows of a table."""
    table = net.get(node, "embeddings")
    return lambda x: F.embedding(x, table)


def prelu(node: Node, net: Any) -> Function:
    """One slope a channel, written out: the backward of paddle's own crashes over images that lie channels last."""
    alpha = net.get(node, "alpha")
    return lambda x: paddle.where(x > 0, x, alpha * x)


def reshape(node: Node, net: Any) -> Function:
    """Another shape."""
    shape = [-1, *node.output_shape]
    return lambda x: x.reshape(shape)


def permute(node: Node, net: Any) -> Function:
    """Axes in another order."""
    layer: Any = node.layer
    return lambda x: x.transpose([0, *layer.dims])


def take(node: Node, net: Any) -> Function:
    """Places along an axis."""
    layer: Any = node.layer
    places, axis = layer.places(node.input_shape), layer.axis
    if isinstance(layer.indices, int):
        return lambda x: x[(slice(None),) * axis + places]
    indices = paddle.to_tensor(places)
    return lambda x: paddle.index_select(x, indices, axis)


def larger(a: Any, b: Any) -> Any:
    """The gradient goes to the first of equal ones; paddle.maximum splits it."""
    return paddle.where(a >= b, a, b)


def merge(function: Function) -> Callable[[Node, Any], Function]:
    """All inputs by one function of two, from left to right."""
    return lambda node, net: lambda *inputs: reduce(function, inputs)


def average(node: Node, net: Any) -> Function:
    """(a + b + ...) / count."""
    return lambda *inputs: reduce(paddle.add, inputs) / len(inputs)


def concatenate(node: Node, net: Any) -> Function:
    """One behind the other."""
    layer: Any = node.layer
    axis = layer.place(node.input_shape)
    return lambda *inputs: paddle.concat(inputs, axis)


def dropout(node: Node, net: Any) -> Function:
    """Of single values."""
    layer: Any = node.layer
    return lambda x: F.dropout(x, layer.rate, training=net.training)


def spatial_dropout(node: Node, net: Any) -> Function:
    """Of whole channels."""
    layer: Any = node.layer
    axes = [0, len(node.input_shape)]
    return lambda x: F.dropout(x, layer.rate, axes, net.training)


def gaussian_noise(node: Node, net: Any) -> Function:
    """Normal numbers added."""
    layer: Any = node.layer
    return lambda x: x + layer.stddev * paddle.randn(x.shape, x.dtype) if net.training else x


def convolution(node: Node, net: Any) -> Function:
    """In a depthwise one each channel is a group."""
    layer: Any = node.layer
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    groups = node.input_shape[-1] if layer.type == "depthwise_conv2d" else layer.groups
    own = (flat(layer.pads(node.input_shape)), layer.dilation, groups, LAST[layer.rank + 1])
    function = F.conv1d if layer.rank == 1 else F.conv2d
    return lambda x: function(x, weight, bias, layer.stride, *own)


def transposed(node: Node, net: Any) -> Function:
    """Paddle cuts `padding` off both ends and adds `output_padding` behind."""
    layer: Any = node.layer
    weight, bias = net.get(node, "kernel"), net.get(node, "bias")
    padding, more = [], []
    for size, one, reach, (before, _), length in zip(
        node.input_shape, layer.stride, layer.reach, layer.pads(node.input_shape), node.output_shape
    ):
        behind = (size - 1) * one + reach - before - length
        padding += [before, max(behind, 0)]
        more.append(max(-behind, 0))
    own = {"dilation": layer.dilation, "data_format": "NHWC"}
    return lambda x: F.conv2d_transpose(x, weight, bias, layer.stride, padding, more, **own)


def image(node: Node, function: Function) -> Function:
    """A function of images, of steps too: images of height one."""
    return function if len(node.input_shape) == 3 else lambda x: function(x.unsqueeze(1)).squeeze(1)


def pooling(node: Node, net: Any) -> Function:
    """Over images, as only those may lie channels last. Counted padding is done before: paddle divides by less at the end."""
    layer: Any = node.layer
    one, none = ((1,), [0, 0]) if layer.rank == 1 else ((), [])
    pads = none + flat(layer.pads(node.input_shape))
    own = {"kernel_size": [*one, *layer.window], "stride": [*one, *layer.stride], "data_format": "NHWC"}
    if layer.type.startswith("max"):
        return image(node, partial(F.max_pool2d, padding=pads, **own))
    if not layer.count_padding:
        return image(node, partial(F.avg_pool2d, padding=pads, **own))
    before = [*pads[2:], *pads[:2]]  # the last axis first
    return image(node, lambda x: F.avg_pool2d(F.pad(x, before, data_format="NHWC"), **own))


def global_average(node: Node, net: Any) -> Function:
    """The mean of all places."""
    axes = list(range(1, len(node.input_shape)))
    return lambda x: x.mean(axes)


def global_max(node: Node, net: Any) -> Function:
    """One window: paddle.max splits its gradient."""
    window = [1, *node.input_shape[:-1]][-2:]
    pooled = image(node, lambda x: F.max_pool2d(x, window, data_format="NHWC"))
    return lambda x: pooled(x).flatten(1)


def up_sampling(node: Node, net: Any) -> Function:
    """Each axis several times as long."""
    layer: Any = node.layer
    if getattr(layer, "interpolation", "nearest") == "bilinear":
        own = {"mode": "bilinear", "align_corners": False, "align_mode": 0, "data_format": "NHWC"}  # half-pixel centres
        return partial(F.interpolate, scale_factor=list(layer.factors), **own)

    def repeated(x: Any) -> Any:
        for axis, factor in enumerate(layer.factors, 1):
            x = paddle.repeat_interleave(x, factor, axis)
        return x

    return repeated


def zero_padding(node: Node, net: Any) -> Function:
    """Paddle names the last axis first."""
    layer: Any = node.layer
    sides = flat(reversed(layer.pads(node.input_shape)))
    return lambda x: F.pad(x, sides, data_format=LAST[layer.rank + 1])


def cropping(node: Node, net: Any) -> Function:
    """Places cut off, a view."""
    layer: Any = node.layer
    lengths = zip(layer.cuts(node.input_shape), node.output_shape)
    kept = (slice(None), *(slice(before, before + length) for (before, _), length in lengths))
    return lambda x: x[kept]


def gamma_and_beta(node: Node, net: Any) -> Tuple[Any, Any]:
    """Both or none: with one alone, paddle's kernels lose its gradient or that of x. The other has to have a gradient as well,
    which nothing reads."""
    gamma, beta = net.get(node, "gamma"), net.get(node, "beta")
    if (gamma is None) == (beta is None):
        return gamma, beta
    absent = net.constant(numpy.full(node.input_shape[-1:], gamma is None))
    absent.stop_gradient = False
    return (absent, beta) if gamma is None else (gamma, absent)


def batch_normalization(node: Node, net: Any) -> Function:
    """Over the batch and all places; in training it moves the statistics."""
    layer: Any = node.layer
    mean, variance = net.get(node, "moving_mean"), net.get(node, "moving_variance")
    gamma, beta = gamma_and_beta(node, net)
    own = (layer.momentum, layer.epsilon, LAST[len(node.input_shape)])
    return lambda x: F.batch_norm(x, mean, variance, gamma, beta, net.training, *own)


def layer_normalization(node: Node, net: Any) -> Function:
    """Over the last axis."""
    layer: Any = node.layer
    gamma, beta, channels = net.get(node, "gamma"), net.get(node, "beta"), node.input_shape[-1:]
    return lambda x: F.layer_norm(x, channels, gamma, beta, layer.epsilon)


def group_normalization(node: Node, net: Any) -> Function:
    """Over groups of channels and all places, which there have to be."""
    layer: Any = node.layer
    gamma, beta = gamma_and_beta(node, net)

    def normed(x: Any) -> Any:
        return F.group_norm(x, layer.groups, layer.epsilon, gamma, beta, LAST[x.ndim - 1])

    return normed if len(node.input_shape) > 1 else lambda x: normed(x.unsqueeze(1)).squeeze(1)


def instance_normalization(node: Node, net: Any) -> Function:
    """Over all places. Paddle takes channels as the second axis, and its backward fails where no gradient is wanted at x."""
    layer: Any = node.layer
    gamma, beta = gamma_and_beta(node, net)

    def normed(x: Any) -> Any:
        x = x.moveaxis(-1, 1)
        if x.stop_gradient and net.training:
            x.stop_gradient = False
        return F.instance_norm(x, weight=gamma, bias=beta, eps=layer.epsilon).moveaxis(1, -1)

    return normed


def rms_normalization(node: Node, net: Any) -> Function:
    """Written out: on CPUs paddle has no kernel for its rms_norm."""
    layer: Any = node.layer
    gamma = net.get(node, "gamma")

    def normed(x: Any) -> Any:
        y = x * paddle.rsqrt(x.square().mean(-1, keepdim=True) + layer.epsilon)
        return y if gamma is None else y * gamma

    return normed


def recurrence(node: Node, net: Any) -> Function:
    """Paddle's kernel behind nn.SimpleRNN, nn.LSTM and nn.GRU, as those register two biases; what is absent is zero (with a
    gradient, or its backward fails). It runs over `(steps, rows, features)`."""
    layer: Any = node.layer
    kernels, bias = [net.get(node, "kernel"), net.get(node, "recurrent_kernel")], net.get(node, "bias")
    zero = paddle.zeros([layer.gates * layer.units], net.dtype)
    zero.stop_gradient = False
    sizes = (0.0, False, node.input_shape[-1], layer.units, 1)  # no dropout, one direction, one layer
    mode = {"lstm": "LSTM", "gru": "GRU"}.get(layer.type) or f"RNN_{layer.activation.upper()}"
    unused = paddle.empty([0], "uint8")

    def run(x: Any) -> Any:
        biases = [zero, zero] if bias is None else [*bias] if bias.ndim == 2 else [bias, zero]
        start = [paddle.zeros([1, len(x), layer.units], x.dtype)] * (2 if mode == "LSTM" else 1)
        x = x.transpose([1, 0, 2])
        x = x.flip(0) if layer.go_backwards else x
        outputs, _, (last, *_) = paddle._C_ops.rnn(x, start, [*kernels, *biases], None, unused, *sizes, mode, 0, not net.training)
        if not layer.return_sequences:
            return last[0]
        return (outputs.flip(0) if layer.go_backwards else outputs).transpose([1, 0, 2])

    return run


def gru(node: Node, net: Any) -> Function:
    """Paddle's own has reset_after alone, so the other is written out."""
    layer: Any = node.layer
    if layer.reset_after:
        return recurrence(node, net)
    kernel, recurrent, bias = (net.get(node, name) for name in ("kernel", "recurrent_kernel", "bias"))

    def run(x: Any) -> Any:
        gates, candidate = recurrent.split([2 * layer.units, layer.units], 1)
        h, outputs = paddle.zeros([len(x), layer.units], x.dtype), []
        steps = F.linear(x, kernel, bias).unbind(1)
        for at in reversed(steps) if layer.go_backwards else steps:
            z, r, new = at.split(3, 1)
            of_z, of_r = (h @ gates).split(2, 1)
            z, r = F.sigmoid(z + of_z), F.sigmoid(r + of_r)
            h = z * h + (1 - z) * paddle.tanh(new + (r * h) @ candidate)
            outputs.append(h)
        if not layer.return_sequences:
            return h
        return paddle.stack(outputs[::-1] if layer.go_backwards else outputs, 1)

    return run


def multi_head_attention(node: Node, net: Any) -> Function:
    """Paddle's scaled_dot_product_attention between projections of its own."""
    layer: Any = node.layer
    names, size = ("query", "key", "value", "output"), layer.head(node.input_shape)
    of_query, of_key, of_value, of_output = (
        partial(F.linear, weight=net.get(node, f"{name}_kernel"), bias=net.get(node, f"{name}_bias")) for name in names
    )
    sources, turn = layer.sources(len(node.inputs)), rotary(node, net)
    steps = node.input_shape[0]
    earlier = paddle.ones([steps, steps], "bool").tril() if layer.causal and layer.mask is not None else None

    def attention(query: Any, *more: Any) -> Any:
        memory = (query, *more)[sources - 1]
        q, k, v = (x.reshape([len(x), x.shape[1], -1, size]) for x in (of_query(query), of_key(memory), of_value(memory)))
        seen = None if layer.mask is None else (more[-1] != 0)[:, None, None]
        seen = seen if earlier is None else seen & earlier
        y = F.scaled_dot_product_attention(turn(q), turn(k), v, seen, is_causal=layer.causal and seen is None)
        return of_output(y.flatten(2))

    return attention


def rotary(node: Node, net: Any) -> Function:
    """Turn pairs of `(rows, steps, heads, size)` by their step; nothing without a base."""
    layer: Any = node.layer
    if layer.rotary_base is None:
        return lambda x: x
    longest = max(shape[0] for shape in node.input_shapes[: layer.sources(len(node.inputs))])
    tables = rotations(longest, layer.head(node.input_shape), layer.rotary_base)
    cosines, sines = (net.constant(table[:, None]) for table in tables)

    def turn(x: Any) -> Any:
        (a, b), count = x.chunk(2, -1), x.shape[1]
        cos, sin = cosines[:count], sines[:count]
        return paddle.concat([a * cos - b * sin, b * cos + a * sin], -1)

    return turn


def position_embedding(node: Node, net: Any) -> Function:
    """One learned vector a step."""
    table = net.get(node, "embeddings")
    return lambda x: x + table


def sinusoidal_positions(node: Node, net: Any) -> Function:
    """Sines and cosines in turn."""
    layer: Any = node.layer
    steps, features = node.input_shape
    table = net.constant(sinusoids(steps, features, layer.base))
    return lambda x: x + table


LAYERS: Dict[str, Callable[[Any, Any], Function]] = {
    "activation": lambda node, net: ACTIVATIONS[node.layer.activation.type](node.layer.activation),
    "dense": dense, "tied_dense": tied_dense, "embedding": embedding, "prelu": prelu,
    "flatten": lambda node, net: lambda x: x.flatten(1), "reshape": reshape, "permute": permute, "take": take,
    "add": merge(paddle.add), "multiply": merge(paddle.multiply), "maximum": merge(larger), "average": average,
    "concatenate": concatenate, "dropout": dropout, "spatial_dropout": spatial_dropout, "gaussian_noise": gaussian_noise,
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": convolution, "conv2d_transpose": transposed,
    "max_pooling1d": pooling, "max_pooling2d": pooling, "average_pooling1d": pooling, "average_pooling2d": pooling,
    "global_average_pooling1d": global_average, "global_average_pooling2d": global_average,
    "global_max_pooling1d": global_max, "global_max_pooling2d": global_max,
    "up_sampling1d": up_sampling, "up_sampling2d": up_sampling, "zero_padding1d": zero_padding, "zero_padding2d": zero_padding,
    "cropping1d": cropping, "cropping2d": cropping,
    "batch_normalization": batch_normalization, "layer_normalization": layer_normalization,
    "group_normalization": group_normalization, "instance_normalization": instance_normalization,
    "rms_normalization": rms_normalization, "simple_rnn": recurrence, "lstm": recurrence, "gru": gru,
    "multi_head_attention": multi_head_attention, "position_embedding": position_embedding,
    "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip


def places(node: Node, parameter: Parameter) -> Any:
    """Where in its canonical array each number of paddle's tensor stands: kernels of convolutions, and of the recurrences that
    paddle has, lie the other way round, and the gates of a GRU are r, z, h."""
    layer: Any = node.layer
    at, kernel = numpy.arange(math.prod(parameter.shape)).reshape(parameter.shape), parameter.name.endswith("kernel")
    if layer.type == "depthwise_conv2d" and kernel:
        return at.transpose(2, 3, 0, 1).reshape(-1, 1, *layer.kernel)
    if "conv" in layer.type and kernel:
        return numpy.moveaxis(at, (-1, -2), (0, 1))
    if layer.type == "gru" and layer.reset_after:
        at = at.reshape(*at.shape[:-1], 3, layer.units)[..., [1, 0, 2], :].reshape(at.shape)
    elif layer.type not in ("simple_rnn", "lstm"):
        return at
    return at.T if kernel else at


# --- losses: each of outputs, targets and a reduction: "mean" or "sum" of everything, or "none" ---


def reduced(values: Any, reduction: str) -> Any:
    """Values as one number, or as they are."""
    return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()


def composed(function: Callable[[Any, Any, Any], Any]) -> Callable[[Any], Function]:
    """A loss that paddle has not, from the spec's, outputs and targets."""
    return lambda loss: lambda z, y, reduction: reduced(function(loss, z, y), reduction)


def log_cosh(loss: Any, z: Any, y: Any) -> Any:
    """log(cosh(z - y))."""
    return z - y + softplus(-2 * (z - y)) - math.log(2)


def binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """Paddle's own is wrong at z = 0: https://github.com/PaddlePaddle/Paddle/issues/64253."""
    share = loss.label_smoothing
    if not share:
        return -F.log_sigmoid((2 * y - 1) * z)
    y = y * (1 - share) + share / 2
    return -(y * F.log_sigmoid(z) + (1 - y) * F.log_sigmoid(-z))


def softmax_cross_entropy(loss: Any) -> Function:
    """From logits, against classes or rows of shares. Paddle smooths in float32."""
    share = loss.label_smoothing

    def terms(z: Any, y: Any, reduction: str) -> Any:
        if share:
            hot = y if y.ndim == z.ndim else F.one_hot(y, z.shape[-1]).astype(z.dtype)
            y = hot * (1 - share) + share / z.shape[-1]
        found = F.cross_entropy(z, y, reduction=reduction, soft_label=y.ndim == z.ndim)
        return found.reshape(z.shape[:-1]) if reduction == "none" else found

    return terms


def cosine_similarity(loss: Any, z: Any, y: Any) -> Any:
    """Paddle's own limits the product of both norms."""
    sizes = [(a * a).sum(-1).clip(min=1e-12) for a in (z, y)]
    return 1 - (z * y).sum(-1) * paddle.rsqrt(sizes[0]) * paddle.rsqrt(sizes[1])


LOSSES: Dict[str, Callable[[Any], Function]] = {
    "mse": lambda loss: F.mse_loss,
    "mae": lambda loss: F.l1_loss,
    "huber": lambda loss: partial(F.smooth_l1_loss, delta=loss.delta, is_huber=True),
    "log_cosh": composed(log_cosh),
    "binary_cross_entropy": composed(binary_cross_entropy),
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": composed(lambda loss, z, y: F.kl_div(z, y, "none").sum(-1)),
    "cosine_similarity": composed(cosine_similarity),
    "poisson": lambda loss: lambda z, y, reduction: F.poisson_nll_loss(z, y, log_input=True, full=False, reduction=reduction),
    "hinge": composed(lambda loss, z, y: F.relu(1 - y * z)),
    # relu's gradient at 0 is 0
    "perceptron": composed(lambda loss, z, y: paddle.where(y * z <= 0, -y * z, paddle.zeros_like(z))),
}


def loss_function(spec: ProgramSpec) -> Function:
    """The loss of outputs, targets, and sample weights where the program has them; penalties not counted."""
    loss, terms_of = spec.loss, LOSSES[spec.loss.type](spec.loss)
    if not spec.weighted and loss.reduction != "sum":
        return lambda z, y: terms_of(z, y, "mean")
    return lambda z, y, weights=None: shared.reduced(loss, terms_of(z, y, "none"), weights)


def penalty(tensor: Any, l1: float, l2: float) -> Any:
    """From the factors of the sum of absolute values and of the sum of squares."""
    return l1 * tensor.abs().sum() + l2 * tensor.square().sum()


# --- optimizers: paddle's class and its options, from the spec ---


def moments(s: Any) -> Dict[str, float]:
    """What all of Adam's kind take."""
    return {"beta1": s.beta_1, "beta2": s.beta_2, "epsilon": s.epsilon}


OPTIMIZERS: Dict[str, Callable[[Any], Any]] = {
    "sgd": lambda s: partial(optimizer.Momentum, momentum=s.momentum, use_nesterov=s.nesterov) if s.momentum else optimizer.SGD,
    "adam": lambda s: partial(optimizer.Adam, **moments(s)),
    "adamw": lambda s: partial(optimizer.AdamW, **moments(s)),
    "nadam": lambda s: partial(optimizer.NAdam, **moments(s), momentum_decay=4e-3),
    "adamax": lambda s: partial(optimizer.Adamax, **moments(s)),
    "rmsprop": lambda s: partial(optimizer.RMSProp, rho=s.rho, epsilon=s.epsilon, momentum=s.momentum),
    "adagrad": lambda s: partial(optimizer.Adagrad, epsilon=s.epsilon),
    "adadelta": lambda s: partial(optimizer.Adadelta, rho=s.rho, epsilon=s.epsilon),
    "lamb": lambda s: partial(optimizer.Lamb, always_adapt=True, **moments(s)),
}
#: canonical slot -> paddle's, by optimizer
MOMENTS = {"first_moment": "moment1", "second_moment": "moment2"}
SLOTS: Dict[str, Dict[str, str]] = {
    **dict.fromkeys(("adam", "adamw", "nadam", "lamb"), MOMENTS),
    "sgd": {"velocity": "velocity"},
    "adamax": {"first_moment": "moment", "infinity_norm": "inf_norm"},
    "rmsprop": {"mean_square": "mean_square", "velocity": "momentum"},
    "adagrad": {"sum_of_squares": "moment"},
    "adadelta": {"mean_square": "_avg_squared_grad", "mean_square_update": "_avg_squared_update"},
}


def clipping(s: Optimizer) -> Optional[Any]:
    """Paddle's own; its ClipGradByNorm has no float64 on CPUs, see Update.clip_each."""
    if s.clip_value is not None:
        return nn.ClipGradByValue(s.clip_value)
    return None if s.global_clip_norm is None else nn.ClipGradByGlobalNorm(s.global_clip_norm)


def counters(s: Any, updates: int) -> Dict[str, float]:
    """What paddle counts in powers, by its names: of Adam's betas for the update to come, NAdam's for the last."""
    if s.type == "nadam":
        shares = (s.beta_1 * (1 - 0.5 * 0.96 ** (0.004 * count)) for count in range(1, updates + 1))
        return {"momentum_decay_pow": 0.96**updates, "beta2_pow": s.beta_2**updates, "mu_product": math.prod(shares)}
    betas = {"beta1": getattr(s, "beta_1", 0.0), "beta2": getattr(s, "beta_2", 0.0)}
    return {f"{name}_pow_acc": beta ** (updates + 1) for name, beta in betas.items()}


class Update:
    """From gradients, which stay where they are until the update that they belong to, to parameters.

    Attributes:
        steps: taken so far.
        every: steps of one update.
        slots: canonical name -> parameter's name -> paddle's tensor; of an unfinished update it is the gradient itself.
    """

    def __init__(self, spec: Optimizer, parameters: Arrays) -> None:
        self.spec, self.parameters, self.steps, self.every = spec, parameters, 0, spec.gradient_accumulation_steps
        decay = {"lamb": {"lamb_weight_decay": spec.weight_decay}, "adamw": {"weight_decay": spec.weight_decay}}
        options = {"grad_clip": clipping(spec), **decay.get(spec.type, {"weight_decay": spec.coupled_decay or None})}
        tensors = list(parameters.values())
        self.optimizer = OPTIMIZERS[spec.type](spec)(learning_rate=spec.learning_rate, parameters=tensors, **options)
        self.optimizer.apply_gradients([(at, paddle.zeros_like(at)) for at in tensors])  # the first step makes the slots
        self.kept, names = self.optimizer.state_dict(), SLOTS[spec.type]
        self.slots = {
            slot: {name: self.kept[f"{at.name}_{names[slot]}_0"] for name, at in parameters.items()}
            for slot in active_slots(spec)
            if slot != "accumulated"
        }
        self.parts = [part for needed, part in self.in_order() if needed]

    def in_order(self) -> List[Tuple[bool, Callable[[], Any]]]:
        """What an update does, and whether it is needed."""
        decoupled = bool(self.spec.decoupled_decay) and self.spec.type != "adamw"
        return [
            (self.every > 1, self.average),
            (self.spec.clip_norm is not None, self.clip_each),
            (self.spec.schedule is not None, self.schedule),
            (decoupled, self.shrink),
            (True, self.optimizer.step),
            (True, partial(self.optimizer.clear_grad, set_to_zero=False)),
        ]

    def __call__(self) -> None:
        self.steps += 1
        if self.steps % self.every == 0:
            for part in self.parts:
                part()

    def average(self) -> None:
        for at in self.parameters.values():
            at.grad = at.grad / self.every

    def clip_each(self) -> None:
        for at in self.parameters.values():
            at.grad = at.grad * (self.spec.clip_norm / at.grad.norm()).clip(max=1.0)

    def schedule(self) -> None:
        schedule: Any = self.spec.schedule
        self.optimizer.set_lr(self.spec.learning_rate * schedule.factor(self.steps // self.every - 1))

    @paddle.no_grad()  # type: ignore[untyped-decorator]
    def shrink(self) -> None:
        factor = 1 - self.optimizer.get_lr() * self.spec.decoupled_decay
        for at in self.parameters.values():
            at.scale_(factor)

    def load(self, steps: int, slots: Arrays) -> None:
        """Take slots in, canonical name -> parameter's name -> array in paddle's layout."""
        self.steps = steps
        for slot, tensors in self.slots.items():
            for name, tensor in tensors.items():
                tensor.set_value(slots[slot][name])
        counts = counters(self.spec, steps // self.every)
        for key, tensor in self.kept.items():
            for value in [value for name, value in counts.items() if key.endswith(f"{name}_0")]:
                tensor.set_value(paddle.full_like(tensor, value))
        for name, array in slots.get("accumulated", {}).items():
            self.parameters[name].grad = paddle.to_tensor(array)

    def sums(self) -> Arrays:
        """Of the gradients of an unfinished update, copied."""
        return {name: gradient(at).clone() for name, at in self.parameters.items()} if self.every > 1 else {}

    def state(self) -> Arrays:
        """The active slots, as `load` takes them."""
        return {**self.slots, "accumulated": self.sums()} if self.every > 1 else self.slots


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "paddle's package for CPUs")
    return reasons + shared.unsupported(
        spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS, options=shared.OPTIONS
    )


def versions() -> Dict[str, Any]:
    """Versions of paddle and numpy."""
    return {"paddle": paddle.__version__, "numpy": numpy.__version__, "mkl": paddle.version.mkl()}


class Program:
    """Parameters, statistics and the optimizer's slots, as tensors by canonical name, and a function for every node."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        paddle.seed(0)  # of paddle's own dropout
        self.spec, self.dtype, self.training = spec, dtype, True
        self.places = {item.name: places(node, item) for node in spec.nodes for item in node.parameters}
        self.parameters = {name: paddle.create_parameter(list(at.shape), dtype) for name, at in self.places.items()}
        self.statistics = {item.name: paddle.zeros(item.shape, dtype) for item in spec.statistics}
        self.calls = [(node, LAYERS[node.layer.type](node, self)) for node in spec.nodes]
        self.loss, self.loss_node, self.penalties = loss_function(spec), spec.loss_node, dict(spec.penalties)
        self.update = Update(spec.optimizer, self.parameters)

    def get(self, node: Node, short: str) -> Optional[Any]:
        """A tensor of a node; None where it has none of that name."""
        name = f"{node.name}/{short}"
        return self.parameters.get(name, self.statistics.get(name))

    def constant(self, array: Any) -> Any:
        """A table of numbers that nothing learns."""
        return paddle.to_tensor(numpy.asarray(array, self.dtype))

    def native(self, arrays: Arrays) -> Arrays:
        """Of every parameter, in paddle's layout."""
        return {name: numpy.asarray(arrays[name], self.dtype).ravel()[at] for name, at in self.places.items()}

    def canonical(self, tensors: Arrays) -> Arrays:
        """The way back: numpy arrays."""
        found = {item.name: numpy.empty(item.shape, self.dtype) for item in self.spec.parameters}
        for name, array in found.items():
            array.flat[self.places[name]] = numpy.array(tensors[name])
        return found

    def load(self, state: State) -> None:
        for name, array in self.native(state.parameters).items():
            self.parameters[name].set_value(array)
        for name, tensor in self.statistics.items():
            tensor.set_value(numpy.asarray(state.statistics[name], self.dtype))
        self.update.load(state.step, {slot: self.native(arrays) for slot, arrays in state.slots.items()})

    def state(self) -> State:
        slots = {slot: self.canonical(tensors) for slot, tensors in self.update.state().items()}
        statistics = map_structure(numpy.array, self.statistics)
        return State(self.canonical(self.parameters), slots, self.update.steps, statistics)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, paddle.to_tensor)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def outputs(self, x: Any, drawn: Sequence[Any], apart: bool = False) -> List[Any]:
        """Every node's output; each a tensor of its own in autograd's graph where they are wanted `apart`."""
        found, left = {INPUT: x}, iter(drawn)
        for node, function in self.calls:
            inputs = [found[name] for name in node.inputs]
            y = shared.randomised(node, inputs[0], next(left)) if drawn and node.layer.random else function(*inputs)
            found[node.name] = y.clone() if apart else y
        return [found[node.name] for node in self.spec.nodes]

    def losses(self, outputs: List[Any], y: Any, weights: Sequence[Any]) -> Any:
        """The loss with its penalties."""
        loss = self.loss(outputs[self.loss_node], y, *weights)
        for name, factors in self.penalties.items():
            loss = loss + penalty(self.parameters[name], *factors)
        return loss

    def step(self, x: Any, y: Any, *given: Any) -> Any:
        weights, drawn = given[: self.spec.weighted], given[self.spec.weighted :]
        loss = self.losses(self.outputs(x, drawn), y, weights)
        loss.backward()
        self.update()
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        spec = self.spec
        x, y, *given = self.stage([Batch(batch.inputs, batch.targets, shared.masked(spec, batch.masks), batch.weights)])[0]
        x.stop_gradient = spec.integer_inputs
        with self.unchanged():
            values = self.outputs(x, given[spec.weighted :], apart=True)
            outputs = {node.name: value for node, value in zip(spec.nodes, values)}
            for output in values:
                output.retain_grads()
            loss = self.losses(values, y, given[: spec.weighted])
            loss.backward()  # paddle.grad would fail at recurrences, see there
            gradients = self.canonical({name: gradient(at) for name, at in self.parameters.items()})
        at_outputs = {name: numpy.array(gradient(output)) for name, output in outputs.items()}
        at_input = None if spec.integer_inputs else numpy.array(gradient(x))
        return Probe(float(loss), map_structure(numpy.array, outputs), gradients, at_outputs, at_input)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Inside there are no gradients yet; behind it statistics and gradients are as before."""
        statistics, sums = map_structure(paddle.clone, self.statistics), self.update.sums()
        self.update.optimizer.clear_grad(set_to_zero=False)
        yield
        self.update.optimizer.clear_grad(set_to_zero=False)
        for name, tensor in self.statistics.items():
            tensor.set_value(statistics[name])
        for name, tensor in sums.items():
            self.parameters[name].grad = tensor

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        self.training = False
        with paddle.no_grad():
            found = [numpy.array(self.outputs(batch[0], ())[-1]) for batch in staged]
        self.training = True
        return found


def gradient(tensor: Any) -> Any:
    """At a tensor; zeros where the loss does not depend on it."""
    return paddle.zeros_like(tensor) if tensor.grad is None else tensor.grad
