"""Torch's own optimizers, fused where there is a fused one (the fastest, on CPU as well), and what a spec puts before and behind them."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Mapping

import torch
from torch import optim

from harness.spec import Optimizer, active_slots


def sgd(spec: Any, parameters: List[Any]) -> Any:
    """Momentum as v <- m v + g; p <- p - lr v."""
    decay, momentum = spec.coupled_decay, spec.momentum
    return optim.SGD(parameters, spec.learning_rate, momentum=momentum, nesterov=spec.nesterov, weight_decay=decay, fused=True)


def adam(spec: Any, parameters: List[Any]) -> Any:
    """Epsilon beside the corrected root."""
    return optim.Adam(parameters, spec.learning_rate, **moments(spec), fused=True)


def nadam(spec: Any, parameters: List[Any]) -> Any:
    """Its momentum_decay 0.004 is the 1 / 250 of the formula."""
    return optim.NAdam(parameters, spec.learning_rate, **moments(spec), momentum_decay=4e-3, foreach=True)


def moments(spec: Any) -> Dict[str, Any]:
    """What all of Adam's kind take."""
    decay = {"weight_decay": spec.weight_decay, "decoupled_weight_decay": bool(spec.decoupled)}
    return {"betas": (spec.beta_1, spec.beta_2), "eps": spec.epsilon, **decay}


def adamax(spec: Any, parameters: List[Any]) -> Any:
    """Epsilon inside the norm."""
    betas = (spec.beta_1, spec.beta_2)
    return optim.Adamax(
        parameters, spec.learning_rate, betas=betas, eps=spec.epsilon, weight_decay=spec.coupled_decay, foreach=True
    )


def rmsprop(spec: Any, parameters: List[Any]) -> Any:
    """Epsilon beside the root."""
    decay, momentum = spec.coupled_decay, spec.momentum
    return optim.RMSprop(
        parameters, spec.learning_rate, alpha=spec.rho, eps=spec.epsilon, momentum=momentum, weight_decay=decay, foreach=True
    )


def adagrad(spec: Any, parameters: List[Any]) -> Any:
    """Epsilon beside the root."""
    return optim.Adagrad(parameters, spec.learning_rate, eps=spec.epsilon, weight_decay=spec.coupled_decay, fused=True)


def adadelta(spec: Any, parameters: List[Any]) -> Any:
    """Epsilon inside both roots."""
    decay = spec.coupled_decay
    return optim.Adadelta(parameters, spec.learning_rate, rho=spec.rho, eps=spec.epsilon, weight_decay=decay, foreach=True)


OPTIMIZERS: Dict[str, Callable[[Any, List[Any]], Any]] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adam,
    "nadam": nadam,
    "adamax": adamax,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adadelta": adadelta,
}
#: optimizers that torch does not have
ABSENT = {"lion": "PyTorch has no Lion", "lamb": "PyTorch has no LAMB"}

