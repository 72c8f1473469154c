"""Data sets as data: which rows there are and what is done to them. The harness loads, splits, scales and encodes them once
(harness.data); every arm gets the same arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Optional, Tuple, Union

from .fields import Shape, Spec, about

#: how targets can be written down; see `Data.targets`
ENCODINGS = ("integer", "one_hot", "binary", "sign", "value")


class Facts(NamedTuple):
    """What is known of a data set before it is loaded.

    Attributes:
        rows: how many.
        features: numbers of one input.
        classes: of the targets; None for a regression.
        outputs: number of target values a row (or a step) has, for a regression.
        steps: axes of one target before its classes or values: `(T,)` where each of T steps has one.
        integers: where inputs are whole numbers for an embedding, one more than the largest.
        weighted: whether rows bring sample weights.
        shape: natural shape of one input, where it is no vector.
    """

    rows: int
    features: int
    classes: Optional[int]
    outputs: int = 1
    steps: Shape = ()
    integers: Optional[int] = None
    weighted: bool = False
    shape: Shape = ()


@dataclass(frozen=True)
class Data(Spec):
    """One data set and its preparation."""

    shape: Optional[Tuple[int, ...]] = field(
        default=None, metadata=about("shape of one input, channels last, e.g. [8, 8, 1]; a vector when not given", gt=0)
    )
    targets: Optional[str] = field(
        default=None,
        metadata=about(
            "how targets are written: integer (classes), one_hot, binary (0 and 1), sign (-1 and 1), value; inputs: the inputs "
            "themselves (an autoencoder); the loss's own when not given",
            choices=(*ENCODINGS, "inputs"),
        ),
    )
    test_fraction: float = field(
        default=0.0,
        metadata=about(
            "share of the rows kept for testing, drawn by the harness", ge=0, lt=1, also={"test_size": "scikit-learn"}
        ),
    )
    scale: float = field(default=1.0, metadata=about("inputs are divided by this", gt=0))
    standardize: bool = field(
        default=False, metadata=about("inputs to mean 0 and deviation 1 of the training rows", also={"normalize": "other tools"})
    )
    standardize_targets: bool = field(default=False, metadata=about("the same for the targets of a regression"))
    integer_inputs: bool = field(
        default=False,
        metadata=about(
            "inputs are whole numbers from 0 on, for an embedding; they are not scaled", also={"tokens": "other tools"}
        ),
    )

    #: static facts of bundled data sets
    facts: ClassVar[Optional[Facts]] = None


@dataclass(frozen=True)
class Gate(Data):
    """The truth table of a logic gate: four rows, two inputs."""

    and_input: bool = field(default=False, metadata=about("a third input: the AND of the two (it makes XOR linearly separable)"))
    repeat: int = field(default=1, metadata=about("how often the four rows stand in the data", gt=0))


@dataclass(frozen=True)
class And(Gate):
    """Logic AND of two inputs."""

    type = "and"


@dataclass(frozen=True)
class Or(Gate):
    """Logic OR of two inputs."""

    type = "or"


@dataclass(frozen=True)
class Xor(Gate):
    """Logic XOR of two inputs: no line separates its classes (Minsky & Papert 1969)."""

    type = "xor"


@dataclass(frozen=True)
class Generated(Data):
    """Points drawn by the harness from the experiment's seed."""

    rows: int = field(default=400, metadata=about("number of rows", gt=1, also={"n_samples": "scikit-learn"}))
    noise: float = field(default=0.1, metadata=about("standard deviation of the noise", ge=0))


@dataclass(frozen=True)
class Moons(Generated):
    """Two interleaved half circles."""

    type = "moons"
    also = {"two_moons": "other tools", "make_moons": "scikit-learn"}


@dataclass(frozen=True)
class Spirals(Generated):
    """`classes` spirals wound into each other."""

    classes: int = field(default=2, metadata=about("number of spirals", gt=1))
    turns: float = field(default=1.0, metadata=about("how often each winds round", gt=0))
    type = "spirals"


@dataclass(frozen=True)
class Blobs(Generated):
    """`classes` round clouds, their centres on a circle of radius 2."""

    classes: int = field(default=3, metadata=about("number of clouds", gt=1, also={"centers": "scikit-learn"}))
    type = "blobs"
    also = {"make_blobs": "scikit-learn"}


@dataclass(frozen=True)
class Line(Generated):
    """y = slope x + intercept + noise, x evenly in [-1, 1]."""

    slope: float = field(default=2.0, metadata=about("rise of the line"))
    intercept: float = field(default=0.5, metadata=about("value at x = 0"))
    type = "line"


@dataclass(frozen=True)
class Sine(Generated):
    """Windows of sine waves of random phase and frequency, `(length, 1)`; the target is the value `ahead` steps behind the window."""

    length: int = field(default=32, metadata=about("steps of a window", gt=1))
    ahead: int = field(default=1, metadata=about("how far ahead the target lies", gt=0))
    type = "sine"
    also = {"sine_wave": "other tools"}


