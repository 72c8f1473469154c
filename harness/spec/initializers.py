"""How initial weights are drawn. The harness draws them (harness.data.draw); no framework does.

Formulas: Glorot & Bengio 2010, He et al. 2015, LeCun et al. 1998. Normal ones are truncated at two standard deviations and
rescaled to keep their variance, as in Keras (torch.nn.init does not truncate).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Tuple

from .fields import Spec, about


@dataclass(frozen=True)
class Initializer(Spec):
    """How one parameter gets its first values."""


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros."""

    type = "zeros"


@dataclass(frozen=True)
class Ones(Initializer):
    """All ones."""

    type = "ones"


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """U(-a, a), a = sqrt(6 / (fan_in + fan_out))."""

    type = "glorot_uniform"
    also = {"glorot": "short", "xavier": "short", "xavier_uniform": "PyTorch", "xavier_uniform_": "PyTorch"}


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    type = "glorot_normal"
    also = {"xavier_normal": "PyTorch", "xavier_normal_": "PyTorch"}


@dataclass(frozen=True)
class HeUniform(Initializer):
    """U(-a, a), a = sqrt(6 / fan_in)."""

    type = "he_uniform"
    also = {"he": "short", "kaiming": "short", "kaiming_uniform": "PyTorch", "kaiming_uniform_": "PyTorch"}


@dataclass(frozen=True)
class HeNormal(Initializer):
    """Truncated normal, variance 2 / fan_in."""

    type = "he_normal"
    also = {"kaiming_normal": "PyTorch", "kaiming_normal_": "PyTorch"}


@dataclass(frozen=True)
class LecunUniform(Initializer):
    """U(-a, a), a = sqrt(3 / fan_in)."""

    type = "lecun_uniform"
    also = {"lecun": "short"}


@dataclass(frozen=True)
class LecunNormal(Initializer):
    """Truncated normal, variance 1 / fan_in."""

    type = "lecun_normal"


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """U(minval, maxval)."""

    minval: float = field(default=-0.05, metadata=about("lower end", also={"a": "PyTorch", "low": "NumPy"}))
    maxval: float = field(default=0.05, metadata=about("upper end", also={"b": "PyTorch", "high": "NumPy"}))
    type = "random_uniform"
    also = {"uniform": "PyTorch and JAX", "uniform_": "PyTorch"}


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """N(mean, stddev^2), not truncated."""

    mean: float = field(default=0.0, metadata=about("mean", also={"loc": "NumPy"}))
    stddev: float = field(default=0.05, metadata=about("standard deviation", ge=0, also={"std": "PyTorch", "scale": "NumPy"}))
    type = "random_normal"
    also = {"normal": "PyTorch and JAX", "normal_": "PyTorch"}


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """gain Q, Q of the QR decomposition of a normal matrix with R's diagonal positive: rows or columns, whichever are fewer, at right
    angles (Saxe et al. 2014)."""

    gain: float = field(default=1.0, metadata=about("length of each row or column", also={"scale": "JAX"}))
    type = "orthogonal"
    also = {"orthogonal_": "PyTorch", "OrthogonalInitializer": "Keras"}


@dataclass(frozen=True)
class Array(Initializer):
    """The values themselves, as nested lists in the parameter's canonical layout, e.g. `(in, out)` for a dense kernel."""

    values: Tuple[Any, ...] = field(metadata=about("nested lists of numbers, in the parameter's shape"))
    type = "array"
    also = {"constant": "Keras and JAX", "values": "short", "explicit": "short"}
