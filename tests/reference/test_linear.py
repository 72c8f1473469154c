"""Linear layers in shapes that hypothesis draws: odd, even, one, no squares, strides over the window, one row. Each is its formula, and
its gradient the transposed map: <J v, w> = <v, J' w>, for inputs and for parameters."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from harness.spec import Layer, family
from harness.spec import layers as kinds

from . import formulas
from .measure import Alone, alone

#: without shrinking: the shapes are small as they are
CHECKED = settings(max_examples=25, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


@st.composite
def windows(draw: Any, rank: int, dilated: bool = True) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Options of a window that moves, and a shape of what it moves over without the channels."""

    def each(most: int) -> Any:
        return tuple(draw(st.integers(1, most)) for _ in range(rank))

    options: dict[str, Any] = {"window": each(4), "strides": each(4), "dilation_rate": each(3) if dilated else (1,) * rank}
    sides = st.tuples(*[st.integers(0, 2)] * (2 * rank))
    options["padding"] = draw(st.one_of(st.sampled_from(["valid", "same"]), sides))
    return options, each(7)


def possible(layer: Layer, *shapes: tuple[int, ...]) -> bool:
    """Whether a layer can take inputs of some shapes."""
    try:
        layer.output_shape(*shapes)
    except ValueError:
        return False
    return True


@st.composite
def convolutions(draw: Any, kind: Any) -> tuple[Layer, tuple[int, ...]]:
    """One convolution and its input's shape."""
    options, size = draw(windows(kind.rank))
    options["kernel_size"] = options.pop("window")
    channels = draw(st.integers(1, 3))
    if kind is kinds.DepthwiseConv2D:
        options["depth_multiplier"] = draw(st.integers(1, 2))
    elif kind is kinds.Conv2DTranspose:
        options["filters"] = draw(st.integers(1, 3))
        if options["padding"] != "same":
            options["output_padding"] = draw(st.integers(0, 1))
    else:
        options["groups"] = draw(st.integers(1, 2))
        options["filters"], channels = options["groups"] * draw(st.integers(1, 2)), options["groups"] * channels
    layer, shape = kind(use_bias=False, **options), (*size, channels)
    assume(possible(layer, shape))
    return layer, shape


@st.composite
def poolings(draw: Any, kind: Any) -> tuple[Layer, tuple[int, ...]]:
    """One pooling layer and its input's shape."""
    options, size = draw(windows(kind.rank, dilated=False))
    more = {} if issubclass(kind, kinds.MaxPooling) else {"count_padding": draw(st.booleans())}
    layer, shape = kind(pool_size=options["window"], strides=options["strides"], padding=options["padding"], **more), (*size, 2)
    assume(possible(layer, shape))
    return layer, shape


@st.composite
def resizings(draw: Any, kind: Any) -> tuple[Layer, tuple[int, ...]]:
    """One up-sampling, padding or cropping layer and its input's shape."""
    size = tuple(draw(st.integers(1, 6)) for _ in range(kind.rank))
    numbers = tuple(draw(st.integers(0, 2)) for _ in range(2 * kind.rank))
    if issubclass(kind, kinds.UpSampling):
        options: dict[str, Any] = {"size": tuple(draw(st.integers(1, 4)) for _ in range(kind.rank))}
        if kind.rank == 2:
            options["interpolation"] = draw(st.sampled_from(["nearest", "bilinear"]))
    else:
        options = {"padding" if issubclass(kind, kinds.ZeroPadding) else "cropping": numbers}
    layer, shape = kind(**options), (*size, draw(st.integers(1, 3)))
    assume(possible(layer, shape))
    return layer, shape


@st.composite
def others(draw: Any, kind: Any) -> tuple[Layer, tuple[int, ...]]:
    """One layer that takes any axes, and its input's shape."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    axis = draw(st.integers(1, len(shape)))
    places = draw(st.permutations(range(shape[axis - 1])))
    order = tuple(draw(st.permutations(range(1, len(shape) + 1))))
    options: dict[Any, dict[str, Any]] = {
        kinds.Dense: {"units": draw(st.integers(1, 4)), "use_bias": False},
        kinds.Permute: {"dims": order},
        kinds.Reshape: {"target_shape": tuple(shape[at - 1] for at in order)},
        kinds.Take: {
            "axis": axis,
            "indices": tuple(places[: draw(st.integers(1, len(places)))])
            if draw(st.booleans())
            else draw(st.sampled_from([0, -1])),
        },
    }
    if kind in (kinds.GlobalAveragePooling1D, kinds.GlobalAveragePooling2D):
        shape = tuple(draw(st.integers(1, 5)) for _ in range(kind.rank + 1))
    layer = kind(**options.get(kind, {}))
    assume(possible(layer, shape))
    return layer, shape


#: strategies of linear layers by their type
LINEAR: dict[str, Any] = {}
for name, cls in family(Layer).items():
    if issubclass(cls, (kinds.Convolution, kinds.DepthwiseConv2D, kinds.Conv2DTranspose)):
        LINEAR[name] = convolutions(cls)
    elif issubclass(cls, kinds.AveragePooling):
        LINEAR[name] = poolings(cls)
    elif issubclass(cls, (kinds.UpSampling, kinds.ZeroPadding, kinds.Cropping)):
        LINEAR[name] = resizings(cls)
    elif name in ("dense", "flatten", "reshape", "permute", "take", "global_average_pooling1d", "global_average_pooling2d"):
        LINEAR[name] = others(cls)


def backwards(one: Alone) -> tuple[Any, Any, tuple[Any, ...]]:
    """A layer's output, a random gradient there, and what it gives back."""
    y = one.layer.forward(*one.inputs)
    w = numpy.random.Generator(numpy.random.Philox(9)).standard_normal(y.shape).astype(numpy.float32).astype(y.dtype)
    kept = w.copy()
    found = one.layer.backward(w)
    assert numpy.array_equal(w, kept)
    return y, w, found if isinstance(found, tuple) else (found,)


