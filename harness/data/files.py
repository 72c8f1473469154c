"""The user's own data: CSV, Parquet and NPZ files. Columns are numbers; nothing in a file is executed or unpickled."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import Any, List, Tuple

import numpy

from ..spec import Facts, SpecProblem
from ..spec import datasets as kinds
from .generated import Rows

HERE = ("data", "path")


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
        rows = from_npz(spec, path) if isinstance(spec, kinds.NPZ) else from_table(spec, path)
    except (OSError, ValueError, zipfile.BadZipFile, csv.Error) as problem:
        raise SpecProblem(HERE, f'cannot read "{spec.path}": {problem}', code="file") from None
    if not len(rows.inputs):
        raise SpecProblem(HERE, f'"{spec.path}" has no rows', code="file")
    if not numpy.isfinite(rows.inputs).all() or not numpy.isfinite(rows.targets).all():
        raise SpecProblem(HERE, f'"{spec.path}" has values that are no finite numbers', "fill or drop those rows first", code="file")
    return rows


def from_npz(spec: kinds.NPZ, path: Path) -> Rows:
    """Two arrays of an archive; inputs are flattened to `(rows, features)`."""
    with numpy.load(path, allow_pickle=False) as archive:
        for key, name in (("inputs", spec.inputs), ("target", spec.target)):
            if name not in archive:
                raise SpecProblem(("data", key), f'"{spec.path}" has no array "{name}"', f"it has {', '.join(archive)}", code="file")
        inputs, targets = archive[spec.inputs], archive[spec.target]
    if len(inputs) != len(targets):
        raise ValueError(f"{len(inputs)} rows of inputs, {len(targets)} of targets")
    flat = numpy.asarray(inputs, numpy.float64).reshape(len(inputs), -1)
    if targets.dtype.kind in "iub":
        return Rows(flat, as_classes(spec, targets.reshape(-1)))
    return Rows(flat, numpy.asarray(targets, numpy.float64).reshape(len(targets), -1))


def from_table(spec: kinds.File, path: Path) -> Rows:
    """The named columns of a CSV or Parquet file."""
    if not isinstance(spec, kinds.Table):
        raise TypeError(type(spec).__name__)
    names, columns = read_csv(path) if isinstance(spec, kinds.CSV) else read_parquet(path)
    targets = (spec.target,) if isinstance(spec.target, str) else spec.target
    inputs = spec.inputs or tuple(name for name in names if name not in targets)
    for key, wanted in (("target", targets), ("inputs", inputs)):
        for name in wanted:
            if name not in names:
                raise SpecProblem(("data", key), f'"{spec.path}" has no column "{name}"', f"it has {', '.join(names)}", code="file")
    chosen = numpy.stack([numeric(columns[names.index(name)], name) for name in inputs], axis=1)
    if spec.task == "classification":
        return Rows(chosen, as_classes(spec, columns[names.index(targets[0])]))
    return Rows(chosen, numpy.stack([numeric(columns[names.index(name)], name) for name in targets], axis=1))


def read_csv(path: Path) -> Tuple[List[str], List[Any]]:
    """Header and columns, as text."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    if not lines:
        raise ValueError("it is empty")
    header = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise ValueError(f"row {number} has {len(line)} values, the header {len(header)}")
    return header, [numpy.array(column, dtype=str) for column in zip(*lines[1:], strict=True)] or [numpy.array([])] * len(header)


def read_parquet(path: Path) -> Tuple[List[str], List[Any]]:
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


def as_classes(spec: kinds.File, labels: Any) -> Any:
    """Labels of any kind as classes 0, 1, ... in sorted order, int64 `(rows,)`."""
    try:
        values = numpy.asarray(labels).astype(numpy.float64)
    except ValueError:
        values = numpy.asarray(labels, dtype=str)
    found, classes = numpy.unique(values, return_inverse=True)
    if len(found) > max(2, len(values) // 2):
        raise SpecProblem(
            ("data",), f'the target in "{spec.path}" has {len(found)} different values in {len(values)} rows', 'is it a "regression"?', code="file"
        )
    return classes.astype(numpy.int64)


def facts(rows: Rows) -> Facts:
    """What is known of loaded rows."""
    if rows.targets.ndim == 1:
        return Facts(len(rows.inputs), rows.inputs.shape[1], int(rows.targets.max()) + 1)
    return Facts(len(rows.inputs), rows.inputs.shape[1], None, rows.targets.shape[1])
