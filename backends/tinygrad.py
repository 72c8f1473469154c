"""tinygrad: its layers, losses, nn.optim and one TinyJit of the whole step, on its CPU device, which calls clang."""

from __future__ import annotations

import math
import os
import shutil
import sys
from functools import lru_cache, partial, reduce
from importlib import metadata, util
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy
from tinygrad import Context, Tensor, TinyJit, helpers, nn

from harness.interface import OPTIONS, Arrays, Batch, Probe, State, Trace, flat_state, nested_state, positions, rules, shared
from harness.spec import INPUT, Node, ProgramSpec, active_slots

REQUIRES = {"tinygrad": ""}
MODES = {"": {"variables": {"DEV": "CPU"}}}
FORMS: Dict[str, str] = {}
#: Zig's clang, spoken to in its own words; with debugging sections tinygrad cannot load what it compiles
ZIG = 'exec "{}" -m ziglang cc -g0 $(echo "$@" | sed "s/-target=/target /; s/none-unknown-elf/freestanding-none/; s/march/mcpu/")'
SCRIPT = Path(helpers.cache_dir, "zig-clang")
PART = SCRIPT.with_suffix(f".{os.getpid()}")
PART.parent.mkdir(parents=True, exist_ok=True)
PART.write_text("#!/bin/sh\n" + ZIG.format(sys.executable), encoding="utf-8")
PART.chmod(0o755)
PART.replace(SCRIPT)  # at once: other workers may be running it
os.environ["CC"] = shutil.which("clang") or str(SCRIPT)

#: of SELU: its factor and its alpha, of which Tensor.selu has six digits
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
#: functions of a layer's node, of its own tensors by short name, and of its inputs `(rows, ...)`
Layer = Callable[..., Tensor]


def larger(a: Tensor, b: Tensor) -> Tensor:
    """The larger one, the gradient to the first of equal ones: Tensor.maximum splits it."""
    return (a >= b).where(a, b)


def relu6(z: Tensor) -> Tensor:
    """min(max(z, 0), 6): the gradient of Tensor.relu6 at 6 is 1."""
    return (z < 6).where(z.relu(), 6)


def elu(z: Tensor, alpha: float) -> Tensor:
    """z where z > 0, else alpha (exp(z) - 1): the gradient of Tensor.elu at 0 is 0, and NaN where exp overflows."""
    return (z > 0).where(z, alpha * ((z > 0).where(0, z).exp() - 1))


#: type -> function of its spec and of z
ACTIVATIONS: Dict[str, Callable[[Any, Tensor], Tensor]] = {
    "linear": lambda f, z: z,
    "step": lambda f, z: (z > 0).cast(z.dtype),
    "sigmoid": lambda f, z: z.sigmoid(),
    "tanh": lambda f, z: z.tanh(),
    "relu": lambda f, z: z.relu(),
    "relu6": lambda f, z: relu6(z),
    "leaky_relu": lambda f, z: (z > 0).where(z, f.negative_slope * z),  # the gradient of Tensor.leaky_relu at 0 is 1
    "elu": lambda f, z: elu(z, f.alpha),
    "selu": lambda f, z: SCALE * elu(z, ALPHA),
    "gelu": lambda f, z: z.gelu("tanh" if f.approximate else "none"),
    "silu": lambda f, z: z.silu(),
    "softplus": lambda f, z: z.softplus(),
    "softsign": lambda f, z: z.softsign(),
    "hard_sigmoid": lambda f, z: relu6(z + 3) / 6,
    "hard_silu": lambda f, z: z * relu6(z + 3) / 6,
    "mish": lambda f, z: z.mish(),
    "softmax": lambda f, z: z.softmax(f.axis),
    "log_softmax": lambda f, z: z.log_softmax(f.axis),
}


