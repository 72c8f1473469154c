"""Schedules: the factor on the learning rate at each update, t updates having been made before it.

`factor` is plain arithmetic over whatever a number is there, so that each adapter uses the one formula with its own tensors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from .fields import Call, Spec, about

_OVER = about(
    "updates until the end; the last factor stays",
    gt=0,
    required=True,
    also={"decay_steps": "Keras and Optax", "total_steps": "PyTorch", "T_max": "PyTorch"},
)


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return yes if condition else no


#: functions of plain numbers; an adapter brings its own: `where`, `cos`, `floor`, `minimum`, `power`
PLAIN = SimpleNamespace(where=_where, cos=math.cos, floor=math.floor, minimum=min, power=pow)


@dataclass(frozen=True)
class Schedule(Spec):
    """How the learning rate changes from update to update."""

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """The factor at update t.

        Args:
            t: updates made before, a number or a tensor.
            ops: `where`, `cos`, `floor`, `minimum` and `power` for such numbers.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class StepDecay(Schedule):
    """rate^floor(t / every)."""

    every: int = field(
        default=0, metadata=about("updates between two changes", gt=0, required=True, also={"step_size": "PyTorch"})
    )
    rate: float = field(
        default=0.1, metadata=about("factor of each change", gt=0, also={"gamma": "PyTorch", "decay_rate": "Keras and Optax"})
    )
    type = "step"
    calls = {
        "torch": Call("torch.optim.lr_scheduler.StepLR", {"rate": "gamma"}),
        "keras": Call("keras.optimizers.schedules.ExponentialDecay", {"staircase": "staircase"}, "staircase = true"),
        "jax": Call("optax.exponential_decay", {"staircase": "staircase"}, "staircase = true"),
    }
    also = {"StepLR": "PyTorch", "staircase": "Keras and Optax", "step_decay": "other tools"}

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """See above."""
        return ops.power(self.rate, ops.floor(t / self.every))


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """rate^(t / over)."""

    over: int = field(
        default=1,
        metadata=about(
            "updates in which the rate falls once by its factor", gt=0, also={"decay_steps": "Keras", "transition_steps": "Optax"}
        ),
    )
    rate: float = field(
        default=0.0, metadata=about("factor", gt=0, required=True, also={"gamma": "PyTorch", "decay_rate": "Keras and Optax"})
    )
    type = "exponential"
    calls = {
        "torch": Call("torch.optim.lr_scheduler.ExponentialLR", note="gamma is the factor of one update"),
        "keras": Call("keras.optimizers.schedules.ExponentialDecay", {"staircase": "staircase"}),
        "jax": Call("optax.exponential_decay", {"staircase": "staircase"}),
    }
    also = {"ExponentialLR": "PyTorch", "exponential_decay": "Optax"}

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """See above."""
        return ops.power(self.rate, t / self.over)


@dataclass(frozen=True)
class Cosine(Schedule):
    """end + (1 - end) (1 + cos(pi min(t / over, 1))) / 2 (Loshchilov & Hutter 2017)."""

    over: int = field(default=0, metadata=_OVER)
    end: float = field(default=0.0, metadata=about("last factor", ge=0, also={"alpha": "Keras and Optax", "eta_min": "PyTorch"}))
    type = "cosine"
    calls = {
        "torch": Call("torch.optim.lr_scheduler.CosineAnnealingLR", {"end": "eta_min"}, "it rises again behind T_max"),
        "keras": Call("keras.optimizers.schedules.CosineDecay", {"end": "alpha"}),
        "jax": Call("optax.cosine_decay_schedule", {"end": "alpha"}),
    }
    also = {"CosineAnnealingLR": "PyTorch", "cosine_decay": "Optax"}

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """See above."""
        return self.end + (1 - self.end) * (1 + ops.cos(math.pi * ops.minimum(t / self.over, 1.0))) / 2


@dataclass(frozen=True)
class Warmup(Schedule):
    """start + (1 - start) t / over up to update `over` (Goyal et al. 2017); then 1, or, where `until` is given, a cosine down to
    `end` at update `until`."""

    over: int = field(
        default=0,
        metadata=about(
            "updates of the warm-up", gt=0, required=True, also={"warmup_steps": "Keras and Optax", "warmup": "short"}
        ),
    )
    start: float = field(default=0.0, metadata=about("first factor", ge=0))
    until: int = field(
        default=0, metadata=about("update at which the cosine ends; 0: no cosine", ge=0, also={"decay_steps": "Optax"})
    )
    end: float = field(default=0.0, metadata=about("last factor of the cosine", ge=0))
    type = "warmup"
    calls = {
        "torch": Call(
            "torch.optim.lr_scheduler.LinearLR",
            {"start": "start_factor", "over": "total_iters"},
            "with SequentialLR and CosineAnnealingLR",
        ),
        "keras": Call("keras.optimizers.schedules.CosineDecay", {"over": "warmup_steps", "end": "alpha"}, "with warmup_target"),
        "jax": Call("optax.warmup_cosine_decay_schedule", {"end": "end_value"}),
    }
    also = {"warmup_cosine": "Optax", "linear_warmup": "other tools", "warm_up": "other tools"}

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """See above."""
        rising = self.start + (1 - self.start) * (t / self.over)
        if self.until <= self.over:
            return ops.where(t < self.over, rising, 1.0 + 0.0 * t)
        share = ops.minimum((t - self.over) / (self.until - self.over), 1.0)
        falling = self.end + (1 - self.end) * (1 + ops.cos(math.pi * share)) / 2
        return ops.where(t < self.over, rising, falling)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """A cosine up from 1 / divide to 1 over the share `rise` of `over` updates, then a cosine down to 1 / (divide final_divide)
    (Smith 2018). PyTorch's OneCycleLR ends one update earlier on both sides."""

    over: int = field(default=0, metadata=_OVER)
    rise: float = field(
        default=0.3, metadata=about("share of the updates in which it rises", gt=0, lt=1, also={"pct_start": "PyTorch and Optax"})
    )
    divide: float = field(
        default=25.0, metadata=about("first factor is 1 / divide", gt=0, also={"div_factor": "PyTorch and Optax"})
    )
    final_divide: float = field(
        default=1e4,
        metadata=about("last factor is 1 / (divide final_divide)", gt=0, also={"final_div_factor": "PyTorch and Optax"}),
    )
    type = "one_cycle"
    calls = {
        "torch": Call(
            "torch.optim.lr_scheduler.OneCycleLR",
            {"rise": "pct_start", "divide": "div_factor", "final_divide": "final_div_factor", "strategy": "anneal_strategy"},
            "it ends one update earlier",
        ),
        "jax": Call(
            "optax.cosine_onecycle_schedule", {"rise": "pct_start", "divide": "div_factor", "final_divide": "final_div_factor"}
        ),
    }
    also = {"OneCycleLR": "PyTorch", "cosine_onecycle_schedule": "Optax"}

    def factor(self, t: Any, ops: Any = PLAIN) -> Any:
        """See above."""
        top = self.rise * self.over
        low, last = 1 / self.divide, 1 / (self.divide * self.final_divide)
        up = ops.minimum(t / top, 1.0)
        down = ops.minimum((t - top) / (self.over - top), 1.0)
        rising = 1 + (low - 1) * (1 + ops.cos(math.pi * up)) / 2
        falling = last + (1 - last) * (1 + ops.cos(math.pi * down)) / 2
        return ops.where(t < top, rising, falling)
