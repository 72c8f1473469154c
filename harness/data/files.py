"""The user's own data: CSV, Parquet and NPZ files. Columns are numbers; nothing in a file is executed or unpickled."""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from ..spec import Facts, SpecProblem
from ..spec import datasets as kinds
from .generated import Rows

HERE = ("data", "path")
FILL, VALUES = "fill or drop those rows first", 'is it a "regression"?'


def located(spec: kinds.File, folder: Path) -> Path:
    """The file, relative to the experiment's folder.

    Raises:
        SpecProblem: there is no such file.
    """
    path = folder / Path(spec.path).expanduser()
    if not path.is_file():
        raise SpecProblem(HERE, f'there is no file "{spec.path}"', f"looked for it in {folder}", code="file")
    return path


def load(spec: kinds.File, folder: Path) -> Rows:
    """The rows of a file.

    Raises:
        SpecProblem: the file cannot be read, a column is missing, or a value is no finite number.
    """
    path = located(spec, folder)
    try:
        rows = (
            from_npz(spec, path)
            if isinstance(spec, kinds.NPZ)
            else from_text(spec, path)
            if isinstance(spec, kinds.Text)
            else from_table(spec, path)
        )
    except SpecProblem:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, csv.Error) as problem:
        raise SpecProblem(HERE, f'cannot read "{spec.path}": {problem}', code="file") from None
    if not len(rows.inputs):
        raise SpecProblem(HERE, f'"{spec.path}" has no rows', code="file")
    if not all(numpy.isfinite(array).all() for array in rows if array is not None):
        raise SpecProblem(HERE, f'"{spec.path}" has values that are no finite numbers', FILL, code="file")
    if rows.weights is not None and (rows.weights < 0).any():
        raise SpecProblem(("data", "sample_weight"), f'"{spec.path}" has negative sample weights', code="file")
    return rows


def lacks(spec: kinds.File, key: str, wanted: str, names: Sequence[str]) -> SpecProblem:
    """What to raise where something named is not in a file."""
    return SpecProblem(("data", key), f'"{spec.path}" has no {wanted}', f"it has {', '.join(names)}", code="file")


def from_npz(spec: kinds.NPZ, path: Path) -> Rows:
    """Two arrays of an archive; inputs are flattened to `(rows, features)`."""
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no NPZ archive")
    with numpy.load(path, allow_pickle=False) as archive:
        for key, name in (("inputs", spec.inputs), ("target", spec.target), ("sample_weight", spec.sample_weight)):
            if name is not None and name not in archive:
                raise lacks(spec, key, f'array "{name}"', list(archive))
        inputs, targets = archive[spec.inputs], archive[spec.target]
        weights = None if spec.sample_weight is None else archive[spec.sample_weight]
    if inputs.shape[:1] != targets.shape[:1] or not inputs.ndim:
        raise ValueError(f"inputs of shape {inputs.shape} and targets of shape {targets.shape} have not the same rows")
    if inputs.dtype.kind not in "iubf" or targets.dtype.kind not in "iubfU":
        raise ValueError(f"inputs are {inputs.dtype}, targets {targets.dtype}, not numbers")
    count = len(inputs)
    if weights is not None and (weights.shape != (count,) or weights.dtype.kind not in "iubf"):
        raise ValueError(f"sample weights of shape {weights.shape} and {weights.dtype} are not one number a row")
    weights = None if weights is None else weights.astype(numpy.float64)
    flat = inputs.astype(numpy.float64).reshape(count, math.prod(inputs.shape[1:]))
    if targets.dtype.kind == "f":
        return Rows(flat, targets.astype(numpy.float64).reshape(count, math.prod(targets.shape[1:])), weights)
    if targets.size != count and targets.ndim != 2:
        raise ValueError(f"targets of shape {targets.shape} are no classes, which are one number a row, or one a step")
    classes = as_classes(spec, targets.reshape(-1))
    return Rows(flat, classes if targets.size == count else classes.reshape(targets.shape), weights)


