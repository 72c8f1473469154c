"""Cases of optimizers: at early and late steps, with decay, clipping, schedules and accumulated gradients."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

from ...spec import SGD, Adam, AdamW, Dense, Optimizer, RMSprop
from ...spec.layers import Tanh
from ...spec.losses import SoftmaxCrossEntropy
from ...spec.optimizers import LAMB, Adadelta, Adagrad, Adamax, Lion, NAdam
from ...spec.schedules import Cosine, ExponentialDecay, OneCycle, StepDecay, Warmup
from .case import Case, case

#: rules that leave the choice how parameters decay, and those that do not
PLAIN: Dict[Any, Dict[str, float]] = {
    SGD: {"momentum": 0.9}, Adam: {"epsilon": 1e-3}, NAdam: {"epsilon": 1e-3}, Adamax: {"epsilon": 1e-3},
    RMSprop: {"rho": 0.9, "epsilon": 1e-3}, Adagrad: {"epsilon": 1e-3, "initial_accumulator_value": 0.1},
    Adadelta: {"rho": 0.9, "epsilon": 1e-3}, Lion: {},
}  # fmt: skip
DECAYED: Dict[Any, Dict[str, float]] = {
    AdamW: {"epsilon": 1e-3, "weight_decay": 0.25}, LAMB: {"epsilon": 1e-3, "weight_decay": 0.25},
}  # fmt: skip
#: steps already taken: bias corrections matter early, and are 1 late
STEPS = (0, 37, 5000)


def cases() -> Iterator[Case]:
    """All of them."""
    for part in (rules, decays, clips, schedules, accumulation):
        yield from part()


def trained(name: str, optimizer: Optimizer, steps: Tuple[int, ...] = STEPS, about: Tuple[str, ...] = ()) -> Case:
    """One optimizer on a net with one hidden layer, which sklearn can express too."""
    return case(
        name, (f"optimizer/{optimizer.type}", *about), Dense(units=6, activation=Tanh()), Dense(units=3), optimizer=optimizer, steps=steps,
        loss=SoftmaxCrossEntropy(), targets="integer",
    )  # fmt: skip


def rules() -> Iterator[Case]:
    """Every rule with every option of its own."""
    found: Dict[str, Optimizer] = {
        "sgd": SGD(learning_rate=0.5),
        "momentum": SGD(learning_rate=0.125, momentum=0.9),
        "nesterov": SGD(learning_rate=0.125, momentum=0.9, nesterov=True),
        "adam": Adam(learning_rate=0.01, epsilon=1e-3),
        "adam small epsilon": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
        "adam without momentum": Adam(learning_rate=0.01, epsilon=1e-3, beta_1=0.0),
        "adamw": AdamW(learning_rate=0.01, epsilon=1e-8, weight_decay=0.125),
        "adamw without decay": AdamW(learning_rate=0.01, epsilon=1e-3, weight_decay=0.0, beta_1=0.8, beta_2=0.99),
        "nadam": NAdam(learning_rate=0.01, epsilon=1e-3),
        "nadam small epsilon": NAdam(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
        "adamax": Adamax(learning_rate=0.01, epsilon=1e-3),
        "adamax small epsilon": Adamax(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
        "rmsprop": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3),
        "rmsprop small epsilon": RMSprop(learning_rate=0.01, rho=0.99, epsilon=1e-8),
        "rmsprop momentum": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3, momentum=0.5),
        "adagrad": Adagrad(learning_rate=0.125, epsilon=1e-3, initial_accumulator_value=0.0),
        "adagrad from 0.1": Adagrad(learning_rate=0.125, epsilon=1e-8, initial_accumulator_value=0.1),
        "adadelta": Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-6),
        "adadelta slow": Adadelta(learning_rate=0.5, rho=0.95, epsilon=1e-3),
        "lion": Lion(learning_rate=0.01),
        "lion betas": Lion(learning_rate=0.01, beta_1=0.5, beta_2=0.9),
        "lamb": LAMB(learning_rate=0.01, epsilon=1e-3),
        "lamb decay": LAMB(learning_rate=0.01, epsilon=1e-6, weight_decay=0.25, beta_1=0.8, beta_2=0.99),
    }
    for name, optimizer in found.items():
        # nadam's product of u_1 ... u_t is made one factor after the other
        yield trained(name, optimizer, (0, 37, 400) if isinstance(optimizer, NAdam) else STEPS)


def decays() -> Iterator[Case]:
    """Coupled and decoupled decay of every rule that leaves the choice."""
    for cls, options in PLAIN.items():
        for decoupled in (False, True):
            optimizer = cls(learning_rate=0.0625, weight_decay=0.25, decoupled=decoupled, **options)
            yield trained(f"{cls.type} {'de' if decoupled else ''}coupled decay", optimizer, (0, 37))


def clips() -> Iterator[Case]:
    """Each way of clipping in front of every rule, where it acts and where it does not; accumulated gradients are clipped as a whole."""
    for cls, options in {**PLAIN, **DECAYED}.items():
        yield trained(f"{cls.type} clip_value", cls(learning_rate=0.0625, clip_value=0.03125, **options), (0, 37))
        rest = {"clip_norm": 0.125, "gradient_accumulation_steps": 2, **options}
        yield trained(f"{cls.type} clip_norm accumulates", cls(learning_rate=0.0625, **rest), (0, 1, 37))
        yield trained(f"{cls.type} global_clip_norm", cls(learning_rate=0.0625, global_clip_norm=0.25, **options), (0, 37))
    for name, small in (("clip_value", 0.03125), ("clip_norm", 0.125), ("global_clip_norm", 0.25)):
        for limit in (small, 64.0):
            limits: Dict[str, Any] = {name: limit}
            word = "acts" if limit == small else "does not act"
            yield trained(f"sgd {name} {word}", SGD(learning_rate=0.5, **limits), (0,))
        acts: Dict[str, Any] = {name: small}
        decayed = Adam(learning_rate=0.01, epsilon=1e-3, weight_decay=0.5, decoupled=False, **acts)
        yield trained(f"adam {name} coupled decay", decayed, (0, 37))


def schedules() -> Iterator[Case]:
    """Each schedule before, at, between and behind its corners, with rules that put the rate at different places."""
    found: Dict[str, Tuple[Optimizer, Tuple[int, ...]]] = {
        "step": (SGD(learning_rate=0.5, schedule=StepDecay(every=10, rate=0.5)), (0, 8, 9, 10, 35)),
        "step default": (Adagrad(learning_rate=0.5, epsilon=1e-3, initial_accumulator_value=0.1, schedule=StepDecay(every=3)), (0, 2, 7)),
        "exponential": (SGD(learning_rate=0.5, momentum=0.9, schedule=ExponentialDecay(rate=0.5, over=10)), (0, 1, 7, 25)),
        "exponential each update": (
            RMSprop(learning_rate=0.125, rho=0.9, epsilon=1e-3, schedule=ExponentialDecay(rate=0.9)), (0, 1, 7),
        ),
        "cosine": (Adam(learning_rate=0.125, epsilon=1e-3, schedule=Cosine(over=20, end=0.125)), (0, 7, 19, 20, 30)),
        "cosine to zero": (SGD(learning_rate=0.5, schedule=Cosine(over=10)), (0, 5, 8, 10)),
        "warmup": (AdamW(learning_rate=0.125, epsilon=1e-3, weight_decay=0.5, schedule=Warmup(over=10, start=0.125)), (0, 3, 9, 10, 50)),
        "warmup from zero": (SGD(learning_rate=0.5, momentum=0.9, nesterov=True, schedule=Warmup(over=5)), (0, 4, 5)),
        "warmup cosine": (
            RMSprop(learning_rate=0.125, rho=0.9, epsilon=1e-3, momentum=0.5, schedule=Warmup(over=4, start=0.25, until=20, end=0.125)),
            (0, 3, 4, 12, 19, 30),
        ),
        "one_cycle": (
            SGD(learning_rate=0.125, momentum=0.9, schedule=OneCycle(over=20, rise=0.25, divide=8.0, final_divide=4.0)),
            (0, 3, 5, 12, 20, 40),
        ),
        "one_cycle default": (Adam(learning_rate=0.125, epsilon=1e-3, schedule=OneCycle(over=20)), (0, 5, 6, 12)),
        "adadelta decay": (
            Adadelta(learning_rate=1.0, rho=0.9, epsilon=1e-3, weight_decay=0.25, decoupled=True, schedule=StepDecay(every=2, rate=0.25)),
            (0, 5),
        ),
        "adamax": (Adamax(learning_rate=0.125, epsilon=1e-3, schedule=Cosine(over=10)), (0, 5)),
    }  # fmt: skip
    for name, (optimizer, steps) in found.items():
        schedule: Any = optimizer.schedule
        yield trained(f"schedule {name}", optimizer, steps, (f"schedule/{schedule.type}",))
    # rules that some frameworks lack say nothing about their schedules
    yield trained("lion exponential", Lion(learning_rate=0.125, schedule=ExponentialDecay(rate=0.9)), (0, 1, 7))
    yield trained("lamb warmup", LAMB(learning_rate=0.125, epsilon=1e-3, schedule=Warmup(over=10, start=0.125)), (0, 3, 12))
    yield trained("nadam one_cycle", NAdam(learning_rate=0.125, epsilon=1e-3, schedule=OneCycle(over=20)), (0, 5, 6, 12))


def accumulation() -> Iterator[Case]:
    """States at the start, inside and at the end of an update's steps; everything else at once."""
    yield trained("sgd accumulates", SGD(learning_rate=0.5, gradient_accumulation_steps=3), (0, 1, 2, 299))
    yield trained("momentum accumulates", SGD(learning_rate=0.125, momentum=0.9, gradient_accumulation_steps=2), (0, 1, 36, 37))
    yield trained("adam accumulates", Adam(learning_rate=0.01, epsilon=1e-3, gradient_accumulation_steps=4), (0, 3, 37, 39))
    everything = AdamW(
        learning_rate=0.0625, epsilon=1e-3, weight_decay=0.25, global_clip_norm=0.125, gradient_accumulation_steps=3,
        schedule=Warmup(over=4, start=0.25, until=20, end=0.125),
    )  # fmt: skip
    yield trained("adamw with everything", everything, (0, 2, 8, 11, 35, 90), ("schedule/warmup",))
    yield trained(
        "rmsprop with everything",
        RMSprop(
            learning_rate=0.0625, rho=0.9, epsilon=1e-3, momentum=0.5, weight_decay=0.25, decoupled=False, clip_norm=0.125,
            gradient_accumulation_steps=2, schedule=StepDecay(every=2, rate=0.5),
        ),
        (0, 1, 3, 5, 8), ("schedule/step",),
    )  # fmt: skip