def check_linear(one: Alone) -> None:
    """The formula; the adjoint for the inputs and for every kernel; a power of two goes through to the bit."""
    y, w, found = backwards(one)
    right = formulas.LAYERS[one.layer.node.layer.type](one.layer.node, one.parameters, *one.inputs)
    assert y.shape == right.shape == (len(one.inputs[0]), *one.layer.node.output_shape)
    assert numpy.allclose(y, right, rtol=1e-13, atol=1e-13)
    product, size = float((y * w).sum()), float(abs(y * w).sum())
    assert abs(sum(float((x * dx).sum()) for x, dx in zip(one.inputs, found, strict=True)) - product) <= 1e-13 * max(size, 1)
    assert all(dx.shape == x.shape for x, dx in zip(one.inputs, found, strict=True))
    for short, kernel in one.parameters.items():
        assert abs(float((kernel * one.gradients[short]).sum()) - product) <= 1e-13 * max(size, 1), short
    assert numpy.array_equal(one.layer.forward(*(8 * x for x in one.inputs)), 8 * y)


@pytest.mark.parametrize("kind", LINEAR)
def test_linear_layers(kind: str) -> None:
    """The transposed map, in all shapes."""

    @CHECKED
    @given(LINEAR[kind], st.integers(1, 4), st.integers(0, 2**16))
    def law(drawn: Any, rows: int, seed: int) -> None:
        layer, shape = drawn
        check_linear(alone(layer, shape, rows=rows, seed=seed))

    law()


@pytest.mark.parametrize("kind", ["add", "average", "concatenate"])
@CHECKED
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(2, 4), st.data())
def test_linear_merges(kind: str, shape: list[int], count: int, data: Any) -> None:
    """The same with several inputs."""
    shapes = [tuple(shape)] * count
    layer: Layer = family(Layer)[kind]()
    if isinstance(layer, kinds.Concatenate):
        axis = data.draw(st.integers(1, len(shape)))
        layer = kinds.Concatenate(axis=-1 if axis == len(shape) and data.draw(st.booleans()) else axis)
        shapes = [(*shape[: axis - 1], data.draw(st.integers(1, 3)), *shape[axis:]) for _ in range(count)]
    check_linear(alone(layer, *shapes))


@pytest.mark.parametrize("kind", [kinds.MaxPooling1D, kinds.MaxPooling2D], ids=lambda kind: kind.type)
def test_max_pooling(kind: Any) -> None:
    """The formula, in all shapes; every gradient goes to one place of its window, the first of the largest."""

    @CHECKED
    @given(poolings(kind), st.integers(1, 3), st.integers(0, 2**16), st.booleans())
    def law(drawn: Any, rows: int, seed: int, ties: bool) -> None:
        layer, shape = drawn
        one = alone(layer, shape, rows=rows, seed=seed)
        if ties:
            one.inputs[0][...] = numpy.sign(one.inputs[0])
        y, w, (dx,) = backwards(one)
        assert numpy.array_equal(y, formulas.LAYERS[layer.type](one.layer.node, {}, *one.inputs))
        assert abs(dx.sum() - w.sum()) <= 1e-13 * abs(w).sum()
        assert numpy.array_equal(dx, first_of_largest(layer, one.inputs[0], w))

    law()


def first_of_largest(layer: Any, x: Any, w: Any) -> Any:
    """The gradient of a max pooling, window by window."""
    dx = numpy.zeros_like(x)
    ones = (1,) * layer.rank
    for place in numpy.ndindex(*w.shape[1:-1]):
        where = [at for _, at in formulas.read(x.shape[1:-1], layer.window, layer.stride, ones, layer.pads(x.shape[1:]), place)]
        first = numpy.argmax([x[(slice(None), *at)] for at in where], axis=0)
        for row, channel in numpy.ndindex(*first.shape):
            dx[(row, *where[first[row, channel]], channel)] += w[(row, *place, channel)]
    return dx