def from_table(spec: kinds.File, path: Path) -> Rows:
    """The named columns of a CSV or Parquet file."""
    if not isinstance(spec, kinds.Table):
        raise TypeError(type(spec).__name__)
    names, columns = read_csv(path) if isinstance(spec, kinds.CSV) else read_parquet(path)
    targets = (spec.target,) if isinstance(spec.target, str) else spec.target
    taken = targets if spec.sample_weight is None else (*targets, spec.sample_weight)
    inputs = spec.inputs or tuple(name for name in names if name not in taken)
    if spec.task == "classification" and len(targets) > 1:
        raise SpecProblem(("data", "target"), f"a classification has one target, not {len(targets)}", VALUES, code="file")
    if not inputs:
        raise ValueError("it has no column beside the target")
    for key, wanted in (("target", targets), ("inputs", inputs), ("sample_weight", taken[len(targets) :])):
        for name in wanted:
            if name not in names:
                raise lacks(spec, key, f'column "{name}"', names)
    learned = [name for name in inputs if name in targets]
    if learned:
        raise SpecProblem(("data", "inputs"), f'the target "{learned[0]}" is among the inputs', "leave it out", code="file")
    chosen = numpy.stack([numeric(columns[names.index(name)], name) for name in inputs], axis=1)
    weights = None if spec.sample_weight is None else numeric(columns[names.index(spec.sample_weight)], spec.sample_weight)
    if spec.task == "classification":
        return Rows(chosen, as_classes(spec, columns[names.index(targets[0])]), weights)
    return Rows(chosen, numpy.stack([numeric(columns[names.index(name)], name) for name in targets], axis=1), weights)


def from_text(spec: kinds.Text, path: Path) -> Rows:
    """The letters of a text as numbers, and of each the one behind it."""
    letters, numbers = numpy.unique(list(path.read_text(encoding="utf-8")), return_inverse=True)
    step = spec.stride or spec.length
    starts = range(0, len(numbers) - spec.length, step)
    if not starts or len(letters) < 2:
        raise ValueError(f"its {len(numbers)} letters, {len(letters)} different ones, do not make one piece of {spec.length}")
    pieces = numpy.stack([numbers[start : start + spec.length + 1] for start in starts])
    return Rows(pieces[:, :-1].astype(numpy.float64), pieces[:, 1:].astype(numpy.int64))


def read_csv(path: Path) -> tuple[list[str], list[Any]]:
    """Header and columns, as text."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    if not lines:
        raise ValueError("it is empty")
    header = [name.strip() for name in lines[0]]
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise ValueError(f'two columns are called "{twice[0]}"')
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise ValueError(f"row {number} has {len(line)} values, the header {len(header)}")
    return header, [numpy.array(column, dtype=str) for column in zip(*lines[1:], strict=True)] or [numpy.array([])] * len(header)


def read_parquet(path: Path) -> tuple[list[str], list[Any]]:
    """Names and columns."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return list(table.column_names), [column.to_numpy() for column in table.columns]


def numeric(column: Any, name: str) -> Any:
    """A column as float64.

    Raises:
        ValueError: naming the first value that is no number.
    """
    try:
        return numpy.asarray(column).astype(numpy.float64)
    except (TypeError, ValueError):
        wrong = next(value for value in column if not is_number(value))
        raise ValueError(f'column "{name}" holds {str(wrong)!r}, which is no number') from None


def is_number(value: Any) -> bool:
    """Whether float() takes it."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def is_blank(label: Any) -> bool:
    """Whether a label is missing."""
    return label is None or (isinstance(label, float) and math.isnan(label)) or not str(label).strip()


def as_classes(spec: kinds.File, labels: Any) -> Any:
    """Labels of any kind as classes 0, 1, ... in sorted order, int64 `(rows,)`.

    Raises:
        SpecProblem: a row has no label, or nearly every row has one of its own.
    """
    try:
        values = numpy.asarray(labels).astype(numpy.float64)
        missing = not numpy.isfinite(values).all()
    except (TypeError, ValueError):
        missing = any(is_blank(label) for label in labels)
        values = numpy.asarray(labels, dtype=str)
    if missing:
        raise SpecProblem(HERE, f'"{spec.path}" has rows without a class', FILL, code="file")
    found, classes = numpy.unique(values, return_inverse=True)
    if len(found) > max(2, len(values) // 2):
        text = f'the target in "{spec.path}" has {len(found)} different values in {len(values)} rows'
        raise SpecProblem(("data",), text, VALUES, code="file")
    return classes.astype(numpy.int64)


def facts(rows: Rows, spec: kinds.Data) -> Facts:
    """What is known of loaded rows.

    Raises:
        SpecProblem: inputs that have to be whole numbers are not.
    """
    count, features = rows.inputs.shape
    found = Facts(count, features, None, weighted=rows.weights is not None)
    if spec.integer_inputs:
        if (rows.inputs != numpy.floor(rows.inputs)).any() or (rows.inputs < 0).any():
            raise SpecProblem(("data", "integer_inputs"), "the inputs are not all whole numbers from 0 on", code="value")
        found = found._replace(integers=int(rows.inputs.max()) + 1)
    if rows.targets.dtype.kind == "i":
        return found._replace(classes=int(rows.targets.max()) + 1, steps=rows.targets.shape[1:])
    return found._replace(outputs=rows.targets.shape[1])
