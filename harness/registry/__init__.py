"""Arm name -> where its adapter lives and what it needs."""

from .arms import Arm, parse, split
from .backends import Backend, add_file, backend, backends, home, lacking, load, refused, suggestion

__all__ = [
    "Arm", "Backend", "add_file", "backend", "backends", "home", "lacking", "load", "parse", "refused", "split", "suggestion",
]  # fmt: skip
