"""Experiments as plain scripts: what a person would have written in one framework, without the harness."""

from .draft import Draft, NotWritten
from .write import FRAMEWORKS, written

__all__ = ["FRAMEWORKS", "Draft", "NotWritten", "written"]
