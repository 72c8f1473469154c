"""Data sets made by the harness, and scikit-learn's: rows and targets as numpy arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from ..spec import Data
from ..spec import datasets as kinds
from .draw import normal, uniform


class Rows(NamedTuple):
    """Rows as they are loaded.

    Attributes:
        inputs: float64 `(rows, features)`.
        targets: int64 `(rows, *steps)` for classes, float64 `(rows, *steps, outputs)` for values.
        weights: sample weights, float64 `(rows,)`; None where there are none.
    """

    inputs: Any
    targets: Any
    weights: Any = None


def gate(spec: kinds.Gate) -> Rows:
    """The truth table."""
    a, b = numpy.array([0, 0, 1, 1]), numpy.array([0, 1, 0, 1])
    results: dict[str, Any] = {"and": a & b, "or": a | b, "xor": a ^ b}
    columns = [a, b, a & b] if spec.and_input else [a, b]
    inputs = numpy.stack(columns, axis=1).astype(numpy.float64)
    return Rows(numpy.tile(inputs, (spec.repeat, 1)), numpy.tile(results[spec.type], spec.repeat).astype(numpy.int64))


def moons(spec: kinds.Moons, seed: int) -> Rows:
    """Two half circles, one turned round and moved into the other."""
    classes = numpy.arange(spec.rows) % 2
    angle = numpy.pi * uniform(seed, "data/moons/angle", (spec.rows,))
    x = numpy.where(classes == 0, numpy.cos(angle), 1 - numpy.cos(angle))
    y = numpy.where(classes == 0, numpy.sin(angle), 0.5 - numpy.sin(angle))
    points = numpy.stack([x, y], axis=1) + spec.noise * normal(seed, "data/moons/noise", (spec.rows, 2))
    return Rows(points, classes)


def spirals(spec: kinds.Spirals, seed: int) -> Rows:
    """Arms that grow outwards while they turn."""
    classes = numpy.arange(spec.rows) % spec.classes
    radius = numpy.sqrt(uniform(seed, "data/spirals/radius", (spec.rows,)))
    angle = 2 * numpy.pi * (spec.turns * radius + classes / spec.classes)
    points = radius[:, None] * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    return Rows(points + spec.noise * normal(seed, "data/spirals/noise", (spec.rows, 2)), classes)


def blobs(spec: kinds.Blobs, seed: int) -> Rows:
    """Round clouds, centres on a circle of radius 2; `noise` is their standard deviation."""
    classes = numpy.arange(spec.rows) % spec.classes
    angle = 2 * numpy.pi * classes / spec.classes
    centres = 2 * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    return Rows(centres + spec.noise * normal(seed, "data/blobs/noise", (spec.rows, 2)), classes)


def line(spec: kinds.Line, seed: int) -> Rows:
    """A noisy line."""
    x = numpy.linspace(-1, 1, spec.rows)
    y = spec.slope * x + spec.intercept + spec.noise * normal(seed, "data/line/noise", (spec.rows,))
    return Rows(x[:, None], y[:, None])


def sine(spec: kinds.Sine, seed: int) -> Rows:
    """sin(w t + p) with noise at the steps of the window, without noise behind it; w between 0.1 and 0.5."""
    phase = 2 * numpy.pi * uniform(seed, "data/sine/phase", (spec.rows, 1))
    frequency = 0.1 + 0.4 * uniform(seed, "data/sine/frequency", (spec.rows, 1))
    wave = numpy.sin(frequency * numpy.arange(spec.length) + phase)
    behind = numpy.sin(frequency * (spec.length - 1 + spec.ahead) + phase)
    return Rows(wave + spec.noise * normal(seed, "data/sine/noise", wave.shape), behind)


def random(spec: kinds.Random, seed: int) -> Rows:
    """Normal numbers, or whole numbers that are all equally likely."""
    facts = spec.known
    if facts.integers is None:
        inputs = normal(seed, "data/random/inputs", (spec.rows, facts.features))
    else:
        inputs = numpy.floor(facts.integers * uniform(seed, "data/random/inputs", (spec.rows, facts.features)))
    weights = 2 * uniform(seed, "data/random/weights", (spec.rows,)) if spec.weighted else None
    if facts.classes is None:
        return Rows(inputs, normal(seed, "data/random/targets", (spec.rows, *facts.steps, facts.outputs)), weights)
    classes = facts.classes * uniform(seed, "data/random/targets", (spec.rows, *facts.steps))
    return Rows(inputs, classes.astype(numpy.int64), weights)


def bundled(spec: Data) -> Rows:
    """One of the data sets that scikit-learn carries."""
    from sklearn import datasets  # takes 0.5 s, so only where it is needed

    load = getattr(datasets, f"load_{spec.type}")
    inputs, targets = load(return_X_y=True)
    if spec.facts is not None and spec.facts.classes is None:
        return Rows(inputs, numpy.asarray(targets, numpy.float64)[:, None])
    return Rows(inputs, numpy.asarray(targets, numpy.int64))


def generate(spec: Data, seed: int) -> Rows:
    """The rows of any data set that is no file."""
    if isinstance(spec, kinds.Gate):
        return gate(spec)
    makers: dict[str, Any] = {"moons": moons, "spirals": spirals, "blobs": blobs, "line": line, "sine": sine, "random": random}
    return makers[spec.type](spec, seed) if spec.type in makers else bundled(spec)
