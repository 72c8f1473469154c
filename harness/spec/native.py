"""What frameworks default, in the words of this package: where a word means something else there, and where a default stands in no
signature, as PyTorch's first weights do. `Call.native` names these functions by key."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Optional

from .fields import Asked, family
from .initializers import Initializer, RandomNormal, RandomUniform


class NoKey(ValueError):
    """A default that no key of ours can say; the text says what it is."""


def fixed(value: Any) -> Callable[[Asked], Any]:
    """A value that stands in no signature."""
    return lambda asked: value


def one_less(asked: Asked) -> float:
    """1 - the default: a share of the new where ours is one of the old.

    Raises:
        NoKey: no default was read.
    """
    if not isinstance(asked.default, (int, float)):
        raise NoKey(f"{asked.default} is no number")
    return 1.0 - float(asked.default)


def machine_epsilon(asked: Asked) -> float:
    """float32's: what PyTorch's rms_norm takes for None."""
    return 2.0**-23


def by_inputs(asked: Asked) -> RandomUniform:
    """U(-1/sqrt(inputs), 1/sqrt(inputs)), inputs those of one unit, for kernel and bias: reset_parameters of PyTorch's Linear and
    convolutions, kaiming_uniform_ with a = sqrt(5)."""
    return symmetric(fans(asked, 0))


def by_outputs(asked: Asked) -> RandomUniform:
    """The same by the outputs of one unit, which PyTorch takes for the inputs of a transposed convolution."""
    return symmetric(fans(asked, 1))


def by_units(asked: Asked) -> RandomUniform:
    """U(-1/sqrt(units), 1/sqrt(units)) for all that a recurrence learns: reset_parameters of PyTorch's RNN, LSTM and GRU. PyTorch draws a
    second bias and adds it; where the formula here has one, one is drawn."""
    return symmetric(asked.spec.units)


def standard_normal(asked: Asked) -> RandomNormal:
    """N(0, 1): PyTorch's Embedding."""
    return RandomNormal(mean=0.0, stddev=1.0)


def symmetric(count: int) -> RandomUniform:
    """U(-1/sqrt(count), 1/sqrt(count))."""
    bound = 1 / math.sqrt(count)
    return RandomUniform(minval=-bound, maxval=bound)


def fans(asked: Asked, side: int) -> int:
    """Inputs (0) or outputs (1) of one unit of a layer's kernels.

    Raises:
        NoKey: its kernels have several.
    """
    kernels = [weight for name, weight in asked.spec.weights(*asked.shapes).items() if name.endswith("kernel")]
    found = {(weight.fans or (math.prod(weight.shape[:-1]), weight.shape[-1]))[side] for weight in kernels}
    if len(found) > 1:
        raise NoKey(f"each kernel's own, by {' and '.join(map(str, sorted(found)))} inputs: here one key is for all")
    (count,) = found
    return int(count)


def reduction(asked: Asked) -> str:
    """PyTorch's mean divides by the sum of the classes' weights, where there are such."""
    weighted = asked.default == "mean" and asked.spec.class_weights is not None
    return "weighted_mean" if weighted else str(asked.default)


def over_elements(asked: Asked) -> str:
    """PyTorch's kl_div divides by all elements.

    Raises:
        NoKey: always, unless its default changes.
    """
    if asked.default == "mean":
        raise NoKey("mean there divides by all elements, not by rows")
    return "mean" if asked.default == "batchmean" else str(asked.default)


def counted(asked: Asked) -> Optional[bool]:
    """Whether padding counts, where there is padding."""
    return None if asked.spec.count_padding is None else asked.default is True


def coupled(asked: Asked) -> Optional[bool]:
    """A weight decay is added to the gradient."""
    return False if asked.spec.weight_decay else None


def decoupled(asked: Asked) -> Optional[bool]:
    """A weight decay shrinks the parameters."""
    return True if asked.spec.weight_decay else None


def decaying(asked: Asked) -> Dict[str, Any]:
    """A weight decay that is there when nothing is said, and shrinks the parameters."""
    return {"weight_decay": asked.default, "decoupled": True}


#: other words for ours
WORDS = {"sum_over_batch_size": "mean"}


def in_our_words(key: str, current: Any, default: Any) -> Any:
    """A default that means the same here as there, as we write it: one number for equal ones, a word for padding, an initializer.

    Args:
        key: ours.
        current: what it is in the experiment.
        default: the framework's.

    Raises:
        NoKey: it names an initializer that is not one of ours.
    """
    if isinstance(current, Initializer):
        return initializer(default)
    if isinstance(default, tuple) and isinstance(current, (int, str)) and len(set(default)) == 1:
        default = default[0]
    if key == "padding" and default == 0:
        return "valid"
    if isinstance(default, str):
        return WORDS.get(default, default.lower())
    return float(default) if isinstance(current, float) else default


def initializer(default: Any) -> Initializer:
    """An initializer by its name in any framework, or of one number.

    Raises:
        NoKey: we have none of that name.
    """
    if isinstance(default, (int, float)):
        return RandomUniform(minval=float(default), maxval=float(default))
    for name, cls in family(Initializer).items():
        if str(default).lower() in (name, *cls.also):
            return cls()
    raise NoKey(f"{default}: no initializer here is called so")
