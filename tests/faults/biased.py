"""PyTorch's adapter whose dense layers round down: every output is a bit too small, each time by what rounding may do. No fault, but a free
training drifts."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import backends.torch as right
from backends.torch import layers
from harness.spec import ProgramSpec

REQUIRES = {"torch": "torch"}
MODES: dict[str, dict[str, dict[str, str]]] = {"": {}}
FORMS, supports, versions = right.FORMS, right.supports, right.versions

#: two and a half units in the last place of float32: less than what a node may be off
DOWN = 1 - 5 * 2.0**-24


class Program(right.Program):
    """See above."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        own = layers.LAYERS["dense"]

        def dense(node: Any, net: Any) -> Any:
            function = own(node, net)
            return lambda x: function(x) * DOWN

        with patch.dict(layers.LAYERS, {"dense": dense}):
            super().__init__(spec, dtype, device, mode)
