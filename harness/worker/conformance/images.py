"""Cases of convolutions, pooling and resizing: odd and even sizes, no squares, strides beyond the window, every kind of padding."""

from __future__ import annotations

from typing import Any, Iterator, Tuple, Type

from ...spec import Dense, Layer
from ...spec.layers import (
    AveragePooling1D,
    AveragePooling2D,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Cropping1D,
    Cropping2D,
    DepthwiseConv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
    Relu,
    SeparableConv2D,
    Tanh,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)  # fmt: skip
from ...spec.regularizers import L1, L2
from .case import Case, case


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (conv1d, conv2d, depthwise, separable, transpose, pooling, resizing):
        yield from part()


def variants(kind: Type[Layer], shape: Tuple[int, ...], **words: Any) -> Iterator[Case]:
    """One case for each word: the layer with its options, alone on an input of this shape unless `rows` and `shape` say otherwise."""
    for name, options in words.items():
        given = {"shape": shape, **{key: options.pop(key) for key in ("shape", "rows") if key in options}}
        yield case(f"{kind.type} {name.replace('_', ' ')}", f"layer/{kind.type}", kind(**options), **given)


def conv1d() -> Iterator[Case]:
    """Steps x channels."""
    yield from variants(
        Conv1D, (7, 2),
        valid={"filters": 3, "kernel_size": 3},
        same_stride_2={"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "shape": (6, 2), "use_bias": False},
        same_even_window={"filters": 2, "kernel_size": 4, "padding": "same", "activation": Tanh()},
        stride_over_window={"filters": 3, "kernel_size": 2, "strides": 3},
        dilation={"filters": 3, "kernel_size": 3, "dilation_rate": 2, "padding": (2, 1), "kernel_regularizer": L2(l2=0.125)},
        groups={"filters": 6, "kernel_size": 2, "groups": 2, "padding": 1, "shape": (5, 4)},
        one_step={"filters": 2, "kernel_size": (1,), "strides": (1,), "shape": (1, 3), "rows": 1},
    )  # fmt: skip


def conv2d() -> Iterator[Case]:
    """Height x width x channels."""
    yield from variants(
        Conv2D, (5, 6, 2),
        valid={"filters": 3, "kernel_size": 3},
        same_stride_2={"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False},
        same_even_window={"filters": 2, "kernel_size": (2, 4), "padding": "same", "activation": Relu()},
        same_stride_over_window={"filters": 2, "kernel_size": 2, "strides": (3, 4), "padding": "same"},
        stride_over_window={"filters": 3, "kernel_size": (1, 2), "strides": (2, 3)},
        explicit={"filters": 2, "kernel_size": (3, 2), "padding": (2, 1), "kernel_regularizer": L1(l1=0.125)},
        asymmetric={"filters": 2, "kernel_size": 3, "padding": (2, 0, 1, 3), "strides": (1, 2)},
        dilation={"filters": 2, "kernel_size": 2, "dilation_rate": (2, 3), "padding": "same"},
        dilation_stride={"filters": 2, "kernel_size": 3, "dilation_rate": 2, "strides": 2, "padding": "same", "shape": (7, 6, 1)},
        groups={"filters": 4, "kernel_size": 3, "groups": 2, "strides": 2, "padding": "same", "shape": (4, 5, 6)},
        groups_of_one={"filters": 6, "kernel_size": 2, "groups": 3, "shape": (3, 3, 3)},
        one_place={"filters": 3, "kernel_size": 1, "shape": (1, 1, 2), "rows": 1},
        one_row={"filters": 3, "kernel_size": 3, "padding": "same", "rows": 1},
        one_by_one={"filters": 2, "kernel_size": 1, "strides": 2, "shape": (6, 12, 2), "rows": 2},
    )  # fmt: skip
    first, second = Conv2D(filters=3, kernel_size=2, activation=Tanh()), Conv2D(filters=2, kernel_size=3)
    yield case("conv2d two", "layer/conv2d", first, second, shape=(5, 6, 1))


def depthwise() -> Iterator[Case]:
    """Each channel alone."""
    yield from variants(
        DepthwiseConv2D, (5, 4, 3),
        valid={"kernel_size": (2, 3)},
        multiplier={"kernel_size": 2, "depth_multiplier": 2, "padding": "same", "activation": Tanh()},
        stride={"kernel_size": 3, "depth_multiplier": 3, "strides": 2, "padding": "same", "use_bias": False, "shape": (6, 5, 2)},
        unequal_strides={"kernel_size": 2, "strides": (1, 2), "kernel_regularizer": L2(l2=0.25)},
        dilation={"kernel_size": 2, "dilation_rate": (2, 1), "padding": (1, 0, 0, 2)},
        one_channel={"kernel_size": 2, "depth_multiplier": 2, "shape": (3, 4, 1), "rows": 1},
    )  # fmt: skip


def separable() -> Iterator[Case]:
    """Depthwise, then pointwise."""
    yield from variants(
        SeparableConv2D, (5, 6, 2),
        same={"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": "same", "activation": Relu()},
        valid={"filters": 2, "kernel_size": (3, 2), "dilation_rate": (1, 2), "use_bias": False, "kernel_regularizer": L2(l2=0.125)},
    )  # fmt: skip


def transpose() -> Iterator[Case]:
    """The way back of a convolution."""
    yield from variants(
        Conv2DTranspose, (3, 4, 2),
        valid={"filters": 3, "kernel_size": 3},
        valid_stride={"filters": 2, "kernel_size": (2, 3), "strides": 2, "activation": Tanh()},
        same={"filters": 3, "kernel_size": (2, 4), "padding": "same"},
        same_stride={"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False},
        same_stride_over_window={"filters": 2, "kernel_size": 2, "strides": 3, "padding": "same"},
        output_padding={"filters": 2, "kernel_size": 3, "strides": (2, 3), "padding": 1, "output_padding": (1, 2)},
        asymmetric={"filters": 2, "kernel_size": 3, "strides": 2, "padding": (1, 0, 2, 1), "kernel_regularizer": L2(l2=0.125)},
        dilation={"filters": 2, "kernel_size": 2, "dilation_rate": (2, 3), "rows": 1},
        one_by_one={"filters": 4, "kernel_size": 1, "strides": 2, "padding": "same", "shape": (7, 6, 2), "rows": 12},
    )  # fmt: skip


def pooling() -> Iterator[Case]:
    """Windows behind a dense layer, so that there is something to learn."""
    for kind, shape in ((MaxPooling1D, (7, 3)), (MaxPooling2D, (5, 6, 3)), (AveragePooling1D, (7, 3)), (AveragePooling2D, (5, 6, 3))):
        flat = len(shape) == 2
        options: Any = {
            "valid": {"pool_size": 2},
            "overlapping": {"pool_size": 3, "strides": 2},
            "stride over window": {"pool_size": 2 if flat else (1, 2), "strides": 3},
            "same": {"pool_size": 3, "strides": 2, "padding": "same"},
            "explicit": {"pool_size": 3 if flat else (3, 2), "strides": 1, "padding": (1, 2) if flat else (1, 1, 0, 1)},
        }
        for name, option in options.items():
            counts = (True, False) if "padding" in option and kind.type.startswith("average") else (None,)
            for count in counts:
                ending = "" if count is None else f" padding {'' if count else 'not '}counted"
                layer = kind(**option) if count is None else kind(**option, count_padding=count)  # type: ignore[call-arg]
                yield case(f"{kind.type} {name}{ending}", f"layer/{kind.type}", Dense(units=2), layer, shape=shape)
    for whole, shape in (
        (GlobalMaxPooling1D, (5, 3)), (GlobalMaxPooling2D, (3, 4, 2)),
        (GlobalAveragePooling1D, (5, 3)), (GlobalAveragePooling2D, (3, 4, 2)),
    ):  # fmt: skip
        yield case(whole.type, f"layer/{whole.type}", Dense(units=3), whole(), Dense(units=2), shape=shape)


def resizing() -> Iterator[Case]:
    """Larger and smaller, in front of a dense layer."""
    layers = {
        "twice": (UpSampling1D(), (3, 2)),
        "three times": (UpSampling1D(size=3), (2, 2)),
        "nearest": (UpSampling2D(), (2, 3, 2)),
        "nearest unequal": (UpSampling2D(size=(3, 1)), (2, 3, 2)),
        "bilinear": (UpSampling2D(size=2, interpolation="bilinear"), (3, 4, 2)),
        "bilinear unequal": (UpSampling2D(size=(3, 2), interpolation="bilinear"), (2, 3, 2)),
        "bilinear one place": (UpSampling2D(size=(2, 4), interpolation="bilinear"), (1, 2, 2)),
        "all sides": (ZeroPadding1D(padding=2), (3, 2)),
        "before and after": (ZeroPadding1D(padding=(0, 3)), (3, 2)),
        "round about": (ZeroPadding2D(padding=1), (2, 3, 2)),
        "each axis": (ZeroPadding2D(padding=(2, 1)), (2, 3, 2)),
        "each side": (ZeroPadding2D(padding=(1, 0, 2, 3)), (2, 3, 2)),
        "both ends": (Cropping1D(cropping=1), (5, 2)),
        "one end": (Cropping1D(cropping=(2, 0)), (5, 2)),
        "all around": (Cropping2D(cropping=1), (4, 5, 2)),
        "unequal": (Cropping2D(cropping=(0, 2)), (3, 5, 2)),
        "four sides": (Cropping2D(cropping=(1, 0, 0, 2)), (4, 5, 2)),
    }
    for name, (layer, shape) in layers.items():
        yield case(f"{layer.type} {name}", f"layer/{layer.type}", Dense(units=2), layer, Dense(units=2), shape=shape)
