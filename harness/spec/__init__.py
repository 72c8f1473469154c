"""What an experiment is: data, layers, loss, optimizer and training as frozen dataclasses.

Runs on Python 3.9 and the standard library alone (a worker imports it), except `harness.spec.reader`, which only the parent
uses to read files.
"""

from .codec import decode, encode
from .datasets import Data, Facts, input_shape, known_facts
from .experiment import Compare, Experiment, Model, Train
from .fields import Shape, Spec, about, family, float32
from .initializers import Initializer
from .layers import Activation, ActivationFunction, Dense, Dropout, Flatten, Layer
from .losses import Loss
from .optimizers import FORMS, SGD, Adam, AdamW, Optimizer, RMSprop, active_slots, relevant_forms
from .program import Node, Parameter, ProgramSpec, SpecProblem, program, steps_per_epoch, target_width, total_steps

__all__ = [
    "FORMS", "SGD", "Activation", "ActivationFunction", "Adam", "AdamW", "Compare", "Data", "Dense", "Dropout", "Experiment",
    "Facts", "Flatten", "Initializer", "Layer", "Loss", "Model", "Node", "Optimizer", "Parameter", "ProgramSpec", "RMSprop",
    "Shape", "Spec", "SpecProblem", "Train", "about", "active_slots", "decode", "encode", "family", "float32", "input_shape",
    "known_facts", "program", "relevant_forms", "steps_per_epoch", "target_width", "total_steps",
]  # fmt: skip