def take(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """One place of an axis, or several."""
    layer: Any = node.layer
    found = [x[(slice(None),) * layer.axis + (place,)] for place in layer.places(node.input_shape)]
    return found[0] if isinstance(layer.indices, int) else Tensor.stack(*found, dim=layer.axis)


def merge(function: Callable[[Tensor, Tensor], Tensor]) -> Layer:
    """All inputs by one function of two, from left to right."""
    return lambda node, own, *inputs: reduce(function, inputs)


CORE: Dict[str, Layer] = {
    "dense": lambda node, own, x: x.linear(own["kernel"], own.get("bias")),
    "tied_dense": lambda node, own, x: x.linear(own["table"].T, own.get("bias")),
    "embedding": lambda node, own, x: own["embeddings"][x],
    "activation": lambda node, own, z: ACTIVATIONS[node.layer.activation.type](node.layer.activation, z),
    "prelu": lambda node, own, z: (z > 0).where(z, own["alpha"] * z),
    "flatten": lambda node, own, x: x.flatten(1),
    "reshape": lambda node, own, x: x.reshape(x.shape[0], *node.output_shape),
    "permute": lambda node, own, x: x.permute(0, *node.layer.dims),
    "take": take,
    "concatenate": lambda node, own, *inputs: Tensor.cat(*inputs, dim=node.layer.axis),
    "add": merge(Tensor.add),
    "multiply": merge(Tensor.mul),
    "maximum": merge(larger),
    "average": lambda node, own, *inputs: reduce(Tensor.add, inputs) / len(inputs),
}


def channels_first(x: Tensor) -> Tensor:
    """`(rows, *places, channels)` as tinygrad's windows want it; a view, which costs nothing."""
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def channels_last(x: Tensor) -> Tensor:
    """And back."""
    return x.permute(0, *range(2, x.ndim), 1)


def outputs_first(kernel: Tensor) -> Tensor:
    """A kernel `(*window, in, out)` as `(out, in, *window)`."""
    return kernel.permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))


def flat(pads: Any) -> List[int]:
    """Zeros before and after each axis in tinygrad's order: the last axis first."""
    return [number for both in reversed(pads) for number in both]