@dataclass(frozen=True)
class Random(Data):
    """Standard normal inputs and targets, or whole numbers and classes, all equally likely; of any shape, to try a model, not to learn."""

    rows: int = field(default=8, metadata=about("number of rows", gt=0, also={"n_samples": "scikit-learn"}))
    classes: Optional[int] = field(default=None, metadata=about("number of classes; targets are values when not given", gt=1))
    target_shape: Optional[Tuple[int, ...]] = field(
        default=None,
        metadata=about(
            "shape of one target, its classes not counted; one value, or one class, when not given", gt=0, min_length=1
        ),
    )
    below: int = field(default=2, metadata=about("where inputs are whole numbers: one more than the largest", gt=0))
    weighted: bool = field(default=False, metadata=about("rows bring sample weights, evenly from 0 to 2"))
    type = "random"
    also = {"synthetic": "other tools", "dummy": "other tools"}

    @property
    def known(self) -> Facts:
        """What is known of it."""
        shape = self.shape or (1,)
        integers = self.below if self.integer_inputs else None
        *steps, outputs = self.target_shape or (1,) if self.classes is None else (*(self.target_shape or ()), 1)
        return Facts(self.rows, math.prod(shape), self.classes, outputs, tuple(steps), integers, self.weighted, shape)


@dataclass(frozen=True)
class Iris(Data):
    """Iris flowers: 150 rows, 4 measures, 3 species (Fisher 1936)."""

    type = "iris"
    facts = Facts(150, 4, 3)


@dataclass(frozen=True)
class Wine(Data):
    """Wines: 178 rows, 13 measures, 3 growers."""

    type = "wine"
    facts = Facts(178, 13, 3)


@dataclass(frozen=True)
class BreastCancer(Data):
    """Breast cancer, Wisconsin: 569 rows, 30 measures, 2 classes."""

    type = "breast_cancer"
    facts = Facts(569, 30, 2)


@dataclass(frozen=True)
class Diabetes(Data):
    """Diabetes progression: 442 rows, 10 measures, one value."""

    type = "diabetes"
    facts = Facts(442, 10, None)


@dataclass(frozen=True)
class Digits(Data):
    """Hand-written digits: 1797 images of 8x8 grey values from 0 to 16, 10 classes."""

    type = "digits"
    facts = Facts(1797, 64, 10, integers=17)


@dataclass(frozen=True)
class File(Data):
    """The user's own data."""

    path: str = field(default="", metadata=about("the file, relative to the experiment", required=True, min_length=1))


@dataclass(frozen=True)
class Table(File):
    """A file of named columns, all numbers; `target` names the columns to learn, every other one is an input."""

    target: Union[str, Tuple[str, ...]] = field(
        default="",
        metadata=about("the column (or columns) to learn", required=True, also={"label": "other tools", "y": "other tools"}),
    )
    inputs: Optional[Tuple[str, ...]] = field(
        default=None,
        metadata=about("the columns to learn from; all but the target when not given", also={"features": "other tools"}),
    )
    sample_weight: Optional[str] = field(
        default=None, metadata=about("the column of sample weights", min_length=1, also={"weights": "other tools"})
    )
    task: str = field(
        default="classification",
        metadata=about("classification (targets are classes) or regression", choices=("classification", "regression")),
    )


@dataclass(frozen=True)
class CSV(Table):
    """A CSV file with a header line."""

    type = "csv"


@dataclass(frozen=True)
class Parquet(Table):
    """A Parquet file."""

    type = "parquet"


@dataclass(frozen=True)
class NPZ(File):
    """A NumPy archive with two arrays, rows first. Integer targets are classes, one a row or one a step; others are values."""

    inputs: str = field(default="x", metadata=about("name of the array of inputs"))
    target: str = field(default="y", metadata=about("name of the array of targets"))
    sample_weight: Optional[str] = field(
        default=None, metadata=about("name of the array of sample weights", min_length=1, also={"weights": "other tools"})
    )
    type = "npz"


@dataclass(frozen=True)
class Text(File):
    """A text, letter by letter, cut into pieces of `length`: inputs are the letters as whole numbers, in the order of their code points,
    the target of each is the letter behind it."""

    length: int = field(default=32, metadata=about("letters of a piece", gt=1))
    stride: Optional[int] = field(
        default=None, metadata=about("letters from one piece to the next; `length` when not given", gt=0)
    )
    integer_inputs: bool = field(default=True, metadata=about("letters are whole numbers"))
    type = "text"
    also = {"characters": "other tools"}


def known_facts(data: Data) -> Optional[Facts]:
    """What is known of a data set without opening a file; nothing for the user's own."""
    if isinstance(data, Gate):
        return Facts(4 * data.repeat, 3 if data.and_input else 2, 2)
    if isinstance(data, Line):
        return Facts(data.rows, 1, None)
    if isinstance(data, Sine):
        return Facts(data.rows, data.length, None, shape=(data.length, 1))
    if isinstance(data, (Spirals, Blobs)):
        return Facts(data.rows, 2, data.classes)
    if isinstance(data, Moons):
        return Facts(data.rows, 2, 2)
    if isinstance(data, Random):
        return data.known
    known = data.facts
    return known if known is None or data.integer_inputs else known._replace(integers=None)


def input_shape(data: Data, facts: Facts) -> Shape:
    """Shape of one input, without the batch axis."""
    return data.shape or facts.shape or (facts.features,)
