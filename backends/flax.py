"""Flax: nnx modules and nnx.Optimizer with optax, put together inside a jitted step to which their arrays are donated."""

from __future__ import annotations

from collections import Counter
from functools import partial, reduce
from timeit import timeit
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import flax
import jax
import jax.numpy as jnp
import numpy
import optax
from flax import nnx
from flax.nnx.nn.attention import dot_product_attention_weights
from jax import lax

from harness.interface import Batch, Probe, State, Trace, flat_state, nested_state, rotations, shared, sinusoids
from harness.spec import INPUT, Node, ProgramSpec, active_slots

REQUIRES = {"flax": "", "optax": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
#: optax's
FORMS: Dict[str, str] = {
    "rmsprop.momentum": "lr_velocity", "adagrad.epsilon": "inside", "adamax.epsilon": "norm", "nadam.schedule": "constant",
}  # fmt: skip

Options = Dict[str, Any]
Path = Tuple[Any, ...]
Function = Callable[..., Any]

PLAIN = ("sigmoid", "tanh", "relu", "relu6", "selu", "silu", "softplus", "hard_sigmoid", "hard_silu", "mish")
ACTIVATIONS: Dict[str, Callable[[Any], Function]] = {  # of the spec
    **{name: partial(lambda function, f: function, getattr(jax.nn, name)) for name in PLAIN}, "linear": lambda f: nnx.identity,
    "step": lambda f: lambda z: jnp.heaviside(z, 0), "softsign": lambda f: nnx.soft_sign,
    "leaky_relu": lambda f: lambda z: jnp.where(z > 0, z, f.negative_slope * z),  # nnx's own has gradient 1 at 0
    "elu": lambda f: partial(nnx.elu, alpha=f.alpha), "gelu": lambda f: partial(nnx.gelu, approximate=f.approximate),
    "softmax": lambda f: partial(nnx.softmax, axis=f.axis), "log_softmax": lambda f: partial(nnx.log_softmax, axis=f.axis),
}  # fmt: skip

# --- layers: each gives, for a node and the options that all modules share, a module or a function of what the node reads ---


class Own(nnx.Module):  # type: ignore[misc]
    """The spec's parameters under its own names, and a function of them and of what the node reads."""

    def __init__(self, function: Function, node: Node, options: Options) -> None:
        self.function = function
        for item in node.parameters:
            setattr(self, item.name.rsplit("/", 1)[1], nnx.Param(jnp.zeros(item.shape, options["param_dtype"])))

    def __call__(self, *inputs: Any) -> Any:
        return self.function(self, *inputs)


def own(function: Function) -> Function:
    """A layer of the spec's parameters."""
    return partial(Own, function)


def dense(n: Any, o: Options) -> Any:
    """Over one axis or several."""
    return nnx.Linear(n.input_shape[-1], n.layer.units, use_bias=n.layer.use_bias, kernel_init=nnx.initializers.zeros, **o)


def tied_dense(own: Any, x: Any, table: Any) -> Any:
    """The embedding's module is the second thing that it reads."""
    y = table.attend(x)
    return y + own.bias if hasattr(own, "bias") else y


def take(n: Any, o: Options) -> Function:
    """One place of an axis, or several."""
    places, axis = n.layer.places(n.input_shape), n.layer.axis
    if isinstance(n.layer.indices, int):
        return lambda x: lax.index_in_dim(x, places[0], axis, keepdims=False)
    return lambda x: jnp.take(x, jnp.array(places), axis, unique_indices=True)


def larger(a: Any, b: Any) -> Any:
    """The gradient goes to the first of equal ones, where jnp.maximum splits it."""
    return jnp.where(a >= b, a, b)


def merge(function: Function) -> Function:
    """All inputs by one function of two, from left to right."""
    return lambda n, o: lambda *inputs: reduce(function, inputs)


class Noise(nnx.Module):  # type: ignore[misc]
    """Beside nnx.Dropout, in its manner."""

    def __init__(self, n: Any, o: Options) -> None:
        self.stddev, self.deterministic, self.rngs = n.layer.stddev, False, o["rngs"].noise.fork()

    def set_view(self, deterministic: Optional[bool] = None) -> None:
        """Called by nnx.view."""
        self.deterministic = self.deterministic if deterministic is None else deterministic

    def __call__(self, x: Any) -> Any:
        return x if self.deterministic else x + self.stddev * jax.random.normal(self.rngs(), x.shape, x.dtype)


def conv(n: Any, o: Options) -> Any:
    """In a depthwise one each channel is a group."""
    channels = n.input_shape[-1]
    own = {"strides": n.layer.stride, "padding": n.layer.pads(n.input_shape), "kernel_dilation": n.layer.dilation, **o}
    own.update(feature_group_count=getattr(n.layer, "groups", channels), use_bias=n.layer.use_bias)
    return nnx.Conv(channels, n.output_shape[-1], n.layer.kernel, kernel_init=nnx.initializers.zeros, **own)


def transposed(n: Any, o: Options) -> Any:
    """lax wants the zeros around an input with stride - 1 zeros between its places; behind, as many as the output asks for."""
    pads, layer = [], n.layer
    for size, stride, reach, (before, _), places in zip(
        n.input_shape, layer.stride, layer.reach, layer.pads(n.input_shape), n.output_shape
    ):
        pads.append((reach - 1 - before, places + before - (size - 1) * stride - 1))
    own = {"strides": layer.stride, "padding": pads, "kernel_dilation": layer.dilation, "use_bias": layer.use_bias, **o}
    return nnx.ConvTranspose(n.input_shape[-1], layer.filters, layer.kernel, transpose_kernel=True, **own)


def max_pooling(n: Any, o: Options) -> Function:
    """The gradient goes to the first of equal ones."""
    return partial(nnx.max_pool, window_shape=n.layer.window, strides=n.layer.stride, padding=n.layer.pads(n.input_shape))


def average_pooling(n: Any, o: Options) -> Function:
    """Padding counts or not."""
    own = {"strides": n.layer.stride, "padding": n.layer.pads(n.input_shape)}
    return partial(nnx.avg_pool, window_shape=n.layer.window, count_include_pad=bool(n.layer.count_padding), **own)


def global_max(n: Any, o: Options) -> Function:
    """One window: jnp.max splits the gradient among equal ones."""
    return lambda x: nnx.max_pool(x, x.shape[1:-1]).reshape(len(x), -1)


def up_sampling(n: Any, o: Options) -> Function:
    """Every place several times, or lines between the centres of pixels."""
    if getattr(n.layer, "interpolation", "nearest") == "bilinear":
        return lambda x: jax.image.resize(x, (len(x), *n.output_shape), "bilinear", antialias=False)
    return lambda x: reduce(lambda y, at: jnp.repeat(y, at[1], at[0]), enumerate(n.layer.factors, 1), x)


def zero_padding(n: Any, o: Options) -> Function:
    """Zeros around."""
    return partial(jnp.pad, pad_width=((0, 0), *n.layer.pads(n.input_shape), (0, 0)))


def cropping(n: Any, o: Options) -> Function:
    """Places cut off."""
    cuts = zip(n.input_shape, n.layer.cuts(n.input_shape))
    kept = (slice(None), *(slice(before, size - after) for size, (before, after) in cuts))
    return lambda x: x[kept]


def normalization(module: Any) -> Function:
    """Variances in two passes."""

    def built(n: Any, o: Options) -> Any:
        own = {"momentum": "momentum", "center": "use_bias", "scale": "use_scale", "groups": "num_groups", "epsilon": "epsilon"}
        given = {theirs: getattr(n.layer, name) for name, theirs in own.items() if hasattr(n.layer, name)}
        return module(n.input_shape[-1], use_fast_variance=False, **given, **o)

    return built


def batch_normalization(n: Any, o: Options) -> Any:
    """nnx keeps its statistics in float32, whatever the rest is in."""
    module = normalization(nnx.BatchNorm)(n, o)
    module.mean, module.var = (nnx.BatchStat(jnp.zeros(n.input_shape[-1:], o["param_dtype"])) for _ in range(2))
    return module


def without_bias(linear: Any) -> None:
    """nnx's cells always have one."""
    linear.use_bias, linear.bias = False, None


class GRUCell(nnx.GRUCell):  # type: ignore[misc]
    """Gates in the order z, r, h: nnx's own has no bias for h, and its reset acts on h U alone."""

    def __init__(self, n: Any, o: Options) -> None:
        super().__init__(n.input_shape[-1], n.layer.units, recurrent_kernel_init=nnx.initializers.zeros, **o)
        without_bias(self.dense_i)
        self.reset_after = n.layer.reset_after
        self.bias = nnx.data(nnx.Param(jnp.zeros(n.layer.bias_shape(), o["param_dtype"])) if n.layer.use_bias else None)

    def __call__(self, h: Any, x: Any) -> Tuple[Any, Any]:
        of_x, of_h = (0, 0) if self.bias is None else self.bias if self.reset_after else (self.bias, 0)
        wide, kernel = 2 * self.hidden_features, self.dense_h.kernel
        x = self.dense_i(x) + of_x
        if self.reset_after:
            inner = h @ kernel + of_h
            z, r = jnp.split(nnx.sigmoid(x[:, :wide] + inner[:, :wide]), 2, -1)
            new = r * inner[:, wide:]
        else:
            z, r = jnp.split(nnx.sigmoid(x[:, :wide] + h @ kernel[:, :wide]), 2, -1)
            new = (r * h) @ kernel[:, wide:]
        h = z * h + (1 - z) * jnp.tanh(x[:, wide:] + new)
        return h, h


def simple_cell(n: Any, o: Options) -> Any:
    """One cell, its one bias behind the inputs' kernel. Unlike others, it computes in float32 unless told otherwise."""
    own = {"activation_fn": {"tanh": jnp.tanh, "relu": nnx.relu}[n.layer.activation], "dtype": o["param_dtype"]}
    cell = nnx.SimpleCell(n.input_shape[-1], n.layer.units, recurrent_kernel_init=nnx.initializers.zeros, **own, **o)
    if not n.layer.use_bias:
        without_bias(cell.dense_i)
    return cell


def lstm_cell(n: Any, o: Options) -> Any:
    """One cell, its one bias behind the recurrent kernel."""
    cell = nnx.OptimizedLSTMCell(n.input_shape[-1], n.layer.units, recurrent_kernel_init=nnx.initializers.zeros, **o)
    if not n.layer.use_bias:
        without_bias(cell.dense_h)
    return cell


class Recurrence(nnx.RNN):  # type: ignore[misc]
    """All outputs, or the last one."""

    def __init__(self, cell: Function, n: Any, o: Options) -> None:
        super().__init__(cell(n, o), reverse=n.layer.go_backwards, keep_order=True, rngs=o["rngs"])
        self.sequences = n.layer.return_sequences

    def __call__(self, x: Any) -> Any:
        if self.sequences:
            return super().__call__(x)
        return super().__call__(x)[:, 0 if self.reverse else -1]


class Attention(nnx.MultiHeadAttention):  # type: ignore[misc]
    """The mask from the node's last input."""

    def __init__(self, n: Any, o: Options) -> None:
        layer, size = n.layer, n.layer.head(n.input_shape)
        self.causal, self.padded, self.sources = layer.causal, layer.mask is not None, layer.sources(len(n.inputs))
        own = {"num_kv_heads": layer.kv_heads, "in_kv_features": n.input_shapes[self.sources - 1][-1], "use_bias": layer.use_bias}
        function = partial(attended, base=layer.rotary_base)
        zeros = nnx.initializers.zeros
        super().__init__(
            layer.num_heads, n.input_shape[-1], layer.num_heads * size, decode=False, attention_fn=function, kernel_init=zeros, **own, **o
        )

    def __call__(self, *inputs: Any) -> Any:
        query, memory = inputs[0], inputs[self.sources - 1]
        masks = [nnx.make_causal_mask(query[:1, :, 0])] if self.causal else []
        masks += [(inputs[-1] != 0)[:, None, None]] if self.padded else []
        return super().__call__(query, memory, mask=nnx.combine_masks(*masks))


def attended(q: Any, k: Any, v: Any, *, mask: Any, base: Optional[float], **_: Any) -> Any:
    """nnx.dot_product_attention would call jax.nn's, which takes its softmax in float32, whatever it is given."""
    if base is not None:
        q, k = turned(q, base), turned(k, base)
    weights = dot_product_attention_weights(q, k, mask=mask)
    return jnp.einsum("...hqk,...khd->...qhd", weights, jnp.repeat(v, q.shape[-2] // v.shape[-2], -2))


def turned(x: Any, base: float) -> Any:
    """The pairs (i, i + size / 2) of `(rows, steps, heads, size)`, each turned by its step times its own angle."""
    cos, sin = (jnp.asarray(table[:, None], x.dtype) for table in rotations(x.shape[1], x.shape[-1], base))
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def sinusoidal_positions(n: Any, o: Options) -> Function:
    """The table is added."""
    return lambda x: x + jnp.asarray(sinusoids(n.input_shape[0], n.input_shape[1], n.layer.base), x.dtype)


LAYERS: Dict[str, Callable[[Any, Options], Any]] = {
    "activation": lambda n, o: ACTIVATIONS[n.layer.activation.type](n.layer.activation),
    "dense": dense, "tied_dense": own(tied_dense), "prelu": own(lambda own, z: jnp.where(z > 0, z, own.alpha * z)),
    "embedding": lambda n, o: nnx.Embed(n.layer.input_dim, n.layer.output_dim, **o),
    "flatten": lambda n, o: lambda x: x.reshape(len(x), -1), "reshape": lambda n, o: lambda x: x.reshape(len(x), *n.output_shape),
    "permute": lambda n, o: lambda x: x.transpose(0, *n.layer.dims), "take": take,
    "concatenate": lambda n, o: lambda *inputs: jnp.concatenate(inputs, n.layer.axis),
    "add": merge(jnp.add), "multiply": merge(jnp.multiply), "maximum": merge(larger),
    "average": lambda n, o: lambda *inputs: reduce(jnp.add, inputs) / len(inputs),
    "dropout": lambda n, o: nnx.Dropout(n.layer.rate, rngs=o["rngs"]),
    "spatial_dropout": lambda n, o: nnx.Dropout(n.layer.rate, broadcast_dims=range(1, len(n.input_shape)), rngs=o["rngs"]),
    "gaussian_noise": Noise, "conv1d": conv, "conv2d": conv, "depthwise_conv2d": conv, "conv2d_transpose": transposed,
    **dict.fromkeys(("max_pooling1d", "max_pooling2d"), max_pooling),
    **dict.fromkeys(("average_pooling1d", "average_pooling2d"), average_pooling),
    **dict.fromkeys(("global_max_pooling1d", "global_max_pooling2d"), global_max),
    "global_average_pooling1d": lambda n, o: lambda x: x.mean(1), "global_average_pooling2d": lambda n, o: lambda x: x.mean((1, 2)),
    **dict.fromkeys(("up_sampling1d", "up_sampling2d"), up_sampling),
    **dict.fromkeys(("zero_padding1d", "zero_padding2d"), zero_padding), **dict.fromkeys(("cropping1d", "cropping2d"), cropping),
    "batch_normalization": batch_normalization, "layer_normalization": normalization(nnx.LayerNorm),
    "group_normalization": normalization(nnx.GroupNorm), "instance_normalization": normalization(nnx.InstanceNorm),
    "rms_normalization": normalization(nnx.RMSNorm),
    "simple_rnn": partial(Recurrence, simple_cell), "lstm": partial(Recurrence, lstm_cell), "gru": partial(Recurrence, GRUCell),
    "multi_head_attention": Attention, "position_embedding": own(lambda own, x: x + own.embeddings),
    "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip
#: short names of what modules hold, where they are not the spec's; of normalisations the bias is beta
NAMES = {
    "embedding": "embeddings", "scale": "gamma", "mean": "moving_mean", "var": "moving_variance", "cell/bias": "bias",
    "cell/dense_i/kernel": "kernel", "cell/dense_h/kernel": "recurrent_kernel", "cell/dense_i/bias": "bias", "cell/dense_h/bias": "bias",
    **{f"{name}/{kind}": f"{name}_{kind}" for name in ("query", "key", "value") for kind in ("kernel", "bias")},
    "out/kernel": "output_kernel", "out/bias": "output_bias",
}  # fmt: skip

# --- losses: one value for each output where they are elementwise, else one for each term ---


def absolute(x: Any) -> Any:
    """With gradient 0 at 0: that of jnp.abs is 1 there."""
    return x * jnp.sign(x)


def binary_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, each for itself."""
    smoothing = loss.label_smoothing
    return optax.sigmoid_binary_cross_entropy(z, y * (1 - smoothing) + smoothing / 2 if smoothing else y)


def softmax_cross_entropy(loss: Any, z: Any, y: Any) -> Any:
    """From logits, against classes or one-hot rows."""
    classes = y.ndim < z.ndim
    if not loss.label_smoothing:
        return (optax.softmax_cross_entropy_with_integer_labels if classes else optax.softmax_cross_entropy)(z, y)
    hot = jax.nn.one_hot(y, z.shape[-1], dtype=z.dtype) if classes else y
    return optax.softmax_cross_entropy(z, optax.smooth_labels(hot, loss.label_smoothing))


#: optax's own hinge and perceptron loss split their gradient at 0, as jnp.maximum does
LOSSES: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "mse": lambda loss, p, y: optax.squared_error(p, y), "mae": lambda loss, p, y: absolute(p - y),
    "huber": lambda loss, p, y: optax.huber_loss(p, y, delta=loss.delta), "log_cosh": lambda loss, p, y: optax.log_cosh(p, y),
    "binary_cross_entropy": binary_cross_entropy, "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda loss, z, y: optax.kl_divergence(z, y),
    "cosine_similarity": lambda loss, z, y: optax.cosine_distance(z, y, epsilon=1e-12),
    "poisson": lambda loss, z, y: jnp.exp(z) - y * z, "hinge": lambda loss, z, y: nnx.relu(1 - y * z),
    "perceptron": lambda loss, z, y: jnp.where(y * z <= 0, -y * z, 0),
}  # fmt: skip

# --- optimizers ---


def moments(o: Any) -> Tuple[float, float, float]:
    """What all of Adam's kind take."""
    return o.beta_1, o.beta_2, o.epsilon


OPTIMIZERS: Dict[str, Callable[[Any, Any], Any]] = {  # of the spec and of the rate, a number or a function of the updates made
    "sgd": lambda o, rate: optax.sgd(rate, o.momentum or None, o.nesterov),
    "adam": lambda o, rate: optax.adam(rate, *moments(o)), "nadam": lambda o, rate: optax.nadam(rate, *moments(o)),
    "adamw": lambda o, rate: optax.adamw(rate, *moments(o), weight_decay=o.weight_decay),
    "lamb": lambda o, rate: optax.lamb(rate, *moments(o), weight_decay=o.weight_decay),
    "adamax": lambda o, rate: optax.adamax(rate, *moments(o)),
    "rmsprop": lambda o, rate: optax.rmsprop(rate, o.rho, o.epsilon, eps_in_sqrt=False, momentum=o.momentum or None),
    "adagrad": lambda o, rate: optax.adagrad(rate, o.initial_accumulator_value, o.epsilon),
    "adadelta": lambda o, rate: optax.adadelta(rate, o.rho, o.epsilon),
    "lion": lambda o, rate: optax.lion(rate, o.beta_1, o.beta_2, weight_decay=0.0),
}  # fmt: skip
#: optax's name of each slot, of second ones by optimizer
SLOTS = {
    "velocity": "trace", "first_moment": "mu", "second_moment": "nu", "infinity_norm": "nu", "sum_of_squares": "sum_of_squares",
    "mean_square": "nu", "mean_square_update": "e_x", "accumulated": "acc_grads", "adadelta/mean_square": "e_g",
}  # fmt: skip
#: optax's counters
COUNTERS = ("step", "count", "mini_step", "gradient_step")


def clip_by_norm(limit: float) -> Any:
    """Of each parameter's gradient: optax clips by the norm of all together only."""

    def clipped(gradient: Any) -> Any:
        norm = jnp.linalg.norm(gradient.ravel())
        return jnp.where(norm < limit, gradient, gradient / norm * limit)

    return optax.stateless(lambda gradients, parameters: jax.tree.map(clipped, gradients))


def scheduled(o: Any, dtype: str) -> Function:
    """The rate, of the updates made."""
    return lambda count: o.learning_rate * o.schedule.factor(jnp.asarray(count, dtype), jnp)


def transformation(o: Any, dtype: str) -> Any:
    """Accumulate, clip, coupled decay, the rule, decoupled decay."""
    rate, clips = o.learning_rate, {"clip_value": optax.clip, "clip_norm": clip_by_norm, "global_clip_norm": optax.clip_by_global_norm}
    if o.schedule is not None:
        rate = scheduled(o, dtype)
    parts = [clip(getattr(o, name)) for name, clip in clips.items() if getattr(o, name) is not None]
    parts += [optax.add_decayed_weights(o.coupled_decay)] if o.coupled_decay else []
    parts.append(OPTIMIZERS[o.type](o, rate))
    if o.decoupled_decay and o.type != "adamw":
        shrink = -rate * o.decoupled_decay if o.schedule is None else lambda count: -rate(count) * o.decoupled_decay
        parts.append(optax.add_decayed_weights(shrink))
    every = o.gradient_accumulation_steps
    if every == 1:
        return optax.chain(*parts) if len(parts) > 1 else parts[0]
    # the sum is kept, which is what the contract calls the slot, and divided behind it
    return optax.MultiSteps(optax.chain(optax.scale(1 / every), *parts), every, use_grad_mean=False, accumulator_dtype=dtype)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, jax.default_backend() == "gpu", "flax")
    tables: Dict[str, Any] = {"layers": LAYERS, "activations": ACTIVATIONS, "losses": LOSSES, "optimizers": OPTIMIZERS}
    return reasons + shared.unsupported(spec, **tables, options=shared.OPTIONS)


def versions() -> Dict[str, Any]:
    """Versions of Flax and of what it calls, and how it multiplies."""
    return {**{module.__name__: module.__version__ for module in (flax, jax, optax, numpy)}, "matmul_precision": "highest"}


def listen(event: str, seconds: float, **_: Any) -> None:
    """Told of everything that JAX measures."""
    if event.startswith("/jax/core/compile/"):  # tracing, lowering, compiling
        heard[event] += 1


def compilations() -> int:
    """How often JAX has traced, lowered or compiled something."""
    return sum(heard.values())


heard: Counter[str] = Counter()
jax.monitoring.register_event_duration_secs_listener(listen)


class Program:
    """`carry` is all that a step changes, as a list of arrays: parameters, statistics, optimizer, random streams."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        jax.config.update("jax_enable_x64", dtype == "float64")  # both for the whole process
        jax.config.update("jax_default_matmul_precision", "highest")
        self.spec, self.dtype, self.device = spec, dtype, jax.devices(device)[0]
        self.nodes, self.penalties = [node.name for node in spec.nodes], dict(spec.penalties)
        self.parameters = [item.name for item in spec.parameters]
        self.shapes = {item.name: item.shape for items in (spec.parameters, spec.statistics) for item in items}
        options = {"param_dtype": dtype, "rngs": nnx.Rngs(0)}
        net = nnx.Dict({node.name: LAYERS[node.layer.type](node, options) for node in spec.nodes})
        self.graph, split = nnx.flatten((net, nnx.Optimizer(net, transformation(spec.optimizer, dtype), wrt=nnx.Param)))
        self.carry, self.names = jax.device_put(jax.tree.leaves(split), self.device), dict(self.named(split.paths))
        self.places = list(self.placed(split.paths))
        self.counters = {place: path[-1] for place, path in enumerate(split.paths) if path[0] == 1 and path[-1] in COUNTERS}
        self.stepped = jax.jit(self.step, donate_argnums=0)  # nnx.jit takes 400 us more a call, nnx.jit_partial 20
        self.probed, self.inferred = jax.jit(self.differentiated), jax.jit(self.inference)

    def named(self, paths: Sequence[Path]) -> Iterator[Tuple[Path, str]]:
        """Where the net holds what the contract names: path -> canonical name; of a normalisation the bias is beta."""
        for node, *rest in (path[1:] for path in paths if path[0] == 0):
            short = "/".join(rest)
            names = [f"{node}/{name}" for name in (NAMES.get(short, short), "beta") if f"{node}/{name}" in self.shapes]
            yield from [((node, *rest), name) for name in names[:1]]

    def placed(self, paths: Sequence[Path]) -> Iterator[Tuple[int, str, Any, int]]:
        """Of every array of a state: its place in the carry, flat name, shape and sign."""
        rule = self.spec.optimizer
        slots = {SLOTS.get(f"{rule.type}/{slot}", SLOTS[slot]): slot for slot in active_slots(rule)}
        for place, path in enumerate(paths):
            at = next((at for at in range(1, len(path)) if path[at:] in self.names), 0)
            name = self.names.get(path[at:], "")
            if at == 1:
                yield place, f"{'parameters' if name in self.parameters else 'statistics'}/{name}", self.shapes[name], 1
            elif at:  # rmsprop's trace is the update itself, which points down
                sign = -1 if (rule.type, path[at - 1]) == ("rmsprop", "trace") else 1
                yield place, f"slots/{slots[path[at - 1]]}/{name}", self.shapes[name], sign

    def load(self, state: State) -> None:
        given = flat_state(state)
        updates, mini = divmod(state.step, self.spec.optimizer.gradient_accumulation_steps)
        counts = {"step": state.step, "count": updates, "gradient_step": updates, "mini_step": mini}
        arrays: Dict[int, Any] = {place: sign * numpy.asarray(given[name]) for place, name, _, sign in self.places}
        arrays.update({place: counts[name] for place, name in self.counters.items()})
        for place, array in arrays.items():
            old = self.carry[place]
            self.carry[place] = jnp.array(numpy.reshape(array, old.shape), old.dtype, device=self.device)

    def state(self) -> State:
        arrays = {name: sign * numpy.array(self.carry[place]).reshape(shape) for place, name, shape, sign in self.places}
        return nested_state({**arrays, "step": self.carry[-1]})  # nnx.Optimizer's own counter is its last

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: jax.device_put(array, self.device))

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, numpy.asarray)

    def compile(self, staged: List[Tuple[Any, ...]]) -> Dict[str, float]:
        return {"compile": timeit(lambda: self.stepped.lower(self.carry, *staged[0]).compile(), number=1)}

    def outputs(self, net: Any, x: Any, drawn: Any = None, taps: Any = None) -> List[Any]:
        """Every node's output."""
        found, left = {INPUT: x}, iter(drawn or ())
        for index, node in enumerate(self.spec.nodes):
            inputs = [found[name] for name in node.inputs] + [net[name.rsplit("/", 1)[0]] for name in (node.table,) if name]
            given = node.layer.random and drawn is not None
            y = shared.randomised(node, inputs[0], next(left)) if given else net[node.name](*inputs)
            found[node.name] = y if taps is None else y + taps[index]
        return [found[name] for name in self.nodes]

    def loss(self, net: Any, taps: Any, x: Any, y: Any, weights: Any, drawn: Any) -> Tuple[Any, List[Any]]:
        """With its penalties; and every node's output."""
        outputs = self.outputs(net, x, drawn, taps)
        loss = self.spec.loss
        value = shared.reduced(loss, LOSSES[loss.type](loss, outputs[self.spec.loss_node], y), weights)
        for path, name in self.names.items():
            if name in self.penalties:
                (l1, l2), array = self.penalties[name], reduce(getattr, path, net)[...]
                value += (l1 * absolute(array) + l2 * jnp.square(array)).sum()
        return value, outputs

    def weights_and_drawn(self, given: Sequence[Any]) -> Tuple[Any, Any]:
        """What a batch holds behind inputs and targets: sample weights or None; masks and noise."""
        return (given[0], given[1:]) if self.spec.weighted else (None, given)

    def step(self, carry: List[Any], x: Any, y: Any, *given: Any) -> Tuple[List[Any], Any]:
        net, optimizer = nnx.unflatten(self.graph, carry)
        weights, drawn = self.weights_and_drawn(given)
        (loss, _), gradients = nnx.value_and_grad(self.loss, has_aux=True)(net, None, x, y, weights, drawn or None)
        optimizer.update(net, gradients)
        return jax.tree.leaves(nnx.state((net, optimizer))), loss

    def advance(self, *batch: Any) -> Any:
        self.carry, loss = self.stepped(self.carry, *batch)
        return loss

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        trace = shared.loop(self.advance, staged, steps, read_every, lambda loss: numpy.asarray(loss).item())
        jax.block_until_ready(self.carry)
        return trace

    def differentiated(self, carry: List[Any], x: Any, y: Any, *given: Any) -> Tuple[Any, Any]:
        """Loss and outputs; gradients by path, at the outputs, and at inputs that are floats."""
        taps = [jnp.zeros((len(x), *node.output_shape), self.dtype) for node in self.spec.nodes]
        wanted, (net, _) = (0, 1) if self.spec.integer_inputs else (0, 1, 2), nnx.unflatten(self.graph, carry)
        probed = nnx.value_and_grad(self.loss, argnums=wanted, has_aux=True)
        found, (gradients, *others) = probed(net, taps, x, y, *self.weights_and_drawn(given))
        return found, ([variable.get_value() for _, variable in nnx.to_flat_state(gradients)], *others)

    def probe(self, batch: Batch) -> Probe:
        given = Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks), batch.weights)
        found = jax.tree.map(numpy.array, self.probed(self.carry, *self.stage([given])[0]))
        (loss, outputs), (gradients, at_outputs, *at_input) = found
        names = [name for name in self.names.values() if name in self.parameters]
        own = {name: array.reshape(self.shapes[name]) for name, array in zip(names, gradients)}
        at_outputs, outputs = dict(zip(self.nodes, at_outputs)), dict(zip(self.nodes, outputs))
        return Probe(float(loss), outputs, own, at_outputs, at_input[0] if at_input else None)

    def inference(self, carry: List[Any], x: Any) -> Any:
        """The last node's output."""
        net = nnx.unflatten(self.graph, carry)[0]
        net = nnx.view(net, deterministic=True, use_running_average=True, raise_if_not_found=False)
        return self.outputs(net, x)[-1]

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [numpy.array(self.inferred(self.carry, batch[0])) for batch in staged]