def convolution(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """A convolution; a depthwise one has as many groups as channels."""
    layer: Any = node.layer
    kernel, groups = own["kernel"], getattr(layer, "groups", node.input_shape[-1])
    if layer.type == "depthwise_conv2d":
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    around = flat(layer.pads(node.input_shape))
    return channels_last(
        channels_first(x).conv2d(outputs_first(kernel), own.get("bias"), groups, layer.stride, layer.dilation, around)
    )


def transposed(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """The way back of a convolution, cut off behind so that as many places are left as the spec asks for."""
    layer: Any = node.layer
    starts = [before for before, _ in layer.pads(node.input_shape)]
    cuts = [
        (before, (size - 1) * stride + reach - before - places)
        for size, stride, reach, before, places in zip(node.input_shape, layer.stride, layer.reach, starts, node.output_shape)
    ]
    y = channels_first(x).conv_transpose2d(
        outputs_first(own["kernel"]), own.get("bias"), 1, layer.stride, layer.dilation, flat(cuts)
    )
    return channels_last(y)


def max_pooling(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """The largest value of each window, the gradient to the first of equal ones: Tensor.max_pool2d splits it."""
    layer: Any = node.layer
    around = x.pad(((0, 0), *layer.pads(node.input_shape), (0, 0)), value=-math.inf)
    found = []
    for place in product(*map(range, layer.window)):
        ends = [at + (count - 1) * step + 1 for at, count, step in zip(place, node.output_shape, layer.stride)]
        found.append(around[(slice(None), *map(slice, place, ends, layer.stride))])
    return reduce(larger, found)


def average_pooling(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """The mean of each window; padding counts or not."""
    layer: Any = node.layer
    around, counted = flat(layer.pads(node.input_shape)), layer.count_padding is not False
    y = channels_first(x).avg_pool2d(layer.window, layer.stride, padding=around, count_include_pad=counted)
    return channels_last(y)


def global_average(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """The mean of each channel."""
    return x.mean(tuple(range(1, x.ndim - 1)))


def global_max(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """The largest value of each channel, the gradient to the first of equal ones: Tensor.max splits it."""
    places = x.flatten(1, -2)
    first = Tensor.arange(places.shape[1]).reshape(1, -1, 1) == places.argmax(1, keepdim=True)
    return first.where(places, 0).sum(1)


def up_sampling(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Every place several times, or lines between the centres of pixels."""
    layer: Any = node.layer
    for axis, factor in enumerate(layer.factors, 1):
        if getattr(layer, "interpolation", "nearest") == "nearest":
            x = x.repeat_interleave(factor, axis)
        else:
            x = x.transpose(axis, -1).dot(line(x.shape[axis], factor, x.dtype)).transpose(axis, -1)
    return x


def line(size: int, factor: int, dtype: Any) -> Tensor:
    """Of linear interpolation the shares of the old places in the new ones; those of Tensor.interpolate are float32."""
    at = ((Tensor.arange(size * factor, dtype=dtype) + 0.5) / factor - 0.5).clip(0, size - 1)
    return (1 - (at - Tensor.arange(size, dtype=dtype).reshape(-1, 1)).abs()).relu()


def zero_padding(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Zeros around."""
    layer: Any = node.layer
    return x.pad(((0, 0), *layer.pads(node.input_shape), (0, 0)))


def cropping(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Places cut off."""
    layer: Any = node.layer
    cuts = zip(node.input_shape, layer.cuts(node.input_shape))
    return x[(slice(None), *(slice(before, size - after) for size, (before, after) in cuts))]


IMAGES: Dict[str, Layer] = {
    "conv1d": convolution, "conv2d": convolution, "depthwise_conv2d": convolution, "conv2d_transpose": transposed,
    **{f"{name}{rank}d": function for rank in (1, 2) for name, function in {
        "max_pooling": max_pooling, "average_pooling": average_pooling, "global_max_pooling": global_max,
        "global_average_pooling": global_average, "up_sampling": up_sampling, "zero_padding": zero_padding, "cropping": cropping,
    }.items()},
}  # fmt: skip


def scaled(y: Tensor, own: Arrays) -> Tensor:
    """gamma y + beta, where there are such."""
    y = y * own["gamma"] if "gamma" in own else y
    return y + own["beta"] if "beta" in own else y


def batch_normalization(node: Node, own: Arrays, x: Tensor, training: bool) -> Tuple[Tensor, Arrays]:
    """By the batch's own mean and variance, or by the moving ones; also the moving ones after it, by canonical name."""
    layer: Any = node.layer
    moving = {short: own[short] for short in ("moving_mean", "moving_variance")}
    axes = tuple(range(x.ndim - 1))
    mean, variance = (x.mean(axes), x.var(axes, correction=0)) if training else moving.values()
    moved = {
        f"{node.name}/{short}": layer.momentum * old + (1 - layer.momentum) * now.detach()
        for (short, old), now in zip(moving.items(), (mean, variance))
    }
    invstd = (variance + layer.epsilon).rsqrt()
    return x.batchnorm(own.get("gamma"), own.get("beta"), mean, invstd, axis=x.ndim - 1), moved


def group_normalization(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Over all places and the channels of a group."""
    layer: Any = node.layer
    grouped = x.reshape(x.shape[0], -1, layer.groups, x.shape[-1] // layer.groups)
    return scaled(grouped.layernorm((1, 3), layer.epsilon).reshape(x.shape), own)


def rms_normalization(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + epsilon) over the last axis: nn.RMSNorm computes it in float32."""
    layer: Any = node.layer
    return scaled(x * (x.square().mean(-1, keepdim=True) + layer.epsilon).rsqrt(), own)


NORMALIZATION: Dict[str, Layer] = {
    "layer_normalization": lambda node, own, x: scaled(x.layernorm(-1, node.layer.epsilon), own),
    "group_normalization": group_normalization,
    "instance_normalization": lambda node, own, x: scaled(
        x.layernorm(tuple(range(1, x.ndim - 1)), node.layer.epsilon), own
    ),
    "rms_normalization": rms_normalization,
}


def recurrence(node: Node, x: Tensor, own: Arrays, cell: Callable[..., Any], bias: Any, states: int = 1) -> Tensor:
    """A cell from step to step, written out: all its h `(rows, steps, units)` or the last `(rows, units)`.

    Args:
        node: of the recurrence.
        x: inputs `(rows, steps, features)`.
        own: its tensors.
        cell: one step, of what comes from the inputs and of `states` states; h is the first.
        bias: added to what comes from the inputs, or None.
        states: how many.
    """
    layer: Any = node.layer
    z, found = x.linear(own["kernel"], bias), []
    held = (Tensor.zeros(x.shape[0], layer.units, dtype=x.dtype, buffer=False),) * states
    for step in range(x.shape[1])[:: -1 if layer.go_backwards else 1]:
        held = cell(z[:, step], *held)
        found.append(held[0])
    return Tensor.stack(*found[:: -1 if layer.go_backwards else 1], dim=1) if layer.return_sequences else held[0]


def simple_rnn(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """h <- f(x W + h U + b)."""
    layer: Any = node.layer
    function = getattr(Tensor, layer.activation)
    return recurrence(node, x, own, lambda z, h: (function(z + h.dot(own["recurrent_kernel"])),), own.get("bias"))


def lstm(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Gates in the order i, f, g, o."""

    def cell(z: Tensor, h: Tensor, c: Tensor) -> Tuple[Tensor, Tensor]:
        i, f, g, o = (z + h.dot(own["recurrent_kernel"])).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    return recurrence(node, x, own, cell, own.get("bias"), states=2)


def gru(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """Gates in the order z, r, h; the reset acts on h U or on h."""
    layer: Any = node.layer
    kernel, bias = own["recurrent_kernel"], own.get("bias")

    def after(z: Tensor, h: Tensor) -> Tuple[Tensor]:
        (z_update, z_reset, z_new), inner = z.chunk(3, dim=1), h.linear(kernel, None if bias is None else bias[1])
        update, reset, new = inner.chunk(3, dim=1)
        update = (z_update + update).sigmoid()
        return (update * h + (1 - update) * (z_new + (z_reset + reset).sigmoid() * new).tanh(),)

    def before(z: Tensor, h: Tensor) -> Tuple[Tensor]:
        (z_update, z_reset, z_new), (to_update, to_reset, to_new) = z.chunk(3, dim=1), kernel.chunk(3, dim=1)
        update, reset = (z_update + h.dot(to_update)).sigmoid(), (z_reset + h.dot(to_reset)).sigmoid()
        return (update * h + (1 - update) * (z_new + (reset * h).dot(to_new)).tanh(),)

    if layer.reset_after:
        return recurrence(node, x, own, after, None if bias is None else bias[0])
    return recurrence(node, x, own, before, bias)


@lru_cache(None)
def table(function: Callable[..., Any], dtype: Any, *sizes: Any) -> List[Tensor]:
    """A table of positions, or two, on the device, made once."""
    found = function(*sizes)
    return [Tensor(array).cast(dtype).realize() for array in (found if isinstance(found, tuple) else (found,))]


def turned(x: Tensor, base: float) -> Tensor:
    """The pairs (i, i + size / 2) of x `(rows, heads, steps, size)`, each turned by its step times its own angle."""
    cos, sin = table(positions.rotations, x.dtype, *x.shape[-2:], base)
    a, b = x.chunk(2, dim=-1)
    return Tensor.cat(a * cos - b * sin, b * cos + a * sin, dim=-1)


def attention(node: Node, own: Arrays, *inputs: Tensor) -> Tensor:
    """Heads side by side, through tinygrad's own attention."""
    layer: Any = node.layer
    query, memory = inputs[0], inputs[layer.sources(len(inputs)) - 1]

    def projected(name: str, x: Tensor) -> Tensor:
        return x.linear(own[f"{name}_kernel"], own.get(f"{name}_bias"))

    def heads(name: str, x: Tensor) -> Tensor:
        y = projected(name, x).reshape(*x.shape[:2], -1, layer.head(node.input_shape)).transpose(1, 2)
        return y if layer.rotary_base is None or name == "value" else turned(y, layer.rotary_base)

    seen = None
    if layer.causal:
        seen = Tensor.ones(1, 1, query.shape[1], memory.shape[1], buffer=False).tril() > 0
    if layer.mask is not None:
        real = (inputs[-1] != 0).reshape(-1, 1, 1, memory.shape[1])
        seen = real if seen is None else seen & real
    y = heads("query", query).scaled_dot_product_attention(heads("key", memory), heads("value", memory), seen, enable_gqa=True)
    return projected("output", y.transpose(1, 2).flatten(2))


def sinusoidal_positions(node: Node, own: Arrays, x: Tensor) -> Tensor:
    """y = x + P, P of waves, rounded to float32."""
    layer: Any = node.layer
    return x + table(positions.sinusoids, x.dtype, *node.input_shape, layer.base)[0]


SEQUENCES: Dict[str, Layer] = {
    "simple_rnn": simple_rnn, "lstm": lstm, "gru": gru, "multi_head_attention": attention,
    "position_embedding": lambda node, own, x: x + own["embeddings"], "sinusoidal_positions": sinusoidal_positions,
}  # fmt: skip
#: what random nodes do where no mask is given
NOISE: Dict[str, Callable[[Any, Node, Tensor], Tensor]] = {
    "dropout": lambda layer, node, x: x.dropout(layer.rate),
    "spatial_dropout": lambda layer, node, x: x * Tensor.ones(x.shape[0], *node.draw_shape, dtype=x.dtype).dropout(layer.rate),
    "gaussian_noise": lambda layer, node, x: x + layer.stddev * x.randn_like(),
}
LAYERS: Dict[str, Layer] = {**CORE, **IMAGES, **NORMALIZATION, **SEQUENCES}


def outputs(
    nodes: Sequence[Node],
    held: Arrays,
    x: Tensor,
    training: bool = False,
    masks: Sequence[Tensor] = (),
    taps: Optional[Sequence[Tensor]] = None,
) -> Tuple[List[Tensor], Arrays]:
    """Every node's output, and the statistics as this batch moves them.

    Args:
        nodes: the graph.
        held: parameters and statistics by canonical name.
        x: inputs.
        training: whether this is a training step.
        masks: masks and noise of the random nodes, in order; tinygrad's own where there are none.
        taps: zeros to add to the outputs, so that their gradients can be asked for: equal expressions are one to tinygrad.
    """
    found, moved, left = {INPUT: x}, {}, iter(masks)
    for index, node in enumerate(nodes):
        inputs, own = [found[name] for name in node.inputs], arrays_of(node, held)
        if node.layer.random:
            y = random(node, inputs[0], next(left, None)) if training else inputs[0]
        elif node.layer.type == "batch_normalization":
            y, after = batch_normalization(node, own, inputs[0], training)
            moved.update(after)
        else:
            y = LAYERS[node.layer.type](node, own, *inputs)
        found[node.name] = y if taps is None else y + taps[index]
    return [found[node.name] for node in nodes], moved


def random(node: Node, x: Tensor, drawn: Optional[Tensor]) -> Tensor:
    """A random node, by what was drawn or by tinygrad's own generator."""
    return NOISE[node.layer.type](node.layer, node, x) if drawn is None else shared.randomised(node, x, drawn)


def arrays_of(node: Node, held: Arrays) -> Arrays:
    """A node's parameters and statistics by short name, and the table that it shares."""
    names = [item.name for item in node.parameters] + [item.name for item in node.statistics]
    own = {name.rsplit("/", 1)[1]: held[name] for name in names}
    return {**own, "table": held[node.table]} if node.table else own


def binary_cross_entropy(loss: Any, z: Tensor, y: Tensor) -> Tensor:
    """From logits, each for itself."""
    smoothing = loss.label_smoothing
    return z.binary_crossentropy_logits(y * (1 - smoothing) + smoothing / 2 if smoothing else y, "none")


def softmax_cross_entropy(loss: Any, z: Tensor, y: Tensor) -> Tensor:
    """From logits, against classes or one-hot rows; tinygrad has the classes on the second axis."""
    targets = y.flatten() if y.ndim < z.ndim else y.flatten(0, -2)
    return z.flatten(0, -2).cross_entropy(targets, "none", loss.label_smoothing).reshape(z.shape[:-1])


def huber(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    """A square in the middle, lines outside."""
    size = (p - y).abs()
    return (size <= loss.delta).where(size.square() / 2, loss.delta * (size - loss.delta / 2))


def cosine_distance(loss: Any, z: Tensor, y: Tensor) -> Tensor:
    """1 - z y / (|z| |y|), the squares of the lengths no less than 1e-12."""

    def length(a: Tensor) -> Tensor:
        square = a.square().sum(-1)
        return (square > 1e-12).where(square, 1e-12).sqrt()

    return 1 - (z * y).sum(-1) / (length(z) * length(y))


#: values of a loss: one for each output where it is elementwise, else one for each term
LOSSES: Dict[str, Callable[[Any, Tensor, Tensor], Tensor]] = {
    "mse": lambda loss, p, y: (p - y).square(),
    "mae": lambda loss, p, y: (p - y).abs(),
    "huber": huber,
    "log_cosh": lambda loss, p, y: (p - y) + (-2 * (p - y)).softplus() - math.log(2),
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "kl_divergence": lambda loss, z, y: (y * ((y > 0).where(y, 1).log() - z)).sum(-1),
    "cosine_similarity": cosine_distance,
    "poisson": lambda loss, z, y: z.exp() - y * z,
    "hinge": lambda loss, z, y: (1 - y * z).relu(),
    "perceptron": lambda loss, z, y: (y * z <= 0).where(-y * z, 0),
}


def penalty(penalties: Mapping[str, Tuple[float, float]], parameters: Arrays) -> Any:
    """l1 sum(|p|) + l2 sum(p^2) of all parameters that have one."""
    return sum(l1 * parameters[name].abs().sum() + l2 * parameters[name].square().sum() for name, (l1, l2) in penalties.items())


#: numpy's names for what update rules, clipping and schedules do to tensors
OPS = SimpleNamespace(
    sqrt=Tensor.sqrt, abs=Tensor.abs, sign=Tensor.sign, sum=Tensor.sum, cos=Tensor.cos, floor=Tensor.floor, power=lambda b, e: b**e,
    maximum=lambda a, b: a.maximum(b), minimum=lambda a, b: a.minimum(b), where=lambda condition, a, b: condition.where(a, b),
)  # fmt: skip


def nadam(spec: Any, p: Tensor, g: Tensor, slots: Mapping[str, Tensor], count: Tensor, shares: Tensor) -> Any:
    """rules.nadam, whose product of the shares u_1 ... u_t needs a `count` that is no tensor: here it is kept in `shares`."""
    share, ahead = nadam_share(spec, count), nadam_share(spec, count + 1)
    kept = rules.moments(spec, g, slots)
    first = ahead / (1 - shares * ahead) * kept["first_moment"] + (1 - share) / (1 - shares) * g
    return first / rules.corrected_root(spec, kept["second_moment"], count, OPS), kept


def nadam_share(spec: Any, count: Any) -> Any:
    """u_t of NAdam."""
    return spec.beta_1 * (1 - 0.96 ** (count / 250) / 2)


class Ruled(nn.optim.Optimizer):
    """An optimizer that tinygrad lacks, as its users write one: by `_step`. What counts is float64: tinygrad's powers are not exact."""

    def __init__(self, tensors: List[Tensor], spec: Any) -> None:
        super().__init__(tensors, spec.learning_rate)
        self.spec = spec
        self.count, self.shares = Tensor([0.0], dtype="float64"), Tensor([1.0], dtype="float64")
        self.slots = {slot: self._new_optim_param() for slot in active_slots(spec) if slot != "accumulated"}

    def _step(self, params: List[Tensor], grads: List[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        spec, found = self.spec, []
        self.count.assign(self.count + 1)
        if spec.type == "nadam":
            self.shares.assign(self.shares * nadam_share(spec, self.count))
        rule, extra = (nadam, self.shares) if spec.type == "nadam" else (rules.RULES[spec.type], OPS)
        for index, (parameter, gradient) in enumerate(zip(params, grads)):
            slots = {slot: tensors[index] for slot, tensors in self.slots.items()}
            direction, kept = rule(spec, parameter.detach(), gradient, slots, self.count, extra)
            for slot, tensor in slots.items():
                tensor.assign(kept[slot])
            found.append(self.lr * direction.cast(parameter.dtype))
        return found, [self.count, self.shares, *(tensor for tensors in self.slots.values() for tensor in tensors)]

    def _apply_update(self, t: Tensor, up: Tensor) -> Tensor:
        decay = self.spec.decoupled_decay
        return t.detach() - up - self.lr * decay * t.detach() if decay else t.detach() - up


#: tinygrad's own optimizers, of the spec and the parameters
OPTIMIZERS: Dict[str, Callable[[Any, List[Tensor]], Any]] = {
    "sgd": lambda o, tensors: nn.optim.SGD(tensors, o.learning_rate, o.momentum, nesterov=o.nesterov),
    "adam": lambda o, tensors: nn.optim.Adam(tensors, o.learning_rate, o.beta_1, o.beta_2, o.epsilon),
    "adamw": lambda o, tensors: nn.optim.AdamW(tensors, o.learning_rate, o.beta_1, o.beta_2, o.epsilon, o.weight_decay),
    "lamb": lambda o, tensors: nn.optim.LAMB(tensors, o.learning_rate, o.beta_1, o.beta_2, o.epsilon, o.weight_decay),
}
SLOTS = {"velocity": "b", "first_moment": "m", "second_moment": "v"}


def optimizer(spec: Any, tensors: List[Tensor]) -> Tuple[Any, Dict[str, List[Tensor]]]:
    """tinygrad's own where it has one, decoupled decay included; and its slots by the spec's names."""
    if spec.type not in OPTIMIZERS or (spec.decoupled_decay and spec.type != "adamw"):
        own = Ruled(tensors, spec)
        return own, own.slots
    found = OPTIMIZERS[spec.type](spec, tensors)
    return found, {slot: getattr(found, SLOTS[slot]) for slot in active_slots(spec) if slot in SLOTS}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    layers = {*LAYERS, *NOISE, "batch_normalization"}
    reasons = shared.unsupported(
        spec, layers=layers, activations=ACTIVATIONS, losses=LOSSES, optimizers=rules.RULES, options=OPTIONS
    )
    if not (shutil.which("clang") or util.find_spec("ziglang")):
        reasons.append("tinygrad's CPU device needs clang, or the package ziglang in its place")
    return reasons + (["this adapter uses tinygrad on the CPU only"] if device == "gpu" else [])


def versions() -> Dict[str, Any]:
    """Versions of tinygrad and numpy, and the compiler that tinygrad calls."""
    return {"tinygrad": metadata.version("tinygrad"), "numpy": numpy.__version__, "compiler": Path(os.environ["CC"]).name}


class Program:
    """Parameters, statistics and slots in tensors that keep their buffers, and one captured step for each shape of a batch."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        Tensor.manual_seed(0)  # of tinygrad's own dropout
        self.spec, self.dtype, self.trained = spec, dtype, spec.nodes[: spec.loss_node + 1]
        self.every = spec.optimizer.gradient_accumulation_steps
        self.parameters = own = {item.name: Tensor.zeros(item.shape) for item in spec.parameters}
        self.statistics = {item.name: Tensor.zeros(item.shape) for item in spec.statistics}
        self.optimizer, slots = optimizer(spec.optimizer, [*own.values()])
        self.sums = [Tensor.zeros(item.shape) for item in spec.parameters] if self.every > 1 else []
        lists = {"parameters": own.values(), "slots/accumulated": self.sums, **{f"slots/{slot}": slots[slot] for slot in slots}}
        self.kept = {f"{group}/{name}": tensor for group, tensors in lists.items() for name, tensor in zip(own, tensors)}
        self.kept.update({f"statistics/{name}": tensor for name, tensor in self.statistics.items()})
        self.kept.update({name: tensor for name, tensor in vars(self.optimizer).items() if name in ("b1_t", "b2_t")})
        for tensor in [self.optimizer.lr, *self.kept.values()]:  # all that nn.optim keeps is float32
            tensor.replace(tensor.cast(dtype).contiguous().realize())
        self.rate, self.updates = self.optimizer.lr, Tensor([0.0], dtype="float64").realize()
        self.captured = lru_cache(None)(lambda shape, count, due: TinyJit(partial(self.stepped, due)))

    def load(self, state: State) -> None:
        o, made = self.spec.optimizer, state.step // self.every
        betas = {"b1_t": getattr(o, "beta_1", 0.0), "b2_t": getattr(o, "beta_2", 0.0)}
        self.steps, arrays = state.step, {**flat_state(state), **{name: [b**made] for name, b in betas.items()}}
        for name, tensor in self.kept.items():
            tensor.assign(Tensor(numpy.asarray(arrays[name], self.dtype))).realize()
        self.updates.assign(Tensor([float(made)], dtype="float64")).realize()
        if isinstance(self.optimizer, Ruled):
            shares = nadam_share(o, numpy.arange(1, made + 1)) if o.type == "nadam" else []
            self.optimizer.count.assign(Tensor([float(made)], dtype="float64")).realize()
            self.optimizer.shares.assign(Tensor([float(numpy.prod(shares))], dtype="float64")).realize()

    def state(self) -> State:
        return nested_state({**{name: tensor.numpy() for name, tensor in self.kept.items()}, "step": self.steps})

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: Tensor(array).realize())

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, Tensor.numpy)

    def compile(self, staged: Any) -> Dict[str, float]:
        before, shapes = self.state(), {batch[0].shape: batch for batch in staged}
        traces = [self.train([batch], 2 * self.every) for batch in shapes.values()]  # TinyJit captures its second call
        self.load(before)
        return {"compile": sum(trace.stamps[-1] - trace.stamps[0] for trace in traces) / 1e9}

    def loss(
        self, nodes: Sequence[Node], taps: Optional[Sequence[Tensor]], x: Tensor, y: Tensor, *given: Tensor
    ) -> Tuple[Tensor, List[Tensor], Arrays]:
        """The loss of a training step with its penalties, every output, and the moved statistics."""
        weights, *masks = given if self.spec.weighted else (None, *given)
        found, moved = outputs(nodes, {**self.parameters, **self.statistics}, x, True, masks, taps)
        loss = self.spec.loss
        value = shared.reduced(loss, LOSSES[loss.type](loss, found[self.spec.loss_node], y), weights)
        return value + penalty(self.spec.penalties, self.parameters), found, moved

    def stepped(self, due: bool, *batch: Tensor) -> Tensor:
        """One training step, which ends with an update where one is `due`."""
        with Context(TRAINING=1):
            self.optimizer.zero_grad()
            loss, _, moved = self.loss(self.trained, None, *batch)
            loss.backward()
            changed = [self.statistics[name].assign(tensor) for name, tensor in moved.items()]
            return loss.realize(*changed, *self.gathered(due), *(self.optimized() if due else []))

    def gathered(self, due: bool) -> List[Tensor]:
        """Add the gradients up, where an update takes several steps; one that is `due` takes their mean."""
        for total, parameter in zip(self.sums, self.optimizer.params):
            gathered = total + parameter.grad
            parameter.grad = gathered / self.every
            total.assign(gathered.zeros_like() if due else gathered)
        return self.sums

    def optimized(self) -> List[Tensor]:
        """Clip and decay the gradients, set the learning rate, and let the optimizer step."""
        o, parameters = self.spec.optimizer, self.optimizer.params
        clipped = rules.clipped(o, [parameter.grad for parameter in parameters], OPS)
        for parameter, gradient in zip(parameters, clipped):
            parameter.grad = gradient + o.coupled_decay * parameter.detach() if o.coupled_decay else gradient
        if o.schedule is None:
            return self.optimizer.schedule_step()  # type: ignore[no-any-return]
        self.updates.assign(self.updates + 1)
        self.optimizer.lr = (self.rate * o.schedule.factor(self.updates - 1, OPS)).cast(self.rate.dtype)
        return [self.updates, *self.optimizer.schedule_step()]

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        return shared.loop(self.step, staged, steps, read_every, Tensor.item)

    def step(self, x: Tensor, *rest: Tensor) -> Tensor:
        self.steps += 1
        return self.captured(x.shape, len(rest), self.steps % self.every == 0)(x, *rest)

    def probe(self, batch: Batch) -> Probe:
        nodes, masks = self.spec.nodes, shared.masked(self.spec, batch.masks)
        x, *rest = self.stage([Batch(batch.inputs, batch.targets, masks, batch.weights)])[0]
        taps = [Tensor(numpy.zeros((x.shape[0], *node.output_shape), self.dtype)) for node in nodes]
        loss, found, _ = self.loss(nodes, taps, x, *rest)
        gradients = loss.gradient(*self.parameters.values(), *taps, *([] if self.spec.integer_inputs else [x]))
        loss.realize(*found, *gradients)
        left, names = map(Tensor.numpy, [*found, *gradients]), [node.name for node in nodes]
        values, own, back = ({name: next(left) for name in group} for group in (names, self.parameters, names))
        return Probe(loss.item(), values, own, back, next(left, None))

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        held = {**self.parameters, **self.statistics}
        return [outputs(self.spec.nodes, held, batch[0])[0][-1].numpy() for batch in staged]
