"""A look at somebody's own file: what an experiment has to say of it."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..errors import UsageError
from ..spec.reader.problem import printable
from .files import is_number, read_csv, read_parquet

#: whole numbers are classes up to so many different ones
CLASSES = 20
KINDS = {".csv": "csv", ".parquet": "parquet", ".npz": "npz"}


@dataclass(frozen=True)
class Look:
    """What was seen.

    Attributes:
        lines: of the table `[data]`, each a key, its value, and what to know of it.
        rows: how many.
        outputs: numbers that a model has to give.
        classes: whether they are one a class; else they are values.
        about: the file in a few words.
    """

    lines: Sequence[tuple[str, Any, str]]
    rows: int
    outputs: int
    classes: bool
    about: str

    @property
    def text(self) -> str:
        """The table as TOML."""
        written = [(f"{key} = {json.dumps(value, ensure_ascii=False)}", about) for key, value, about in self.lines]
        return "\n".join(f"{line:<33} # {printable(about)}" if about else line for line, about in written)


def look(path: Path, shown: str, target: str | None) -> Look:
    """Look at a CSV, Parquet or NPZ file.

    Args:
        path: the file.
        shown: its name as the experiment has it.
        target: the column or array to learn; the last one (of an archive `y`, or the last) when not given.

    Raises:
        UsageError: it is none, cannot be read, has no such column or array, or nothing to learn from.
    """
    kind = KINDS.get(path.suffix.lower())
    if not path.is_file() or kind is None:
        raise UsageError(f"{path} is no CSV, Parquet or NPZ file", "name one that ends in .csv, .parquet or .npz")
    try:
        return of_archive(path, shown, target) if kind == "npz" else of_table(path, shown, kind, target)
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        raise UsageError(f"cannot read {path}: {problem}") from None


def of_table(path: Path, shown: str, kind: str, target: str | None) -> Look:
    """Named columns."""
    names, columns = read_csv(path) if kind == "csv" else read_parquet(path)
    target = chosen(target or names[-1], names, "column")
    found = dict(zip(names, columns, strict=True))
    words = [name for name in names if name != target and not all(map(is_number, found[name]))]
    inputs = [name for name in names if name != target and name not in words]
    if not inputs:
        raise UsageError(f"{path} has no column of numbers beside {target}", "a model learns from numbers")
    classes = class_count(found[target])
    lines = [
        ("type", kind, "a header line, then a row a line" if kind == "csv" else ""),
        ("path", shown, "relative to this file"),
        ("target", target, "the column to learn"),
        *([("inputs", inputs, f"left out, since they hold words: {', '.join(words)}")] if words else []),
        ("task", "classification" if classes else "regression", f"{classes} classes" if classes else "values; classes would be few"),
    ]
    about = f"{target} from {len(inputs)} column{'s' if len(inputs) > 1 else ''}"
    return Look([*lines, *prepared(bool(classes))], len(found[target]), classes or 1, bool(classes), about)


def of_archive(path: Path, shown: str, target: str | None) -> Look:
    """Arrays."""
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no NPZ archive")
    with numpy.load(path, allow_pickle=False) as archive:
        names = list(archive)
        target = chosen(target or ("y" if "y" in names else names[-1]), names, "array")
        others = [name for name in names if name != target and archive[name].shape[:1] == archive[target].shape[:1]]
        if not others:
            raise UsageError(f"{path} has no array of as many rows as {target}", f"it has {', '.join(names)}")
        inputs = "x" if "x" in others else others[0]
        shape, targets = archive[inputs].shape[1:], archive[target]
    classes = targets.ndim == 1 and targets.dtype.kind in "iubU"
    outputs = len(numpy.unique(targets)) if classes else math.prod(targets.shape[1:])
    lines = [
        ("type", "npz", ""), ("path", shown, "relative to this file"), ("inputs", inputs, f"the array to learn from, {(*shape,)} a row"),
        ("target", target, f"the array to learn: {outputs} classes" if classes else "the array to learn: values"),
    ]  # fmt: skip
    return Look([*lines, *prepared(classes)], len(targets), outputs, classes, f"{target} from {math.prod(shape)} numbers")


def prepared(classes: bool) -> list[tuple[str, Any, str]]:
    """What is done to the numbers."""
    scaled = [] if classes else [("standardize_targets", True, "the same for what is learned")]
    return [("standardize", True, "inputs to mean 0 and deviation 1"), *scaled, ("test_fraction", 0.2, "rows kept for testing")]


def chosen(name: str, names: Sequence[str], what: str) -> str:
    """A name that is there.

    Raises:
        UsageError: it is not.
    """
    if name not in names:
        raise UsageError(f'there is no {what} "{name}"', f"there are {', '.join(names)}")
    return name


def class_count(column: Any) -> int:
    """How many classes a column has; 0 where it holds values: numbers that are no whole ones, or many different ones."""
    labels = set(column.tolist())
    if not all(map(is_number, labels)):
        return len(labels)
    whole = all(float(label).is_integer() for label in labels)
    return len(labels) if whole and len(labels) <= min(CLASSES, max(2, len(column) // 2)) else 0