@pytest.mark.parametrize("kind", [kinds.GlobalMaxPooling1D, kinds.GlobalMaxPooling2D], ids=lambda kind: kind.type)
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (5, 2)])
def test_global_max_pooling(kind: Any, shape: tuple[int, int]) -> None:
    """All gradients go to the first of the largest."""
    one = alone(kind(), (*([2] if kind.rank == 2 else []), *shape), rows=4)
    for ties in (False, True):
        if ties:
            one.inputs[0][...] = numpy.sign(one.inputs[0])
        _, w, (dx,) = backwards(one)
        flat, given = one.inputs[0].reshape(4, -1, shape[1]), dx.reshape(4, -1, shape[1])
        for row, channel in numpy.ndindex(*w.shape):
            right = numpy.zeros(flat.shape[1])
            right[numpy.argmax(flat[row, :, channel])] = w[row, channel]
            assert numpy.array_equal(given[row, :, channel], right)


def test_convolution_is_a_dense_layer_on_columns() -> None:
    """conv2d is dense on the image's patches, values and gradients."""
    one = alone(kinds.Conv2D(filters=4, kernel_size=(2, 3), use_bias=False), (5, 6, 2))
    dense = alone(kinds.Dense(units=4, use_bias=False), (12,), rows=3 * 4 * 4)
    x = one.inputs[0]
    patches = numpy.stack([x[:, i : i + 2, j : j + 3].reshape(3, -1) for i in range(4) for j in range(4)], 1)
    dense.parameters["kernel"][...] = one.parameters["kernel"].reshape(12, 4)
    y, w, _ = backwards(one)
    assert numpy.allclose(dense.layer.forward(patches.reshape(48, 12)), y.reshape(48, 4), rtol=1e-13, atol=1e-14)
    dense.layer.backward(w.reshape(48, 4))
    assert numpy.allclose(one.gradients["kernel"].reshape(12, 4), dense.gradients["kernel"], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "kind", [kinds.Conv1D, kinds.Conv2D, kinds.DepthwiseConv2D, kinds.Conv2DTranspose], ids=lambda kind: kind.type
)
def test_biases_of_convolutions(kind: Any) -> None:
    """A bias is added at every place, and its gradient is the sum over all of them."""
    options = {} if kind is kinds.DepthwiseConv2D else {"filters": 3}
    one = alone(kind(kernel_size=2, **options), (*([4] * kind.rank), 2))
    y, w, _ = backwards(one)
    assert numpy.allclose(one.gradients["bias"], w.reshape(-1, w.shape[-1]).sum(0), rtol=1e-13, atol=1e-13)
    bias = one.parameters["bias"].copy()
    one.parameters["bias"][...] = 0
    assert numpy.allclose(one.layer.forward(*one.inputs) + bias, y, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("block", [1, 40, 10**4])
def test_blocks_of_samples(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working on some samples at a time changes nothing, whole blocks and a shorter last one."""
    layers: list[tuple[Layer, tuple[int, ...]]] = [
        (kinds.Conv2D(filters=2, kernel_size=2, padding="same"), (3, 4, 2)),
        (kinds.Conv2D(filters=2, kernel_size=2, groups=2), (3, 4, 2)),
        (kinds.DepthwiseConv2D(kernel_size=2, depth_multiplier=2), (3, 4, 2)),
        (kinds.Conv2DTranspose(filters=2, kernel_size=3, strides=2), (2, 3, 2)),
    ]
    for layer, shape in layers:
        right = backwards(alone(layer, shape, rows=7))
        with monkeypatch.context() as patch:
            patch.setattr("backends.numpy.windows.BLOCK", block)
            one = alone(layer, shape, rows=7)
        y, _, (dx,) = backwards(one)
        assert numpy.allclose(y, right[0], rtol=1e-13, atol=1e-14)
        assert numpy.allclose(dx, right[2][0], rtol=1e-13, atol=1e-14)
        check = alone(layer, shape, rows=7)
        backwards(check)
        for short, gradient in one.gradients.items():
            assert numpy.allclose(gradient, check.gradients[short], rtol=1e-13, atol=1e-13)
        again = alone(layer, shape, rows=7)
        for rows in (2, 7, 3):
            assert numpy.allclose(again.layer.forward(again.inputs[0][:rows]), y[:rows], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (kinds.Conv2D(filters=2, kernel_size=2, padding="same"), (3, 4, 2)),
        (kinds.DepthwiseConv2D(kernel_size=2), (3, 4, 2)),
        (kinds.Conv2DTranspose(filters=2, kernel_size=3, strides=2), (2, 3, 2)),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_order_in_memory(layer: Layer, shape: tuple[int, ...]) -> None:
    """A view whose axes stand in another order, as `permute` gives it, is an array like any other."""
    one = alone(layer, shape)
    y, w, (dx,) = backwards(one)
    right = {short: gradient.copy() for short, gradient in one.gradients.items()}
    turned = numpy.asfortranarray(one.inputs[0])
    assert numpy.array_equal(one.layer.forward(turned), y)
    assert numpy.array_equal(one.layer.backward(numpy.asfortranarray(w)), dx)
    for short, gradient in one.gradients.items():
        assert numpy.allclose(gradient, right[short], rtol=1e-13, atol=1e-13)
