"""What every spec class is made of: frozen dataclasses whose fields carry their own meaning.

From a field's metadata come its validation, its error hints and its documentation, so that a layer, a loss or an
optimizer is described in exactly one place.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any, Callable, ClassVar, Dict, Mapping, NamedTuple, Optional, Tuple, Type, TypeVar

Shape = Tuple[int, ...]


class Asked(NamedTuple):
    """Of whom a framework's default is asked.

    Attributes:
        spec: a layer, a loss, ... as the experiment has it.
        shapes: of a layer's inputs, without the batch axis.
        default: what the signature says; None where it says nothing.
    """

    spec: Any
    shapes: Tuple[Shape, ...]
    default: Any


class Call(NamedTuple):
    """A framework's own call of a layer, loss, ...: what its adapter uses, or what its users would.

    Attributes:
        path: importable, e.g. "torch.nn.BatchNorm2d".
        names: our key -> what it calls that; from its signature the default is read.
        note: what is done so that it computes the formula here; "" where it does by itself.
        native: our key -> what the framework's default means here, where it means something else there or stands in no signature: the
            key's value, several keys' by name, or None where nothing differs; see harness.spec.native.
    """

    path: str
    names: Mapping[str, str] = {}
    note: str = ""
    native: Mapping[str, Callable[[Asked], Any]] = {}


def about(description: str, *, also: Optional[Mapping[str, str]] = None, defaults: str = "", **limits: Any) -> Dict[str, Any]:
    """Metadata of one field.

    Args:
        description: one line, shown by `--help`, errors and documents.
        also: the names that other frameworks give to it, e.g. `{"out_features": "PyTorch"}`.
        defaults: what frameworks take when it is not given, where they differ; the hint where it is missing.
        limits: `gt`, `ge`, `lt`, `le`, `min_length`: pydantic's names, checked when a file is read.
    """
    return {"description": description, "also": dict(also or {}), "defaults": defaults, **limits}


def float32(value: float) -> float:
    """The nearest number that a float32 can hold.

    Keras passes constants through float32 and TensorFlow's kernels compute `1 - beta` in it, so a constant that float32
    cannot hold would mean something else in every framework.
    """
    return float(struct.unpack("f", struct.pack("f", value))[0])


@dataclasses.dataclass(frozen=True)
class Spec:
    """One thing that an experiment can choose: `type` plus parameters. Floats are rounded to float32 at birth."""

    type: ClassVar[str] = ""
    #: other frameworks' names of this thing, e.g. `{"linear": "PyTorch"}`
    also: ClassVar[Mapping[str, str]] = {}
    #: each framework's own call of it, by backend
    calls: ClassVar[Mapping[str, Call]] = {}

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, float):
                object.__setattr__(self, item.name, float32(value))
            elif isinstance(value, tuple) and any(isinstance(number, float) for number in value):
                object.__setattr__(self, item.name, tuple(map(float32, value)))


S = TypeVar("S", bound=Spec)


def family(base: Type[S]) -> Dict[str, Type[S]]:
    """The concrete classes of a family (layers, losses, ...) by their `type`."""
    found: Dict[str, Type[S]] = {}
    for cls in base.__subclasses__():
        if cls.type:
            found[cls.type] = cls
        found.update(family(cls))
    return found