#: canonical slot -> torch's, by optimizer
_MOMENTS = {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"}
SLOTS: Dict[str, Dict[str, str]] = {
    "sgd": {"velocity": "momentum_buffer"},
    "adam": _MOMENTS,
    "adamw": _MOMENTS,
    "nadam": _MOMENTS,
    "adamax": {"first_moment": "exp_avg", "infinity_norm": "exp_inf"},
    "rmsprop": {"mean_square": "square_avg", "velocity": "momentum_buffer"},
    "adagrad": {"sum_of_squares": "sum"},
    "adadelta": {"mean_square": "square_avg", "mean_square_update": "acc_delta"},
}
#: optimizers that can decouple the decay themselves
_DECOUPLING = ("adam", "adamw", "nadam")
#: optimizers that count on the device, being fused
_COUNTING_THERE = ("adam", "adamw", "adagrad")


class Update:
    """From gradients to parameters, called once a step; gradients stay where they are until the update that they belong to.

    Attributes:
        steps: taken so far.
        optimizer: torch's own.
        slots: canonical name -> torch's, of those that the optimizer keeps; the sum of an unfinished update is the gradients themselves.
    """

    def __init__(self, spec: Optimizer, parameters: List[Any]) -> None:
        self.spec, self.parameters, self.steps = spec, parameters, 0
        self.every = spec.gradient_accumulation_steps
        self.optimizer = OPTIMIZERS[spec.type](spec, parameters)
        self.slots = {slot: SLOTS[spec.type][slot] for slot in active_slots(spec) if slot != "accumulated"}
        self.parts = self.in_order()

    def in_order(self) -> List[Callable[[], None]]:
        """What an update does."""
        spec = self.spec
        decoupled = spec.decoupled_decay and spec.type not in _DECOUPLING
        wanted = [
            (self.every > 1, self.average),
            (spec.clip_value is not None, self.clip_values),
            (spec.clip_norm is not None, self.clip_each),
            (spec.global_clip_norm is not None, self.clip_all),
            (spec.schedule is not None, self.schedule),
            (decoupled, self.shrink),
            (True, self.optimizer.step),
            (True, self.clear),
        ]
        return [part for needed, part in wanted if needed]

    def __call__(self) -> None:
        """Count a step, and update where it completes one."""
        self.steps += 1
        if self.steps % self.every == 0:
            for part in self.parts:
                part()

    @property
    def gradients(self) -> List[Any]:
        """All gradients."""
        return [parameter.grad for parameter in self.parameters]

    def average(self) -> None:
        """The gradients' sum becomes their mean."""
        torch._foreach_div_(self.gradients, self.every)

    def clip_values(self) -> None:
        """Each number."""
        torch.nn.utils.clip_grad_value_(self.parameters, self.spec.clip_value or 0.0)

    def clip_each(self) -> None:
        """Each parameter's norm. As below, not torch's clip_grad_norm_, which adds 1e-6 to the norm."""
        limit = self.spec.clip_norm
        for gradient in self.gradients:
            gradient.mul_((limit / torch.linalg.vector_norm(gradient)).clamp(max=1.0))

    def clip_all(self) -> None:
        """The norm of all together."""
        gradients = self.gradients
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (self.spec.global_clip_norm / norm).clamp(max=1.0))

    def schedule(self) -> None:
        """The learning rate of this update."""
        schedule: Any = self.spec.schedule
        self.optimizer.param_groups[0]["lr"] = self.spec.learning_rate * schedule.factor(self.steps // self.every - 1)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def shrink(self) -> None:
        """Decoupled decay, where the optimizer has none of its own."""
        rate = self.optimizer.param_groups[0]["lr"]
        torch._foreach_mul_(self.parameters, 1 - rate * self.spec.decoupled_decay)

    def clear(self) -> None:
        """No gradients; optimizer.zero_grad() does the same, but costs 5 % of a small net's step."""
        for parameter in self.parameters:
            parameter.grad = None

    def load(self, steps: int, slots: Mapping[str, Mapping[str, Any]], tensors: Mapping[str, Any]) -> None:
        """Take slots in, canonical name -> parameter's name -> tensor. Torch makes its own lazily, so they are always put in.

        Args:
            steps: taken so far.
            slots: the active ones.
            tensors: the parameters.
        """
        self.steps = steps
        for name, tensor in tensors.items():
            kept = {own: slots[slot][name] for slot, own in self.slots.items()}
            self.optimizer.state[tensor] = {**kept, **self.counters(tensor.device)}
            tensor.grad = slots["accumulated"][name] if self.every > 1 else None

    def counters(self, device: Any) -> Dict[str, Any]:
        """What torch counts beside the slots. NAdam starts its product in float32, which is 6e-8 off."""
        if isinstance(self.optimizer, optim.SGD):
            return {}
        updates = self.steps // self.every
        where = device if self.spec.type in _COUNTING_THERE else "cpu"
        found = {"step": torch.tensor(float(updates), device=where)}
        if self.spec.type == "nadam":
            beta: Any = self.spec
            momenta = (beta.beta_1 * (1 - 0.5 * 0.96 ** (count * 4e-3)) for count in range(1, updates + 1))
            found["mu_product"] = torch.tensor(math.prod(momenta), dtype=torch.float64)
        return found

    def slot(self, name: str, tensor: Any) -> Any:
        """A slot of a parameter."""
        if name != "accumulated":
            return self.optimizer.state[tensor][self.slots[name]]
        return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
