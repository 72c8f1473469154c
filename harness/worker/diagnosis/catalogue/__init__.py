"""Other meanings under the same name: what people and frameworks mix up. The reference is asked "what if" each were so."""

from __future__ import annotations

from ....interface import LOSS, OPTIMIZER
from ..setting import Setting, WhatIfs, node_of
from .factors import factors
from .fields import fields
from .layers import layers
from .losses import losses
from .optimizers import optimizers
from .precision import precision


def what_ifs(setting: Setting, maker: str) -> WhatIfs:
    """All meanings that a node could have otherwise, or the loss, or the optimizer; the simplest first."""
    if maker == OPTIMIZER:
        yield from optimizers(setting)
    elif maker == LOSS:
        yield from losses(setting)
        yield from factors(setting, maker)
    else:
        node = node_of(setting.spec, maker)
        yield from fields(node)
        yield from layers(setting, node)
        yield from precision(setting, node)
        yield from factors(setting, maker)
