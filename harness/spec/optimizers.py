"""Optimizers, and the forms in which frameworks fix them.

Every constant that frameworks default differently has to be written in the experiment. Where frameworks fix different
*formulas* under one name, `FORMS` names them; the reference computes each, and an arm is judged in its own.

Before an optimizer's own formula, for all: accumulate the gradients of `gradient_accumulation_steps` steps and divide by their number,
clip, add the coupled decay; after (or before, which is the same) the decoupled decay p <- p - lr weight_decay p.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

from .fields import Call, Spec, about
from .layers import BatchNormalization
from .native import coupled, decaying, decoupled
from .schedules import Schedule

#: what weight_decay means in optimizers that are not AdamW
_TORCH, _KERAS = {"decoupled": coupled}, {"decoupled": decoupled}
_RATE = {"lr": "PyTorch", "step_size": "JAX"}
_EPSILON = about(
    "keeps the quotient finite", gt=0, required=True, also={"eps": "PyTorch and Optax"},
    defaults="epsilon is 1e-7 in Keras, 1e-8 in PyTorch and Optax: write down which you mean",
)  # fmt: skip
_RHO = "rho is 0.99 in PyTorch, 0.9 in Keras and Optax: write down which you mean"
_BETA_1 = about("decay of m", ge=0, lt=1, also={"b1": "Optax", "beta1": "other tools"})
_BETA_2 = about("decay of v", ge=0, lt=1, also={"b2": "Optax", "beta2": "other tools"})


@dataclass(frozen=True)
class Optimizer(Spec):
    """How a gradient moves the parameters."""

    learning_rate: float = field(default=0.0, metadata=about("size of a step", gt=0, required=True, also=_RATE))
    schedule: Optional[Schedule] = field(
        default=None,
        metadata=about(
            "factor on the learning rate, from update to update", also={"scheduler": "PyTorch", "lr_schedule": "other tools"}
        ),
    )
    weight_decay: float = field(default=0.0, metadata=about("decay of every parameter", ge=0, also={"wd": "short"}))
    decoupled: Optional[bool] = field(
        default=None,
        metadata=about(
            "whether weight_decay shrinks the parameters or is added to the gradient; needed where weight_decay is not 0",
            defaults="it shrinks them in Keras and AdamW; PyTorch's sgd, adam, ... add it: write down which you mean",
        ),
    )
    clip_value: Optional[float] = field(
        default=None, metadata=about("each number of a gradient is cut to [-c, c]", gt=0, also={"clipvalue": "Keras"})
    )
    clip_norm: Optional[float] = field(
        default=None, metadata=about("each parameter's gradient is scaled to at most this norm", gt=0, also={"clipnorm": "Keras"})
    )
    global_clip_norm: Optional[float] = field(
        default=None,
        metadata=about(
            "all gradients together are scaled to at most this norm: g min(1, c / norm), where PyTorch adds 1e-6 to the norm",
            gt=0,
            also={"global_clipnorm": "Keras", "max_norm": "PyTorch", "clip_grad_norm": "PyTorch"},
        ),
    )
    gradient_accumulation_steps: int = field(
        default=1,
        metadata=about(
            "steps whose gradients are averaged before one update", gt=0, also={"accumulate_grad_batches": "other tools"}
        ),
    )
    #: slots of each parameter, by canonical name
    slots: ClassVar[Tuple[str, ...]] = ()

    @property
    def coupled_decay(self) -> float:
        """What is added to the gradient: this times the parameter."""
        return 0.0 if self.decoupled else self.weight_decay

    @property
    def decoupled_decay(self) -> float:
        """What shrinks the parameter: this times the learning rate."""
        return self.weight_decay if self.decoupled else 0.0

    def problems(self) -> List[Tuple[str, str]]:
        """What no single field tells: (field, what is wrong)."""
        found = []
        if self.weight_decay and self.decoupled is None:
            found.append(
                ("weight_decay", "say decoupled = true (parameters shrink) or false (added to the gradient): frameworks differ")
            )
        clips = [name for name in ("clip_value", "clip_norm", "global_clip_norm") if getattr(self, name) is not None]
        if len(clips) > 1:
            found.append((clips[1], f"{clips[0]} and {clips[1]} exclude each other"))
        return found


@dataclass(frozen=True)
class SGD(Optimizer):
    """p <- p - learning_rate g; with momentum m: v <- m v + g, p <- p - learning_rate v (nesterov: g + m v)."""

    momentum: float = field(default=0.0, metadata=about("share of the last step that is kept", ge=0, lt=1))
    nesterov: bool = field(default=False, metadata=about("look ahead along the momentum (Nesterov 1983)"))
    type = "sgd"
    calls = {
        "torch": Call(
            "torch.optim.SGD",
            {
                "learning_rate": "lr",
                "momentum": "momentum",
                "nesterov": "nesterov",
                "weight_decay": "weight_decay",
                "dampening": "dampening",
            },
            native=_TORCH,
        ),
        "keras": Call("keras.optimizers.SGD", {"learning_rate": "learning_rate", "momentum": "momentum"}, native=_KERAS),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyMomentum", note="or ResourceApplyGradientDescent"),
        "jax": Call("optax.sgd", {"momentum": "momentum"}),
    }
    slots = ("velocity",)


@dataclass(frozen=True)
class Adam(Optimizer):
    """m <- b1 m + (1-b1) g, v <- b2 v + (1-b2) g^2, p <- p - learning_rate m^ / (sqrt(v^) + epsilon) with m^, v^ corrected
    for their start at zero (Kingma & Ba 2015, algorithm 1)."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    beta_1: float = field(default=0.9, metadata=_BETA_1)
    beta_2: float = field(default=0.999, metadata=_BETA_2)
    type = "adam"
    calls = {
        "torch": Call(
            "torch.optim.Adam",
            {"learning_rate": "lr", "betas": "betas", "epsilon": "eps", "weight_decay": "weight_decay"},
            native=_TORCH,
        ),
        "keras": Call(
            "keras.optimizers.Adam",
            {"learning_rate": "learning_rate", "beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"},
            native=_KERAS,
        ),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyAdam"),
        "jax": Call("optax.adam", {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps", "root": "eps_root"}),
    }
    slots = ("first_moment", "second_moment")


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled decay: p <- p - learning_rate weight_decay p besides (Loshchilov & Hutter 2019)."""

    weight_decay: float = field(
        default=0.0,
        metadata=about(
            "decay of every parameter", ge=0, required=True, also={"wd": "short"},
            defaults="weight_decay is 0.01 in PyTorch, 0.004 in Keras, 1e-4 in Optax: write down which you mean",
        ),
    )  # fmt: skip
    decoupled: Optional[bool] = field(default=True, metadata=about("what AdamW is: the decay shrinks the parameters"))
    type = "adamw"
    calls = {
        "torch": Call(
            "torch.optim.AdamW", {"learning_rate": "lr", "betas": "betas", "epsilon": "eps", "weight_decay": "weight_decay"}
        ),
        "keras": Call(
            "keras.optimizers.AdamW", {"learning_rate": "learning_rate", "weight_decay": "weight_decay", "epsilon": "epsilon"}
        ),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyAdam", note="TensorFlow's ops have no AdamW: p is made smaller before"),
        "jax": Call("optax.adamw", {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps", "weight_decay": "weight_decay"}),
    }

    def problems(self) -> List[Tuple[str, str]]:
        """Coupled, it is no AdamW."""
        coupled = [("decoupled", 'AdamW with coupled decay is "adam" with decoupled = false')] if not self.decoupled else []
        return coupled or super().problems()


@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016): u_t = b1 (1 - 0.96^(t / 250) / 2), p <- p - learning_rate (u_{t+1} m /
    (1 - u_1 ... u_{t+1}) + (1 - u_t) g / (1 - u_1 ... u_t)) / (sqrt(v^) + epsilon); see the form nadam.schedule."""

    type = "nadam"
    calls = {
        "torch": Call(
            "torch.optim.NAdam",
            {"learning_rate": "lr", "betas": "betas", "epsilon": "eps", "decay": "momentum_decay"},
            native=_TORCH,
        ),
        "keras": Call("keras.optimizers.Nadam", {"learning_rate": "learning_rate", "epsilon": "epsilon"}, native=_KERAS),
        "jax": Call("optax.nadam", {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps"}),
    }
    also = {"nesterov_adam": "other tools"}


@dataclass(frozen=True)
class Adamax(Optimizer):
    """m <- b1 m + (1-b1) g, u <- max(b2 u, |g|), p <- p - learning_rate / (1 - b1^t) m / (u + epsilon) (Kingma & Ba 2015, algorithm 2); see
    the form adamax.epsilon."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    beta_1: float = field(default=0.9, metadata=_BETA_1)
    beta_2: float = field(default=0.999, metadata=about("decay of u", ge=0, lt=1, also={"b2": "Optax", "beta2": "other tools"}))
    type = "adamax"
    calls = {
        "torch": Call("torch.optim.Adamax", {"learning_rate": "lr", "betas": "betas", "epsilon": "eps"}, native=_TORCH),
        "keras": Call("keras.optimizers.Adamax", {"learning_rate": "learning_rate", "epsilon": "epsilon"}, native=_KERAS),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyAdaMax"),
        "jax": Call("optax.adamax", {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps"}),
    }
    slots = ("first_moment", "infinity_norm")


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s <- rho s + (1-rho) g^2, p <- p - learning_rate g / (sqrt(s) + epsilon) (Tieleman & Hinton 2012)."""

    rho: float = field(
        default=0.0,
        metadata=about("decay of s", ge=0, lt=1, required=True, also={"alpha": "PyTorch", "decay": "Optax"}, defaults=_RHO),
    )
    epsilon: float = field(default=0.0, metadata=_EPSILON)
    momentum: float = field(default=0.0, metadata=about("share of the last step that is kept", ge=0, lt=1))
    type = "rmsprop"
    calls = {
        "torch": Call("torch.optim.RMSprop", {"learning_rate": "lr", "rho": "alpha", "epsilon": "eps"}, native=_TORCH),
        "keras": Call(
            "keras.optimizers.RMSprop", {"learning_rate": "learning_rate", "rho": "rho", "epsilon": "epsilon"}, native=_KERAS
        ),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyRMSProp"),
        "jax": Call("optax.rmsprop", {"rho": "decay", "epsilon": "eps", "where": "eps_in_sqrt"}, "eps_in_sqrt = false"),
    }
    slots = ("mean_square", "velocity")
    also = {"rms_prop": "other tools"}


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s <- s + g^2, p <- p - learning_rate g / (sqrt(s) + epsilon), s from initial_accumulator_value on (Duchi et al. 2011); see the form
    adagrad.epsilon."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    initial_accumulator_value: float = field(
        default=0.0,
        metadata=about(
            "first s",
            ge=0,
            required=True,
            defaults="it is 0 in PyTorch, 0.1 in Keras, TensorFlow and Optax: write down which you mean",
        ),
    )
    type = "adagrad"
    calls = {
        "torch": Call(
            "torch.optim.Adagrad",
            {"learning_rate": "lr", "initial_accumulator_value": "initial_accumulator_value", "epsilon": "eps"},
            native=_TORCH,
        ),
        "keras": Call(
            "keras.optimizers.Adagrad",
            {"learning_rate": "learning_rate", "initial_accumulator_value": "initial_accumulator_value", "epsilon": "epsilon"},
            native=_KERAS,
        ),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyAdagradV2"),
        "jax": Call("optax.adagrad", {"initial_accumulator_value": "initial_accumulator_value", "epsilon": "eps"}),
    }
    slots = ("sum_of_squares",)


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """s <- rho s + (1-rho) g^2, d = g sqrt(a + epsilon) / sqrt(s + epsilon), a <- rho a + (1-rho) d^2, p <- p - learning_rate d (Zeiler
    2012)."""

    rho: float = field(
        default=0.0,
        metadata=about(
            "decay of s and a",
            ge=0,
            lt=1,
            required=True,
            defaults="rho is 0.9 in PyTorch and Optax, 0.95 in Keras: write down which you mean",
        ),
    )
    epsilon: float = field(default=0.0, metadata=_EPSILON)
    type = "adadelta"
    calls = {
        "torch": Call("torch.optim.Adadelta", {"learning_rate": "lr", "rho": "rho", "epsilon": "eps"}, native=_TORCH),
        "keras": Call(
            "keras.optimizers.Adadelta", {"learning_rate": "learning_rate", "rho": "rho", "epsilon": "epsilon"}, native=_KERAS
        ),
        "tensorflow": Call("tensorflow.raw_ops.ResourceApplyAdadelta"),
        "jax": Call("optax.adadelta", {"rho": "rho", "epsilon": "eps"}),
    }
    slots = ("mean_square", "mean_square_update")


@dataclass(frozen=True)
class Lion(Optimizer):
    """p <- p - learning_rate sign(b1 m + (1-b1) g), m <- b2 m + (1-b2) g (Chen et al. 2023)."""

    beta_1: float = field(default=0.9, metadata=_BETA_1)
    beta_2: float = field(default=0.99, metadata=about("decay of m for the next step", ge=0, lt=1, also={"b2": "Optax"}))
    type = "lion"
    calls = {
        "keras": Call(
            "keras.optimizers.Lion", {"learning_rate": "learning_rate", "beta_1": "beta_1", "beta_2": "beta_2"}, native=_KERAS
        ),
        "jax": Call(
            "optax.lion", {"beta_1": "b1", "beta_2": "b2", "weight_decay": "weight_decay"}, native={"weight_decay": decaying}
        ),
    }
    slots = ("first_moment",)


@dataclass(frozen=True)
class LAMB(Optimizer):
    """r = m^ / (sqrt(v^) + epsilon) + weight_decay p, moments as Adam's; p <- p - learning_rate |p| / |r| r, norms of each parameter, their
    quotient 1 where one of them is 0 (You et al. 2020). Its decay stands inside: `decoupled` says nothing."""

    epsilon: float = field(default=0.0, metadata=_EPSILON)
    beta_1: float = field(default=0.9, metadata=_BETA_1)
    beta_2: float = field(default=0.999, metadata=_BETA_2)
    type = "lamb"
    calls = {
        "keras": Call("keras.optimizers.Lamb", {"learning_rate": "learning_rate", "epsilon": "epsilon"}),
        "jax": Call("optax.lamb", {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps", "weight_decay": "weight_decay"}),
    }
    slots = ("first_moment", "second_moment")

    @property
    def coupled_decay(self) -> float:
        """None: the decay is LAMB's own."""
        return 0.0

    @property
    def decoupled_decay(self) -> float:
        """None: the decay is LAMB's own."""
        return 0.0

    def problems(self) -> List[Tuple[str, str]]:
        """Its decay needs no word more."""
        return [found for found in super().problems() if found[0] != "weight_decay"]


#: What frameworks fix differently: form -> {value: formula}; the first is the canonical one.
FORMS: Mapping[str, Mapping[str, str]] = {
    "sgd.momentum": {
        "velocity": "v <- m v + g; p <- p - lr v",
        "lr_velocity": "v <- m v - lr g; p <- p + v",
    },
    "adam.epsilon": {
        "plain": "lr / c1 * m / (sqrt(v / c2) + epsilon)",
        "hat": "lr * sqrt(c2) / c1 * m / (sqrt(v) + epsilon)",
    },
    "rmsprop.epsilon": {
        "outside": "g / (sqrt(s) + epsilon)",
        "inside": "g / sqrt(s + epsilon)",
    },
    "rmsprop.momentum": {
        "velocity": "v <- m v + g / root; p <- p - lr v",
        "lr_velocity": "v <- m v + lr g / root; p <- p - v",
    },
    "adagrad.epsilon": {
        "outside": "g / (sqrt(s) + epsilon)",
        "inside": "g / sqrt(s + epsilon)",
    },
    "adamax.epsilon": {
        "denominator": "u <- max(b2 u, |g|); m / (u + epsilon)",
        "norm": "u <- max(b2 u, |g| + epsilon); m / u",
    },
    "nadam.schedule": {
        "decaying": "u_t = b1 (1 - 0.96^(t / 250) / 2)",
        "constant": "u_t = b1: (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) / (sqrt(v^) + epsilon)",
        "fast": "u_t = b1 (1 - 0.96^t / 2)",
    },
    "lamb.decay": {
        "inside": "r = m^ / (sqrt(v^) + epsilon) + weight_decay p; p <- p - lr |p| / |r| r",
        "before": "p <- p - lr weight_decay p; r = m^ / (sqrt(v^) + epsilon); p <- p - lr |p| / |r| r, |p| of the decayed p",
    },
    "batch_normalization.variance": {
        "biased": "moving variance from sum (x - mean)^2 / n",
        "unbiased": "moving variance from sum (x - mean)^2 / (n - 1)",
    },
}


def relevant_forms(program: Any, forms: Mapping[str, str]) -> Dict[str, str]:
    """Of a framework's `forms`, those that this program's optimizer and layers depend on; canonical where the framework names none."""
    optimizer, names = program.optimizer, []
    if isinstance(optimizer, SGD) and optimizer.momentum:
        names = ["sgd.momentum"]
    if isinstance(optimizer, Adam) and not isinstance(optimizer, NAdam):
        names = ["adam.epsilon"]
    if isinstance(optimizer, RMSprop):
        names = ["rmsprop.epsilon", "rmsprop.momentum"] if optimizer.momentum else ["rmsprop.epsilon"]
    if isinstance(optimizer, LAMB) and optimizer.weight_decay:
        names = ["lamb.decay"]
    names += {"adagrad": ["adagrad.epsilon"], "adamax": ["adamax.epsilon"], "nadam": ["nadam.schedule"]}.get(optimizer.type, [])
    if any(isinstance(node.layer, BatchNormalization) for node in program.nodes):
        names.append("batch_normalization.variance")
    return {name: forms.get(name, next(iter(FORMS[name]))) for name in names}


def active_slots(optimizer: Optimizer) -> Tuple[str, ...]:
    """The slots that this optimizer really keeps: no velocity where momentum is zero; the sum of the gradients of an update that is not
    complete yet where it accumulates."""
    momentum: Any = getattr(optimizer, "momentum", 0.0)
    own = tuple(slot for slot in optimizer.slots if slot != "velocity" or momentum)
    return (*own, "accumulated") if optimizer.gradient_accumulation_steps > 1 else own


def first_slot(optimizer: Optimizer, slot: str) -> float:
    """What a slot holds before the first step: 0, but for Adagrad's sum of squares."""
    return optimizer.initial_accumulator_value if isinstance(optimizer, Adagrad) and slot == "sum_of_squares" else 0.0
