"""Metrics, computed from an arm's outputs by the same code for all arms."""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy


def metrics(names: Sequence[str], outputs: Any, targets: Any, encoding: str, threshold: float) -> Dict[str, float]:
    """Metrics of outputs `(rows, width)` against encoded targets.

    Args:
        names: which (harness.spec.experiment.METRICS).
        outputs: what the model gives in inference mode.
        targets: `(rows,)` integers or `(rows, width)`.
        encoding: how the targets are written.
        threshold: above it an output of one value means the second class.
    """
    known = {"accuracy": accuracy, "mean_squared_error": squared, "mean_absolute_error": absolute, "r2": r2}
    values = numpy.asarray(outputs, numpy.float64)
    return {name: float(known[name](values, targets, encoding, threshold)) for name in names}


def accuracy(outputs: Any, targets: Any, encoding: str, threshold: float) -> Any:
    """Share of rows whose class is right; of single values, where targets are written one by one."""
    if encoding == "integer":
        return (outputs.argmax(axis=-1) == targets).mean()
    if encoding == "one_hot" or outputs.shape[-1] > 1:
        return (outputs.argmax(axis=-1) == targets.argmax(axis=-1)).mean()
    return ((outputs > threshold) == (targets > (0 if encoding == "sign" else 0.5))).mean()


def squared(outputs: Any, targets: Any, encoding: str, threshold: float) -> Any:
    """mean((p - y)^2)."""
    return numpy.square(outputs - targets).mean()


def absolute(outputs: Any, targets: Any, encoding: str, threshold: float) -> Any:
    """mean(|p - y|)."""
    return numpy.abs(outputs - targets).mean()


def r2(outputs: Any, targets: Any, encoding: str, threshold: float) -> Any:
    """1 - sum((p - y)^2) / sum((y - mean y)^2)."""
    spread = numpy.square(targets - targets.mean(axis=0)).sum()
    return 1 - numpy.square(outputs - targets).sum() / spread
