"""What an experiment is: data, layers, loss, optimizer and training as frozen dataclasses.

Runs on Python 3.9 and the standard library alone (a worker imports it), except `harness.spec.reader`, which only the parent
uses to read files.
"""

from .codec import decode, encode
from .datasets import Data, Facts, input_shape, known_facts
from .experiment import Compare, Experiment, Model, Train
from .fields import Call, Shape, Spec, about, family, float32
from .flops import forward_flops, predict_flops, step_flops
from .graph import INPUT, Node, Parameter, SpecProblem, Statistic, is_step, wired
from .initializers import Initializer
from .layers import Activation, ActivationFunction, Dense, Dropout, Flatten, Layer
from .losses import Loss
from .nodes import node_rows
from .optimizers import FORMS, SGD, Adam, AdamW, Optimizer, RMSprop, active_slots, first_slot, relevant_forms
from .program import ProgramSpec, program, steps_per_epoch, total_steps
from .regularizers import Regularizer
from .schedules import Schedule

__all__ = [
    "FORMS", "INPUT", "SGD", "Activation", "ActivationFunction", "Adam", "AdamW", "Call", "Compare", "Data", "Dense", "Dropout",
    "Experiment", "Facts", "Flatten", "Initializer", "Layer", "Loss", "Model", "Node", "Optimizer", "Parameter", "ProgramSpec", "RMSprop",
    "Regularizer", "Schedule", "Shape", "Spec", "SpecProblem", "Statistic", "Train", "about", "active_slots", "decode", "encode", "family",
    "first_slot", "float32", "forward_flops", "input_shape", "is_step", "known_facts", "node_rows", "predict_flops", "program",
    "relevant_forms", "step_flops", "steps_per_epoch", "total_steps", "wired",
]  # fmt: skip
