"""Experiments as plain scripts: what a person would have written in one framework, without the harness; and their models as ONNX files."""

from .draft import Draft, NotWritten, Weights
from .write import FRAMEWORKS, ONNX, TARGETS, written

__all__ = ["FRAMEWORKS", "ONNX", "TARGETS", "Draft", "NotWritten", "Weights", "written"]
