"""One experiment: `[data] [model] [train] [compare]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple, Union

from .datasets import Data
from .fields import Spec, about
from .layers import Layer
from .losses import Loss
from .optimizers import Optimizer

DTYPES = ("float32", "float64")
METRICS = ("accuracy", "mean_squared_error", "mean_absolute_error", "r2")


@dataclass(frozen=True)
class Model(Spec):
    """`[model]`: the layers, in order."""

    layers: Tuple[Layer, ...] = field(metadata=about("the layers, in order", required=True, min_length=1))


@dataclass(frozen=True)
class Train(Spec):
    """`[train]`: loss, optimizer and how long."""

    loss: Loss = field(metadata=about("what is made small", required=True, also={"criterion": "PyTorch"}))
    optimizer: Optimizer = field(
        metadata=about("how the gradient moves the parameters", required=True, also={"optim": "PyTorch"})
    )
    batch_size: Union[int, str] = field(
        default="full",
        metadata=about(
            'rows in a step, or "full"; a last, smaller batch is left out', gt=0, choices=("full",), also={"batch": "other tools"}
        ),
    )
    epochs: Optional[int] = field(
        default=None, metadata=about("passes over the training rows (or give `steps`)", gt=0, also={"num_epochs": "other tools"})
    )
    steps: Optional[int] = field(
        default=None, metadata=about("optimizer steps (or give `epochs`)", gt=0, also={"max_steps": "other tools"})
    )
    shuffle: bool = field(
        default=True, metadata=about("a new order of the rows in every epoch, drawn by the harness; full batches keep theirs")
    )


@dataclass(frozen=True)
class Compare(Spec):
    """`[compare]`: what is compared, and how closely."""

    arms: Tuple[str, ...] = field(
        default=("numpy", "torch", "keras", "tensorflow", "jax"),
        metadata=about(
            "what is compared: backend[:mode][@environment]",
            min_length=1,
            also={"backends": "other tools", "frameworks": "other tools"},
        ),
    )
    dtype: str = field(
        default="float32", metadata=about("number format of the arms", choices=DTYPES, also={"precision": "other tools"})
    )
    device: str = field(default="cpu", metadata=about("where the arms compute: cpu or gpu", choices=("cpu", "gpu")))
    seed: int = field(
        default=0, metadata=about("from which everything random is drawn", ge=0, also={"random_state": "scikit-learn"})
    )
    threads: int = field(default=1, metadata=about("threads of each arm", gt=0))
    forced_steps: Optional[Tuple[int, ...]] = field(
        default=None,
        metadata=about(
            "steps that every arm takes from the reference's state; spread over the run when not given", ge=0, min_length=1
        ),
    )
    metrics: Optional[Tuple[str, ...]] = field(
        default=None, metadata=about("measured on training and test rows; accuracy or r2 when not given", choices=METRICS)
    )
    evaluate_every: int = field(default=1, metadata=about("epochs between two measurements of the metrics", gt=0))
    time_limit: float = field(
        default=600.0, metadata=about("seconds that one answer of an arm may take", gt=0, also={"timeout": "other tools"})
    )


@dataclass(frozen=True)
class Experiment(Spec):
    """A whole experiment file."""

    name: str = field(metadata=about("short name, used for folders and tables", required=True, min_length=1))
    data: Data = field(metadata=about("the data set", required=True))
    model: Model = field(metadata=about("the model", required=True))
    train: Train = field(metadata=about("loss, optimizer, length", required=True))
    compare: Compare = field(default_factory=Compare, metadata=about("what is compared"))
    description: str = field(default="", metadata=about("one line about it"))
